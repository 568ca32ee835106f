"""The delivery thread: the only place of a process where the outbox and the network are touched.

The host's side appends to a queue and wakes the thread. Everything that may take time or fail
happens here: redaction, folding, validation, writing, sending.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, MutableMapping
from concurrent.futures import CancelledError, Future
from typing import Any, ClassVar, Literal

import anyio
import anyio.to_thread

from zelto_agents._items import Flush, Item, Leaving, Sound
from zelto_agents._open import open_outbox
from zelto_agents._trouble import Trouble
from zelto_agents._work import Work
from zelto_agents.outbox.steady import SteadyOutbox
from zelto_agents.settings import Settings

__all__ = ["Delivery", "Haste"]

Haste = Literal["now", "soon", "later"]

logger = logging.getLogger("zelto_agents")

QUEUED = 100_000
# Bytes of audio: some ten minutes of twenty calls, or an hour that is handed over at once.
SOUND_QUEUED = 512 * 1024 * 1024
STOP_WAIT = 0.2
RESTART_AFTER = 5.0
# What comes alone is taken in at once; what follows within so long, together.
TICK = 0.1
_INHERITED: list[object] = []


class Delivery:
    """One thread; it starts with the first thing handed over, never earlier.

    Nothing raises into the caller. The thread is a daemon: it never keeps a process alive.

    Args:
        settings: what to send with and where to keep.
    """

    _shared: ClassVar[MutableMapping[Settings, Delivery]] = weakref.WeakValueDictionary()
    _running: ClassVar[set[Delivery]] = set()
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: Settings) -> None:
        self.hosts: dict[str, str] = {}
        """Names and versions of the frameworks, for the ``User-Agent``."""
        self.announced = False
        """Whether what is wrong with the settings has been said."""
        self.clients: weakref.WeakSet[object] = weakref.WeakSet()
        """Who has not closed yet; the thread ends with the last one."""
        self._settings = settings
        self._trouble = Trouble()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._round: asyncio.Future[None]
        self._round_at = float("-inf")
        self._tick: asyncio.TimerHandle | None = None
        self._items: deque[Item] = deque()
        self._sound = 0  # bytes that are not on disk yet
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: SteadyOutbox = open_outbox(self._settings, self._trouble)
        self._signalled = self._hurried = False
        self._stopping = False
        self._not_before = 0.0
        self._waited: tuple[float, float] = (float("-inf"), 0.0)

    @classmethod
    def shared(cls, settings: Settings) -> Delivery:
        """The one of this process for these settings: however many clients, one thread."""
        with cls._guard:
            known = cls._shared.get(settings)
            if known is None:
                known = cls._shared[settings] = cls(settings)
            return known

    def hand_over(self, item: Item, *, haste: Haste = "now") -> None:
        """Queue something for the thread; no I/O, microseconds.

        Args:
            item: what to take in.
            haste: whether to take it in at once, within a tenth of a second, or with whatever
                comes next, within seconds: each time the thread wakes costs a millisecond.
        """
        if self._pid != os.getpid():
            # A fork inherits neither the thread nor the right to touch its SQLite connection.
            _INHERITED.append(self._outbox)
            self._reset()
        if len(self._items) >= QUEUED:
            self._trouble.say(logging.ERROR, "full", "the delivery thread is stuck; facts are lost")
            return
        self._items.append(item)
        if self._thread is None:
            self._start()
        elif haste == "now" and not self._hurried:
            self._signalled = self._hurried = True
            self._signal(self._hurry)
        elif haste == "soon" and not self._signalled:
            self._signalled = True
            self._signal(self._wake)

    def hand_over_sound(self, sound: Sound) -> None:
        """Queue audio, as far as there is room for it: calls come before their recordings."""
        size = len(sound.samples)
        if self._sound + size > SOUND_QUEUED or len(self._items) >= QUEUED // 2:
            self._trouble.say(
                logging.ERROR,
                "sound",
                "the disk is too slow for a call's audio: some of it is left out of the recording",
            )
            return
        with self._lock:
            self._sound += size
        self.hand_over(sound, haste="soon")

    def flush(self) -> Future[bool]:
        """Done when all that was handed over is durable and was tried once.

        The result is True if all of it has arrived.
        """
        done: Future[bool] = Future()
        if self._pid != os.getpid() or (self._thread is None and not self._items):
            done.set_result(True)
        else:
            self.hand_over(Flush(done))
        return done

    def wait(self, timeout: float) -> bool:
        """``flush``, waiting for at most so many seconds."""
        try:
            return self.flush().result(timeout)
        except (TimeoutError, CancelledError):
            self.waited(timeout)
            return False

    def waited(self, seconds: float) -> None:
        """Somebody waited so long in vain; the end of the process waits so much less."""
        self._waited = (time.monotonic(), seconds)

    def close(self, budget: float) -> None:
        """Flush and end the thread within so many seconds; a later call starts it again."""
        started = time.monotonic()
        when, seconds = self._waited
        if started - when < 2 * budget:
            budget = max(0.0, budget - seconds)
        if self._thread is None and self._items and self._pid == os.getpid():
            self._not_before = 0.0  # the thread failed a moment ago; this is its last chance
            self._start()
        self.wait(budget)
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            self._stopping = True
            self._signal(self._hurry)
            thread.join(max(STOP_WAIT, budget - (time.monotonic() - started)))

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or time.monotonic() < self._not_before:
                return
            self._stopping = False
            thread = threading.Thread(target=self._run, name="zelto-delivery", daemon=True)
            try:
                with self._guard:
                    _close_at_exit()
                    self._running.add(self)
                thread.start()
            except RuntimeError as fault:
                self._not_before = time.monotonic() + RESTART_AFTER
                self._trouble.say(logging.ERROR, "start", "no delivery thread can start: %s", fault)
            else:
                self._thread = thread

    def _signal(self, wake: Callable[[], None]) -> None:
        # Without a loop the thread is about to look by itself.
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

    def _run(self) -> None:
        failed = False
        try:
            anyio.run(self._main)
        except BaseException as fault:  # noqa: BLE001 - the last guard between us and the host
            failed = True
            self._trouble.say(
                logging.ERROR, "run", "the delivery thread ended (%s)", type(fault).__name__
            )
        with self._lock:
            self._loop = None
            self._signalled = self._hurried = False
            self._thread = None
            if failed:
                self._not_before = time.monotonic() + RESTART_AFTER
        with self._guard:
            if not self._items:
                self._running.discard(self)
        if self._items:
            self._start()

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        self._round, self._tick = loop.create_future(), None
        self._loop = loop
        # asyncio's own executor is joined at the end of the process, however slow the resolver is.
        loop.getaddrinfo = _getaddrinfo  # type: ignore[method-assign]
        work = Work(self._settings, self._outbox, self.hosts, self._trouble, self._hurry)
        work.recordings.on_written = self._on_written
        try:
            async with anyio.create_task_group() as group:
                work.run_in(group)
                await self._serve(work)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await work.aclose()

    async def _serve(self, work: Work) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._round = loop.create_future()
            # Before the queue is emptied: what comes after this wakes us again.
            self._signalled = self._hurried = False
            while self._items:
                work.take(self._items.popleft())
            work.commit()
            if self._stopping:
                return
            house = loop.call_later(max(0.0, work.keep_house()), self._hurry)
            # From the end on: a slow disk must leave time for what is sent.
            self._round_at = loop.time()
            await self._round
            house.cancel()
            if self._tick is not None:
                self._tick.cancel()

    def _on_written(self, size: int) -> None:
        with self._lock:
            self._sound = max(0, self._sound - size)

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._round_at + TICK - loop.time()
        if wait <= 0:
            self._hurry()
        else:  # no task wakes for this: that alone costs as much as what it would do
            self._tick = loop.call_later(wait, self._hurry)

    def _hurry(self) -> None:
        if not self._round.done():
            self._round.set_result(None)


async def _getaddrinfo(*args: Any, **kwargs: Any) -> Any:
    """Look a host name up in a daemon thread, which the end of the process does not wait for."""
    look_up = functools.partial(socket.getaddrinfo, *args, **kwargs)
    return await anyio.to_thread.run_sync(look_up, abandon_on_cancel=True)


@functools.cache
def _close_at_exit() -> None:
    """Close every thread at the end of the process, once registered.

    ``atexit`` comes too late: by then Python refuses the threads that look host names up. What is
    registered after ``concurrent.futures`` in the same place runs before it refuses them.
    """
    import concurrent.futures.thread  # noqa: F401 - registers first

    def close_all() -> None:
        started = time.monotonic()
        for delivery in list(Delivery._running):  # noqa: SLF001
            if delivery._thread is not None:  # noqa: SLF001
                delivery.hand_over(Leaving())
            budget = delivery._settings.shutdown_budget  # noqa: SLF001
            delivery.close(max(0.0, budget - (time.monotonic() - started)))

    register: Callable[[Callable[[], None]], object] | None
    register = getattr(threading, "_register_atexit", None)
    if register is None:
        import atexit

        register = atexit.register
    register(close_all)
