"""Watching an outbox: what others leave in it is delivered, for as long as this runs.

For a process that has no calls of its own: a sidecar, or a worker's main process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import anyio

from zelto_agents._delivery import _getaddrinfo
from zelto_agents._drain import Drainer
from zelto_agents._enrich import Enricher
from zelto_agents._frozen import frozen
from zelto_agents._house import House, guarded
from zelto_agents._open import open_outbox
from zelto_agents._trouble import Tally, Trouble
from zelto_agents.outbox import Claim, Stats
from zelto_agents.outbox.steady import SteadyOutbox
from zelto_agents.policy import Verdict
from zelto_agents.settings import Settings

__all__ = ["STOP_WITHIN", "Health", "Watch"]

logger = logging.getLogger("zelto_agents")

LOOK_EVERY = 5.0
BREATH = 0.1
# Nothing could be tried although something is due: another process has it.
IDLE = 1.0
RESTART_AFTER = 5.0
STOP_WITHIN = 2.0
# Of this, what is under way has so long to end by itself.
GRACE = 1.5
STALE_AFTER = 30.0


@frozen
class Health:
    """Whether the outbox is watched, or why not; what waits in it, and for how many seconds."""

    ok: bool
    reason: str = ""
    waiting: int = 0
    oldest_waiting: float = 0.0


@frozen
class _Seen:
    """What a round found, and when, by the monotonic clock."""

    at: float
    stats: Stats
    ill: bool


class _StoppableDrainer(Drainer):
    """A drainer whose sweep ends with what is under way, once it is told to stop."""

    stopped = False

    @property
    def can_send(self) -> bool:
        """See ``Drainer``."""
        return not self.stopped and super().can_send


class Watch:
    """A thread that adopts and delivers what is in an outbox, until it is stopped.

    It sweeps whether it leads or not: it is there for nothing else. Its thread is a daemon, and
    starts again if it should fail; nothing of it raises.

    Args:
        settings: what to send with, and where the outbox is.
        hosts: names and versions of the frameworks, for the ``User-Agent``.
        on_round: is told, in the thread, after each look at the outbox.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        hosts: Mapping[str, str] | None = None,
        on_round: Callable[[Health], None] = lambda _: None,
    ) -> None:
        self.tally = Tally()
        self._settings = settings
        self._hosts = hosts
        self._on_round = on_round
        self._trouble = Trouble()
        self._thread = threading.Thread(target=self._run, name="zelto-watch", daemon=True)
        self._ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: SteadyOutbox
        self._drainer: _StoppableDrainer
        self._house: House
        self._enricher: Enricher
        self._woken: anyio.Event
        self._told_to_end: anyio.Event
        self._seen: _Seen | None = None
        self._moved_at = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, budget: float = STOP_WITHIN) -> bool:
        """End what is under way, or cut it off, and release all claims.

        Returns:
            Whether that was done within so many seconds.
        """
        self._ending.set()
        self._signal()
        self._thread.join(budget)
        return not self._thread.is_alive()

    def health(self) -> Health:
        """How it is; from any thread."""
        seen, now = self._seen, time.monotonic()
        if not self._thread.is_alive():
            return Health(ok=False, reason="it does not run")
        if seen is None:
            return Health(ok=False, reason="it has not looked at the outbox yet")
        since = seen.stats.waiting_since
        health = Health(
            ok=True,
            waiting=seen.stats.counts.get("due", 0) + seen.stats.counts.get("held", 0),
            oldest_waiting=0.0 if since is None else max(0.0, time.time() - since),
        )
        if seen.ill:
            return replace(health, ok=False, reason="the outbox cannot be used; the log says why")
        late = now - min(seen.at, self._moved_at)
        if late > STALE_AFTER:
            return replace(health, ok=False, reason=f"the last round was {late:.0f} seconds ago")
        return health

    def _signal(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken.set()
        if self._ending.is_set():
            self._drainer.stopped = True
            self._told_to_end.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                anyio.run(self._main)
            except BaseException as fault:  # noqa: BLE001 - it goes on, whatever it was
                logger.error(
                    "watching the outbox failed (%s); it starts anew", type(fault).__name__
                )
                self._ending.wait(RESTART_AFTER)
            finally:
                self._loop = None

    async def _main(self) -> None:
        self._outbox = open_outbox(self._settings, self._trouble)
        self._drainer = _StoppableDrainer(
            self._outbox,
            self._settings,
            hosts=self._hosts,
            trouble=self._trouble,
            on_verdict=self._on_verdict,
        )
        self._drainer.tally = self.tally
        self._house = House(self._outbox, self._settings, self._drainer.gatekeeper)
        self._enricher = Enricher(
            self._outbox, self._settings, self._trouble, lambda *_: self._woken.set()
        )
        self._woken, self._told_to_end = anyio.Event(), anyio.Event()
        loop = self._loop = asyncio.get_running_loop()
        # Not in a thread of asyncio's own: those are waited for, however slow the resolver is.
        loop.getaddrinfo = _getaddrinfo  # type: ignore[method-assign]
        try:
            async with anyio.create_task_group() as group:
                self._look()
                group.start_soon(self._keep_looking)
                group.start_soon(self._keep_enriching)
                group.start_soon(self._cut_off, group.cancel_scope)
                await self._deliver()
                group.cancel_scope.cancel()
        finally:
            with self._guarded("closing"), anyio.CancelScope(shield=True):
                await self._drainer.aclose()
                await self._enricher.aclose()
            with self._guarded("closing"):
                self._house.close()
            self._outbox.close()

    async def _cut_off(self, scope: anyio.CancelScope) -> None:
        """What does not end by itself in time is cancelled."""
        await self._told_to_end.wait()
        await anyio.sleep(GRACE)
        scope.cancel()

    async def _deliver(self) -> None:
        await self._drainer.warm_up()
        while not self._ending.is_set():
            self._woken = anyio.Event()
            before = self._tried()
            rest = LOOK_EVERY
            with self._guarded("sweeping"):
                await self._drainer.sweep(self._move)
                rest = self._rest(tried=self._tried() != before)
            self._move()
            if not self._ending.is_set():
                with anyio.move_on_after(rest):
                    await self._woken.wait()

    def _rest(self, *, tried: bool) -> float:
        due_in = self._house.due_in(LOOK_EVERY)
        return min(max(due_in, BREATH if tried else IDLE), LOOK_EVERY)

    def _tried(self) -> int:
        tally = self.tally
        return tally.sent + tally.retried + tally.held + tally.dead

    def _move(self) -> None:
        self._moved_at = time.monotonic()

    async def _keep_looking(self) -> None:
        """Beside the sweeps, which may take longer than a lease."""
        while True:
            tried = self._tried()
            await anyio.sleep(LOOK_EVERY)
            self._look()
            if self._tried() != tried:
                self._tell()

    async def _keep_enriching(self) -> None:
        """Beside the sweeps, which a long upload must not hold up."""
        while not self._ending.is_set():
            with self._guarded("looking for recordings"):
                await self._enricher.look()
            with anyio.move_on_after(LOOK_EVERY):
                await self._told_to_end.wait()

    def _look(self) -> None:
        """Look after the outbox, and see what waits in it."""
        with self._guarded("keeping house"):
            _, adopted = self._house.look()
            if adopted:
                self._woken.set()
            self._seen = _Seen(time.monotonic(), self._outbox.stats(), ill=self._outbox.ill)
        with self._guarded("telling of a round"):
            self._on_round(self.health())

    def _on_verdict(self, _: Claim, verdict: Verdict) -> None:
        self._house.telemetry.attempted(verdict.action)

    def _tell(self) -> None:
        tally = self.tally
        logger.info(
            "so far: %d sent, %d to be tried again, %d refused with the key, %d dead; %d wait",
            tally.sent,
            tally.retried,
            tally.held,
            tally.dead,
            self.health().waiting,
        )

    def _guarded(self, what: str) -> contextlib.AbstractContextManager[None]:
        return guarded(self._trouble, what)
