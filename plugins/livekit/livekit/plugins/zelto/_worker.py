"""What a worker's main process does for its jobs: it watches the outbox to its own end."""

from __future__ import annotations

import time

import anyio

from zelto_agents._watch import Watch
from zelto_agents.guard import guarded

from .log import logger

__all__ = ["WorkersWatch"]

# Of the shutdown budget, what is cut off at its end has so long to be noted.
_TO_NOTE = 0.5
_WHY = {
    "outage": ": their receiver is down",
    "key": ": the key was refused",
    "base_url": ": the base URL is no ingest API",
}


class WorkersWatch(Watch):
    """A watch that tries everything once more before it ends, within the shutdown budget."""

    _left = 0
    _why = ""

    @guarded
    def end(self) -> None:
        """Back when all was tried, or when the budget is used up."""
        if not self.stop(self._settings.shutdown_budget):
            logger.warning("the outbox is still in use; what was claimed comes free by itself")
        logger.info(
            "stopped watching the outbox: %d sent, %d still wait%s",
            self.tally.sent,
            self._left,
            self._why if self._left else "",
        )

    async def _deliver(self) -> None:
        try:
            await self._deliver_to_the_end()
        finally:
            with self._guarded("counting what waits"):
                self._count()

    def _count(self) -> None:
        counts = self._outbox.stats().counts
        self._left = counts.get("due", 0) + counts.get("held", 0)
        away = self._outbox.gate(self._settings.base_url or "").away
        if not self._drainer.can_send:
            self._why = ": there is no usable key and base URL"
        elif away is not None:
            self._why = _WHY[away]
        elif counts.get("held"):
            self._why = ": no agent is named"
        else:
            self._why = ": no answer so far, or not due yet"

    async def _deliver_to_the_end(self) -> None:
        await super()._deliver()
        self._look()  # the jobs that ended last
        with self._guarded("sweeping"):
            # A folder may vanish together with this process; a database has others to wait for.
            if self._drainer.can_send and self._settings.postgres is None:
                self._outbox.hurry(self._settings.base_url or "", now=time.time())
            await self._drainer.sweep(self._move)

    def _wake(self) -> None:
        """As of any watch, but claims go on until they are cut off."""
        self._woken.set()
        if self._ending.is_set():
            self._told_to_end.set()

    async def _cut_off(self, scope: anyio.CancelScope) -> None:
        await self._told_to_end.wait()
        await anyio.sleep(max(0.0, self._settings.shutdown_budget - _TO_NOTE))
        scope.cancel()
