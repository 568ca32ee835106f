"""Servers on loopback: one that speaks S3, and one whose resources a test writes down."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
BINARY = ROOT / ".tools" / "bin" / "s3-server"
REASON = ROOT / ".tools" / "s3-server.reason"


def missing() -> str | None:
    """Why there is no server that speaks S3; None when there is one."""
    if BINARY.exists():
        return None
    with contextlib.suppress(FileNotFoundError):
        return REASON.read_text().strip()
    return "s3-server is not built: run make servers"


class S3Server:
    """The Versity S3 gateway over a temporary folder, with one key; it can be stopped for a while."""

    def __init__(self) -> None:
        self.key, self.secret = "AKIATESTTESTTESTTEST", secrets.token_hex(20)
        self._folder = Path(tempfile.mkdtemp(prefix="zelto-s3-"))
        for name in ("buckets", "attributes"):
            (self._folder / name).mkdir()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._count = 0
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def environment(self) -> dict[str, str]:
        """What a client is told of it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }

    def new_bucket(self) -> str:
        """The name of an empty bucket."""
        self._count += 1
        name = f"bucket-{self._count}"
        self.folder_of(name).mkdir()
        return name

    def folder_of(self, bucket: str) -> Path:
        """Where the objects of a bucket are files."""
        return self._folder / "buckets" / bucket

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [
                BINARY,
                f"127.0.0.1:{self._port}",
                self._folder / "buckets",
                self._folder / "attributes",
            ],
            env={**os.environ, "S3_KEY": self.key, "S3_SECRET": self.secret},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            log = (self._folder / "log").read_text(errors="replace")
            assert self._process.poll() is None, f"s3-server ended: {log[-2000:]}"
            assert time.monotonic() < deadline, f"s3-server does not listen: {log[-2000:]}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it; what it stores stays."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """It is away."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It is there, and takes connections, but answers nothing."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it, and remove all that it stores."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class Request:
    """What a client asked."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method = handler.command
        path, _, self.query = handler.path.partition("?")
        self.path = unquote(path)
        self.headers = handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


Answer = tuple[int, dict[str, str], bytes]
Resource = Callable[[Request], Answer]


def said(document: object, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode()


class WebServer:
    """A real HTTP server; a test says what its resources answer."""

    def __init__(self, resources: dict[str, Resource | Answer] | None = None) -> None:
        self.resources = resources if resources is not None else {}
        self.requests: list[Request] = []
        handler = type("Handler", (BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
        for method in ("GET", "HEAD", "POST", "PUT"):
            # A function of the class is given the handler; a bound method would not be.
            setattr(handler, f"do_{method}", lambda handler: self._respond(handler))  # noqa: PLW0108
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def _respond(self, handler: Any) -> None:
        request = Request(handler)
        self.requests.append(request)
        found = self.resources.get(request.path, (404, {}, b"{}"))
        status, headers, body = found(request) if callable(found) else found
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if request.method != "HEAD":
            handler.wfile.write(body)

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def free_port() -> int:
    """Out of the range that outgoing connections use: it must be free after a restart too."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
