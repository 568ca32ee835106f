"""The delivery thread: the only place of a process where the outbox and the network are touched.

The host's side appends to a queue and wakes the thread. Everything that may take time or fail
happens here: redaction, folding, validation, writing, sending.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import ClassVar

import anyio
from anyio.from_thread import BlockingPortal

from zelto_agents._drain import Trouble
from zelto_agents._work import Flush, Item, Work
from zelto_agents.settings import Settings

__all__ = ["Delivery"]

logger = logging.getLogger("zelto_agents")

FACTS_MAX = 100_000
STOP_WAIT = 0.2
_INHERITED: list[object] = []


class Delivery:
    """One thread; it starts with the first thing handed over, never earlier.

    Nothing raises into the caller. The thread is a daemon: it never keeps a process alive.

    Args:
        settings: what to send with and where to keep.
    """

    _all: ClassVar[dict[Settings, Delivery]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: Settings) -> None:
        self.hosts: dict[str, str] = {}
        """Names and versions of the frameworks, for the ``User-Agent``."""
        self.announced = False
        """Whether what is wrong with the settings has been said."""
        self._settings = settings
        self._trouble = Trouble()
        self._reset()

    @classmethod
    def shared(cls, settings: Settings) -> Delivery:
        """The one of this process for these settings: however many clients, one thread."""
        with cls._guard:
            return cls._all.setdefault(settings, cls(settings))

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._portal: BlockingPortal | None = None
        self._work: Work | None = None
        self._signalled = False
        self._stopping = False
        self._users = 0
        self._budget_spent_at = float("-inf")

    def hand_over(self, item: Item, *, urgent: bool = True) -> None:
        """Queue something for the thread; no I/O, microseconds.

        Args:
            item: what to take in.
            urgent: whether to wake the thread, which costs the host ten times the queueing; what
                is not urgent is taken in with the next thing that is, or within seconds.
        """
        if self._pid != os.getpid():
            # A fork inherits neither the thread nor the right to touch its SQLite connection.
            _INHERITED.append(self._work)
            self._reset()
        if len(self._items) >= FACTS_MAX:
            self._trouble.say(logging.ERROR, "full", "the delivery thread is stuck; facts are lost")
            return
        self._items.append(item)
        if self._thread is None:
            self._start()
        elif urgent and not self._signalled:
            self._signalled = True
            self._signal()

    def flush(self) -> Future[bool]:
        """Done when all that was handed over is durable and was tried once.

        The result is True if nothing of it still waits.
        """
        done: Future[bool] = Future()
        if self._thread is None and not self._items:
            done.set_result(True)
        else:
            self.hand_over(Flush(done))
        return done

    def wait(self, timeout: float) -> bool:
        """``flush``, waiting for at most so many seconds."""
        try:
            return self.flush().result(timeout)
        except (TimeoutError, CancelledError):
            self.overran()
            return False

    def overran(self) -> None:
        """Somebody waited for a flush in vain; the end of the process need not do so again."""
        self._budget_spent_at = time.monotonic()

    def join(self) -> None:
        """One client more."""
        with self._lock:
            self._users += 1

    def leave(self, budget: float) -> None:
        """One client less; with the last one, flush and end the thread within the budget."""
        with self._lock:
            self._users -= 1
            last = self._users <= 0
        if last:
            self.close(budget)

    def close(self, budget: float) -> None:
        """Flush and end the thread within so many seconds; a later call starts it again."""
        started = time.monotonic()
        if started - self._budget_spent_at < 2 * budget:
            budget = 0.0
        self.wait(budget)
        thread = self._thread
        if thread is not None:
            self._stopping = True
            self._signal()
            thread.join(max(STOP_WAIT, budget - (time.monotonic() - started)))

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(
                    target=self._run, name="zelto-delivery", daemon=True
                )
                self._thread.start()
        with self._guard:
            _close_at_exit()

    def _signal(self) -> None:
        # Without a portal the thread is about to look by itself.
        portal = self._portal
        if portal is not None:
            with contextlib.suppress(RuntimeError):
                portal.start_task_soon(self._wake)

    def _run(self) -> None:
        try:
            anyio.run(self._main)
        except BaseException as fault:  # noqa: BLE001 - the last guard between us and the host
            logger.error("the delivery thread ended (%s)", type(fault).__name__)
        finally:
            self._portal = None
            self._signalled = False
            self._thread = None
            if self._items:
                self._start()

    async def _main(self) -> None:
        async with BlockingPortal() as portal:
            self._woken = anyio.Event()
            self._portal = portal
            self._work = work = Work(self._settings, self.hosts, self._trouble, self._wake)
            try:
                async with anyio.create_task_group() as group:
                    work.group = group
                    await self._loop(work)
                    group.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    await work.aclose()

    async def _loop(self, work: Work) -> None:
        while True:
            self._woken = anyio.Event()
            self._signalled = False
            while self._items:
                work.take(self._items.popleft())
            work.commit()
            if self._stopping:
                return
            with anyio.move_on_after(work.keep_house()):
                await self._woken.wait()

    def _wake(self) -> None:
        self._woken.set()


@functools.cache
def _close_at_exit() -> None:
    """Close every thread at the end of the process, once registered.

    ``atexit`` comes too late: by then Python refuses the threads that look host names up. What is
    registered after ``concurrent.futures`` in the same place runs before it refuses them.
    """
    import concurrent.futures.thread  # noqa: F401 - registers first

    def close_all() -> None:
        for settings, delivery in list(Delivery._all.items()):  # noqa: SLF001
            delivery.close(settings.shutdown_budget)

    register: Callable[[Callable[[], None]], object] | None
    register = getattr(threading, "_register_atexit", None)
    if register is None:
        import atexit

        register = atexit.register
    register(close_all)
