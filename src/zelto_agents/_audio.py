"""The audio that a host hands over, in files next to the outbox: whole after a crash, too."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import BinaryIO

from zelto_agents._items import Sound

__all__ = ["Sounds", "mend"]

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_BYTES = 2  # of a sample
_OPEN = 0xFFFFFFFF  # a length that nobody has written yet


class Sounds:
    """The files that are being written, one for each call.

    Args:
        folder: where; made 0700, the files in it 0600.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, BinaryIO] = {}

    def write(self, sound: Sound) -> None:
        """Append; the first stretch begins the file.

        Raises:
            OSError: it cannot be written; what was is kept.
        """
        file = self._open.get(sound.name)
        if file is None:
            for one in (self._folder.parent, self._folder):
                one.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._folder / sound.name
            file = self._open[sound.name] = _private(path, os.O_APPEND)
            if not os.fstat(file.fileno()).st_size:
                file.write(_header(sound.rate, sound.channels, _OPEN))
        file.write(sound.samples)

    def end(self, name: str) -> None:
        """No more will come for this file."""
        file = self._open.pop(name, None)
        if file is not None:
            file.close()
            mend(self._folder / name)

    def drop(self, name: str) -> None:
        """The call is not wanted, and neither is what was written of it; others' files stay."""
        file = self._open.pop(name, None)
        if file is not None:
            file.close()
            (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End all."""
        for name in list(self._open):
            with contextlib.suppress(OSError):
                self.end(name)


def _private(path: Path, how: int) -> BinaryIO:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    return os.fdopen(number, "ab", buffering=0)


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
