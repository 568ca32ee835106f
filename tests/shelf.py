"""A folder for recordings with a web server before it, and what the receiver plays of it."""

from __future__ import annotations

import contextlib
import io
import threading
import wave
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx

from zelto_agents.receiver import Limits, RunningReceiver

__all__ = ["FROM_HERE", "Shelf", "audio_of", "served", "sound_in"]

FROM_HERE = Limits(allow_private=True, backoff=(0.01, 0.01))
"""For a receiver that may fetch from this machine."""


class Shelf(NamedTuple):
    """Where recordings are put, and where others fetch them."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told of it."""
        return {"ZELTO_RECORDINGS": str(self.folder), "ZELTO_RECORDINGS_URL": self.url}


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Shelf]:
    """The folder, made and served for the length of a ``with`` block."""
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield Shelf(folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def audio_of(receiver: RunningReceiver, external_id: str = "conv-1") -> bytes:
    """What the receiver re-hosts of a call, once it does: what its page plays."""
    known = receiver.wait_for(
        external_id, where=lambda each: (each["recording"] or {}).get("state") == "ready"
    )
    return httpx.get(f"{receiver.url}{known['recording']['url']}").raise_for_status().content


def sound_in(content: bytes) -> tuple[int, int, bytes]:
    """Rate, channels and samples of a WAV file."""
    with wave.open(io.BytesIO(content)) as file:
        return file.getframerate(), file.getnchannels(), file.readframes(10**9)
