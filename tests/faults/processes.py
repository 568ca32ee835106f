"""Processes of one's own, cheaply: a fork server that has everything imported, and the CLI."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

__all__ = ["CLI", "command", "finish", "kill", "preloaded", "start", "watching"]

CLI = str(Path(sys.executable).with_name("zelto-agents"))
# Every process imports the main module of its starter anew: what that imports has to be there.
_PRELOADED = (
    "pytest",
    "zelto_agents.receiver",
    "zelto_agents",
    "zelto_agents._work",
    "anyio._backends._asyncio",
    "httpx",
    "sqlite3",
)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(_PRELOADED))
# ``multiprocessing`` looks after all children whenever one starts: one thread at a time.
_lock = threading.Lock()
_ROOT = Path(__file__).parents[2]
# The fork server does not take over where its starter looks for modules.
_FOLDERS = (str(_ROOT / "tests"), str(_ROOT / "examples" / "worker"))


@contextlib.contextmanager
def preloaded(*modules: str) -> Iterator[None]:
    """A fork server that has these imported as well, and before all others.

    At both ends of the ``with`` block no process of ``start`` may be under way.
    """
    if not modules:
        yield
        return
    _anew(*modules, *_PRELOADED)
    known = dict(os.environ)
    os.environ |= {"PYTHONPATH": os.pathsep.join(_FOLDERS), "LOGURU_LEVEL": "ERROR"}
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ |= known
    try:
        yield
    finally:
        _anew(*_PRELOADED)


def _anew(*modules: str) -> None:
    """Whoever starts a process next begins another fork server, which has these imported."""
    with _lock:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        _context.set_forkserver_preload(list(modules))


def start(target: Callable[..., None], *arguments: object, **named: object) -> ForkServerProcess:
    """A process of its own, forked from a server that has ``zelto_agents`` imported."""
    with _lock:
        process = _context.Process(target=target, args=arguments, kwargs=named, daemon=True)
        process.start()
        return process


def finish(process: ForkServerProcess, timeout: float = 60.0) -> int:
    """Wait for the end of a process; its exit code, or minus the signal that ended it.

    Raises:
        TimeoutError: it did not end in time; it is killed.
    """
    ended = wait([process.sentinel], timeout)
    with _lock:
        if not ended:
            process.kill()
        process.join()
        code = process.exitcode
        process.close()
    if not ended:
        raise TimeoutError(f"a process did not end within {timeout} s")
    return code if code is not None else 255


def kill(process: ForkServerProcess | subprocess.Popen[str], which: signal.Signals) -> None:
    """A real signal; a process that has just ended is left alone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid or 0, which)


def command(*arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """``zelto-agents`` with these arguments and no other ``ZELTO_`` variables than these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZELTO_")}
    return subprocess.Popen(
        [CLI, *arguments],
        env={**clean, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def watching(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """``zelto-agents drain --watch`` for the length of a ``with`` block; SIGTERM ends it."""
    process = command("drain", "--watch", "--json", environment=environment)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        yield process
        if process.poll() is not None:
            out, complaint = process.communicate()
            raise AssertionError(f"drain --watch ended by itself: {out}{complaint}")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
