"""The files of an outbox on a local disk: private, locked against each other, faults explained."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from zelto_agents.outbox import OutboxError, OutboxFullError

if sys.platform != "win32":
    import fcntl

__all__ = [
    "FILE_NAME",
    "OutboxCorruptError",
    "Reserve",
    "acquire",
    "explained",
    "file_mark",
    "file_system",
    "is_remote",
    "lock_file",
    "private_file",
    "release",
    "set_aside",
]

FILE_NAME = "outbox.sqlite3"
# Within the budget of a shutdown: whoever holds it longer was stopped, and the call goes elsewhere.
LOCK_WAIT = 0.8
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "glusterfs", "fuse.")


class OutboxCorruptError(OutboxError):
    """The file is no outbox, or a damaged one."""


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
            time.sleep(random.uniform(0.0002, 0.001))  # noqa: S311 - no secret
        else:
            return


def release(lock: int) -> None:
    """Let go of the file lock."""
    fcntl.flock(lock, fcntl.LOCK_UN)


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Faults of the disk as faults of the outbox, in words that say what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as fault:
        code = getattr(fault, "sqlite_errorcode", None)
        why = f"({type(fault).__name__}: {fault})"
        if code is not None and code & 0xFF in _CORRUPT:
            raise OutboxCorruptError(f"the outbox {name} is damaged {why}") from fault
        if code == sqlite3.SQLITE_FULL:
            raise OutboxFullError(
                f"the disk of the outbox {name} is full {why}: make room on it, "
                "or set ZELTO_OUTBOX to another folder"
            ) from fault
        raise OutboxError(
            f"the outbox {name} cannot be used {why}: "
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


def file_mark(path: Path | None) -> tuple[int, int] | None:
    """What tells the file at this path from another that took its place; None without one."""
    if path is None:
        return None
    try:
        facts = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (facts.st_dev, facts.st_ino)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, with its write-ahead log, so that nothing of it is overwritten."""
    aside = path.with_name(f"outbox.damaged-{time.time_ns()}.sqlite3")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def file_system(folder: Path) -> str:
    """The type of the file system that the folder is on, by Linux; '' where nobody says so."""
    best, kind = "", ""
    with contextlib.suppress(OSError):
        place = str(folder.resolve())
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            mount = left.split()[4].replace("\\040", " ")
            inside = place == mount or place.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best):
                best, kind = mount, right.split()[0]
    return kind


def is_remote(kind: str) -> bool:
    """Whether a file system of this type is shared by machines, which rules a WAL out."""
    return kind.startswith(_REMOTE)


class Reserve:
    """A little room on the disk, given up when it is full: what waits can still be sent.

    To claim a call and to note its answer takes some room as well, and so does folding in the
    write-ahead log, which gives back what it holds: that is at most four megabytes.
    """

    SIZE = 5 * 1024 * 1024

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._path = None if folder is None else folder / "outbox.reserve"

    def keep(self) -> None:
        """Take the room, if there is plenty."""
        if self._folder is None or self._path is None or not hasattr(os, "posix_fallocate"):
            return
        with contextlib.suppress(OSError):
            if self._path.exists() or self._free() < 2 * self.SIZE:
                return
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, self.SIZE)
            finally:
                os.close(file)

    def give_up(self) -> None:
        """Let go of it."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    @property
    def in_use(self) -> bool:
        """Whether what is left is for claims and answers alone, and takes no new document."""
        if self._path is None or self._path.exists():
            return False
        return self._free() < self.SIZE

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._folder or "/").free
        except OSError:
            return 0
