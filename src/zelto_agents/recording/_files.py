"""Files on a local disk: kept and copied so that a crash or a full disk loses none."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import mimetypes
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "copy_durably",
    "delete_unfinished",
    "keep_file",
    "media_type",
    "object_name",
    "written_durably",
]

_MEDIA_TYPES = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def keep_file(path: Path, kept: Path) -> Path:
    """Have a finished recording where nobody else deletes or changes it: a copy, on disk.

    The folder is made 0700, the copy 0600; the original stays its owner's.

    Args:
        path: where the recording is.
        kept: where it shall be as well.

    Returns:
        Where it is safe: ``kept``, or ``path`` if there was no room or no permission.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path.stat()
    try:
        for one in (kept.parent.parent, kept.parent):
            one.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy_durably(path, kept)
    except OSError:
        return path
    return kept


def copy_durably(path: Path, copy: Path, *, mode: int = 0o600) -> None:
    """Copy a file in constant memory; it is there whole and on disk, or not at all.

    Raises:
        OSError: it cannot be read, or there is no room; nothing is left behind.
    """
    with path.open("rb") as source, written_durably(copy, mode=mode) as target:
        shutil.copyfileobj(source, target, 1024 * 1024)


@contextlib.contextmanager
def written_durably(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when it is whole and on disk, and goes if it is not."""
    unfinished = path.with_name(f"{_unfinished(path)}{secrets.token_hex(4)}")
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        # Buffered: on a full disk a raw file takes a part, and says so only to who looks.
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(number)
        unfinished.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(path.parent)


def delete_unfinished(path: Path) -> None:
    """Delete what killed processes left of this file; only while nobody else writes it."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(glob.escape(_unfinished(path)) + "[0-9a-f]" * 8):
            left.unlink(missing_ok=True)


def _unfinished(path: Path) -> str:
    """What the name of a file begins with that is to become this one."""
    return f".{path.name[:200]}."


def _sync_folder(folder: Path) -> None:
    """A rename outlives the machine only when its folder is on disk."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def media_type(path: Path) -> str:
    """What a file's name says that it holds."""
    known = _MEDIA_TYPES.get(path.suffix.lower())
    return known or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def object_name(path: Path, external_id: str) -> str:
    """What a call's file is called in a store: the same one again after a crash, and no other's."""
    mark = hashlib.sha256(f"{external_id}\0{path.name}".encode()).hexdigest()[:16]
    safe = _UNSAFE.sub("-", external_id).strip("-.")[:80] or "call"
    suffix = _UNSAFE.sub("", path.suffix.lower())[:16]
    return f"{safe}-{mark}{suffix}"
