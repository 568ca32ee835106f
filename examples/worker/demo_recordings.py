"""Recordings of the demo's calls, made and served by the demo itself."""

from __future__ import annotations

import contextlib
import io
import threading
import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scripted.sound import voice

RATE = 8000


def recording(conversation: dict[str, Any]) -> bytes:
    """A WAV as long as the call, with a voice wherever somebody speaks."""
    transcript = conversation["transcript"]
    sound = bytearray(2 * int(transcript["durationSeconds"] * RATE))
    for turn in transcript["content"]:
        if turn["role"] in ("user", "assistant") and turn.get("endSeconds") is not None:
            at = 2 * int(turn["startSeconds"] * RATE)
            spoken = voice(turn["endSeconds"] - turn["startSeconds"], RATE)[: len(sound) - at]
            sound[at : at + len(spoken)] = spoken
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(bytes(sound))
    return file.getvalue()


@contextlib.contextmanager
def served() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Serve recordings on this machine: where, and by name what is served there."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sound = files.get(self.path.lstrip("/"))
            self.send_response(200 if sound is not None else 404)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(sound or b"")))
            self.end_headers()
            self.wfile.write(sound or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
