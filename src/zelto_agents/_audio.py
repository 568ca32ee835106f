"""The audio that a host hands over, in files next to the outbox: whole after a crash, too."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from zelto_agents._items import Sound

if sys.platform != "win32":
    import fcntl

__all__ = ["Sounds", "is_being_written", "mend"]

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_BYTES = 2  # of a sample
_OPEN = 0xFFFFFFFF  # a length that nobody has written yet
OPEN_AT_ONCE = 64
OVER_NOTED = 1000


class Sounds:
    """The files that are being written, one for each call; belongs to one thread at a time.

    Args:
        folder: where; made 0700, the files in it 0600.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, BinaryIO] = {}
        self._over: dict[str, None] = {}

    def write(self, sounds: Sequence[Sound]) -> None:
        """Append each to its file; the first begins it, and what comes after its end is ignored.

        Raises:
            OSError: something cannot be written; what was is kept.
        """
        for sound in sounds:
            if sound.name not in self._over:
                file = self._open.pop(sound.name, None) or self._opened(sound)
                self._open[sound.name] = file  # the last to be closed
                file.write(sound.samples)
                file.flush()

    def _opened(self, sound: Sound) -> BinaryIO:
        if len(self._open) >= OPEN_AT_ONCE:
            self._open.pop(next(iter(self._open))).close()
        for one in (self._folder.parent, self._folder):
            one.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        number = os.open(self._folder / sound.name, flags, 0o600)
        file = os.fdopen(number, "ab")
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if not os.fstat(number).st_size:
            file.write(_header(sound.rate, sound.channels, _OPEN))
        return file

    def end(self, name: str) -> None:
        """No more will come for this file.

        Raises:
            OSError: the rest of it cannot be written.
        """
        self._over[name] = None
        if len(self._over) > OVER_NOTED:
            del self._over[next(iter(self._over))]
        file = self._open.pop(name, None)
        if file is not None:
            file.close()
        path = self._folder / name
        if path.exists():
            mend(path)

    def drop(self, name: str) -> None:
        """The call is not wanted, and neither is what was written of it."""
        with contextlib.suppress(OSError):
            self.end(name)
        (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End all."""
        for name in list(self._open):
            with contextlib.suppress(OSError):
                self.end(name)


def is_being_written(path: Path) -> bool:
    """Whether somebody has the file open to write: a process that only slept may go on."""
    if sys.platform == "win32":
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it is not there, or its file system knows no locks
        return False
    return False


def mend(path: Path) -> None:
    """Give a WAV file of ours the lengths that it has: its writer may have died.

    Raises:
        OSError: it cannot be read or written.
    """
    with path.open("r+b") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size or not head.startswith(b"RIFF"):
            return
        fields = _HEADER.unpack(head)
        length = min(path.stat().st_size - _HEADER.size, _OPEN - _HEADER.size)
        file.seek(0)
        file.write(_header(fields[7], fields[6], length))


def _header(rate: int, channels: int, length: int) -> bytes:
    """RIFF, with PCM of 16 bits (http://soundfile.sapp.org/doc/WaveFormat/)."""
    whole = min(length + _HEADER.size - 8, _OPEN)
    frame = channels * _BYTES
    form = (b"fmt ", 16, 1, channels, rate, rate * frame, frame, 8 * _BYTES)
    return _HEADER.pack(b"RIFF", whole, b"WAVE", *form, b"data", length)
