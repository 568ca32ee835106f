"""Small disks of one's own, that can be filled and made read-only."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["CannotMountError", "fill_up", "remount", "small_disk"]


class CannotMountError(Exception):
    """This user or container may not mount anything, and why."""


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of this size, for the length of a ``with`` block.

    Raises:
        CannotMountError: it cannot be mounted here.
    """
    folder.mkdir()
    if os.geteuid() != 0:
        raise CannotMountError("only root may mount a small disk")
    made = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "proof", str(folder))
    if made.returncode:
        raise CannotMountError(f"no small disk can be mounted: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: a process that still has files open there keeps the disk, and no test fails.
        _run("umount", "--lazy", str(folder))


def remount(folder: Path, options: str) -> None:
    """Change the options of a disk, such as ``ro``."""
    done = _run("mount", "-o", f"remount,{options}", str(folder))
    assert done.returncode == 0, done.stderr


def fill_up(folder: Path, leave: int = 0) -> Path:
    """A file of somebody else's that takes all room of the disk but so many bytes."""
    path = folder / "somebody-elses.log"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        free = os.statvfs(folder)
        file.write(b"x" * max(0, free.f_bavail * free.f_frsize - leave))
        while not leave:
            file.write(b"x" * 4096)
    return path


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
