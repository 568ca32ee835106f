"""The delivery thread: the only place of a process where the outbox and the network are touched.

The host's side appends to a queue and wakes the thread. Everything that may take time or fail
happens here: redaction, folding, validation, writing, sending.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future

import anyio
from anyio.from_thread import BlockingPortal

from zelto_agents._drain import Trouble
from zelto_agents._work import Flush, Item, Work
from zelto_agents.settings import Settings

__all__ = ["Delivery"]

logger = logging.getLogger("zelto_agents")

FACTS_MAX = 100_000
_INHERITED: list[object] = []


class Delivery:
    """The thread of one ``Zelto``; it starts with the first thing handed over, never earlier.

    Nothing raises into the caller. The thread is a daemon: it never keeps a process alive.

    Args:
        settings: what to send with and where to keep.
        hosts: names and versions of the frameworks, for the ``User-Agent``.
    """

    def __init__(self, settings: Settings, hosts: Mapping[str, str]) -> None:
        self._settings = settings
        self._hosts = hosts
        self._trouble = Trouble()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._portal: BlockingPortal | None = None
        self._work: Work | None = None
        self._signalled = False
        self._stopping = False

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

    def stop(self, timeout: float) -> None:
        """End the thread, waiting for it at most so many seconds; what is queued stays durable."""
        thread = self._thread
        if thread is None:
            return
        self._stopping = True
        self._signal()
        thread.join(timeout)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(
                    target=self._run, name="zelto-delivery", daemon=True
                )
                self._thread.start()

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
            self._work = work = Work(self._settings, self._hosts, self._trouble, self._wake)
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
