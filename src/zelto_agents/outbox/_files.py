"""The files of an outbox on a local disk: private, locked against each other, faults explained."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from zelto_agents.outbox import OutboxError

if sys.platform != "win32":
    import fcntl

LOCK_WAIT = 2.0


def lock_file(folder: Path) -> int | None:
    """A descriptor to ``acquire``; None where the system has no such locks."""
    if sys.platform == "win32":
        return None  # SQLite's own locks have to do
    return os.open(private_file(folder, "outbox.lock"), os.O_RDWR | os.O_CLOEXEC)


def acquire(lock: int) -> None:
    """Take the file lock; a process that was stopped while it holds it must not stop us too.

    Raises:
        TimeoutError: nobody let go of it in time.
    """
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError("another process holds its lock") from None
            time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - no secret
        else:
            return


@contextlib.contextmanager
def explained(folder: Path | None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as fault:
        raise OutboxError(
            f"the outbox in {folder} cannot be used ({type(fault).__name__}: {fault}): "
            "check the disk and its permissions, or set ZELTO_OUTBOX to another folder"
        ) from fault


def private_file(folder: Path, name: str) -> Path:
    """The file, made 0600 in a folder made 0700: transcripts are nobody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if stat.S_ISLNK(facts.st_mode) or not stat.S_ISDIR(facts.st_mode):
        raise OutboxError(f"the outbox {folder} is a link or a file, not a folder of its own")
    if hasattr(os, "getuid"):
        if facts.st_uid != os.getuid():
            raise OutboxError(
                f"the outbox {folder} belongs to another user: "
                "set ZELTO_OUTBOX to a folder of this one's own, for example below it"
            )
        if stat.S_IMODE(facts.st_mode) != 0o700:
            _tighten(folder)
    path = folder / name
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if stat.S_IMODE(path.stat().st_mode) != 0o600:
        path.chmod(0o600)
    return path


def _tighten(folder: Path) -> None:
    """Close a folder of ours to others; one that holds other things is not ours to change."""
    if any(not entry.name.startswith("outbox.") for entry in folder.iterdir()):
        raise OutboxError(
            f"the folder {folder} is open to other users and holds other files: "
            "set ZELTO_OUTBOX to a folder of its own, or run chmod 700 on this one"
        )
    folder.chmod(0o700)


def release(lock: int) -> None:
    """Let go of the file lock."""
    fcntl.flock(lock, fcntl.LOCK_UN)
