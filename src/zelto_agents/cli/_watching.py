"""``drain --watch``: the watch with its signals, and its health as a file and over HTTP."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import typer

from zelto_agents.cli._start import failure

if TYPE_CHECKING:
    from zelto_agents._watch import Health, Watch
    from zelto_agents.settings import Settings

__all__ = ["run"]

logger = logging.getLogger("zelto_agents")

_STOP = {signal.SIGINT, signal.SIGTERM}
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def run(
    settings: Settings, file: Path | None, host: str, port: int | None, *, as_json: bool
) -> None:
    """Watch the outbox until SIGTERM or Ctrl-C.

    Raises:
        typer.Exit: the health file or port cannot be used.
    """
    from zelto_agents._watch import Watch

    # Blocked before any thread starts, so that sigwait alone gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    logging.basicConfig(format=_FORMAT, level=logging.WARNING)
    logger.setLevel(logging.INFO)
    watch = Watch(settings, on_round=lambda health: _touch(file, health))
    with _file_for(file), _healthz(watch, host, port) as url:
        watch.start()
        _say(settings, url, as_json=as_json)
        signal.sigwait(_STOP)
        if not watch.stop():
            logger.warning("it did not end in time; what it had claimed comes free by itself")
        logger.info("stopped: %d were sent", watch.tally.sent)


def _say(settings: Settings, url: str | None, *, as_json: bool) -> None:
    if as_json:
        start = {"base_url": settings.base_url, "health": url}
        typer.echo(json.dumps({"watching": _place(settings), **start}))
        return
    logger.info("watching %s for %s", _place(settings), settings.base_url)
    if url is not None:
        logger.info("health: %s", url)


def _place(settings: Settings) -> str:
    return str(settings.outbox) if settings.postgres is None else "the database of ZELTO_OUTBOX"


@contextlib.contextmanager
def _file_for(file: Path | None) -> Iterator[None]:
    """No health file at the start, left by one that was killed, and none at the end."""
    if file is None:
        yield
        return
    try:
        file.touch()
        file.unlink()
    except OSError as fault:
        raise failure("drain", f"--health-file {file} cannot be written: {fault}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _touch(file: Path | None, health: Health) -> None:
    if file is not None and health.ok:
        with contextlib.suppress(OSError):  # its age says so
            file.touch()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Without asking the resolver for the host's name, as ``HTTPServer`` would."""
        TCPServer.server_bind(self)


@contextlib.contextmanager
def _healthz(watch: Watch, host: str, port: int | None) -> Iterator[str | None]:
    """``/healthz`` for the length of a ``with`` block; its URL, or None without a port."""
    if port is None:
        yield None
        return
    try:
        server = _Server((host, port), _handler(watch))
    except OSError as fault:
        text = f"--health-host {host}, --health-port {port}: {fault.strerror or fault}"
        raise failure("drain", text) from None
    Thread(target=server.serve_forever, args=(0.1,), name="zelto-health", daemon=True).start()
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{server.server_address[1]}/healthz"
    finally:
        server.shutdown()
        server.server_close()


def _handler(watch: Watch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            status, body = (
                _answer(watch) if self.path == "/healthz" else (404, {"error": "/healthz"})
            )
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """A probe every few seconds is no news."""

    return Handler


def _answer(watch: Watch) -> tuple[int, dict[str, Any]]:
    health = watch.health()
    known = {"waiting": health.waiting, "oldest_waiting_s": round(health.oldest_waiting, 1)}
    if health.ok:
        return 200, {"status": "ok", **known}
    return 503, {"status": "failing", "reason": health.reason, **known}
