"""A real HTTP server whose answers a test writes down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["ScriptedServer", BaseHTTPRequestHandler], None]


class ScriptedServer:
    """A real HTTP server whose answers a test writes down: a status, or a function."""

    def __init__(self, *answers: int | tuple[int, dict[str, str], str] | Answer) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.released = threading.Event()
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        handler = type("Handler", (BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
        handler.do_POST = lambda request: self._answer(request)  # noqa: PLW0108 - bound late  # type: ignore[attr-defined]
        handler.do_GET = handler.do_POST  # type: ignore[attr-defined]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def _answer(self, request: Any) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        with self._arrived:
            self.requests.append((dict(request.headers), body))
            self._arrived.notify_all()
        with self._lock:
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if callable(answer):
            answer(self, request)
            return
        status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, "{}")
        request.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(text.encode())

    def wait_for(self, count: int, timeout: float = 20.0) -> None:
        """Until so many requests have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, timeout)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def hang(server: ScriptedServer, _: BaseHTTPRequestHandler) -> None:
    """Answer nothing until the test is over."""
    server.released.wait(60)


def reset(_: ScriptedServer, request: BaseHTTPRequestHandler) -> None:
    """Cut the connection."""
    request.connection.close()
