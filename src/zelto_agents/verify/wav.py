"""A small recording, served on this machine for as long as somebody may fetch it."""

from __future__ import annotations

import contextlib
import io
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["WAV", "Served", "serve_wav"]


def _silence(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * int(8000 * seconds)))
    return file.getvalue()


WAV = _silence(0.25)


@dataclass(frozen=True, slots=True)
class Served:
    """Where the recording is, and whether anybody has asked for it."""

    url: str
    asked: Callable[[], bool]


@contextlib.contextmanager
def serve_wav() -> Iterator[Served]:
    """Serves ``WAV`` on a loopback address for the length of a ``with`` block."""
    asked = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(WAV)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(WAV)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}/zelto-verify.wav", asked.is_set)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
