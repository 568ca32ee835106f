"""Keeping house: what every process that delivers does every few seconds for all of them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from zelto_agents._adopt import adopt
from zelto_agents._telemetry import Telemetry
from zelto_agents._trouble import Trouble
from zelto_agents.outbox import Gatekeeper, Outbox
from zelto_agents.settings import Settings

__all__ = ["House", "guarded"]

logger = logging.getLogger("zelto_agents")

MAINTAIN_EVERY = 60.0


@contextlib.contextmanager
def guarded(trouble: Trouble, what: str) -> Iterator[None]:
    """Our own faults stay ours; they are said once in a while."""
    try:
        yield
    except Exception as fault:  # noqa: BLE001 - our own faults stay ours
        trouble.problem(
            what,
            "%s failed inside zelto-agents (%s); the agent is not affected",
            what,
            type(fault).__name__,
        )


class House:
    """Looks after an outbox.

    Args:
        outbox: the one.
        settings: base URL, and how long what is kept.
        gatekeeper: what this process can send with.
    """

    def __init__(self, outbox: Outbox, settings: Settings, gatekeeper: Gatekeeper) -> None:
        self.telemetry = Telemetry()
        self._outbox = outbox
        self._settings = settings
        self._gatekeeper = gatekeeper
        self._base_url = (settings.base_url or "") if settings.api_key else ""
        self._next_maintenance = 0.0

    def look(self) -> tuple[bool, int]:
        """Be known to live, and take over from the dead; the one that leads also keeps order.

        To be called at least twice within the lease of a process.

        Returns:
            Whether this process leads, and how many calls it adopted.
        """
        now = time.time()
        self._outbox.beat(now=now)
        adopted = adopt(self._outbox, self._settings, now)
        self.telemetry.adopted(adopted)
        leads = self._outbox.lead(self._base_url, now=now, gatekeeper=self._gatekeeper)
        shown = leads and self.telemetry.active
        self.telemetry.stats = self._outbox.stats() if shown else None
        if leads:
            self._maintain(now)
        return leads, adopted

    def _maintain(self, now: float) -> None:
        settings = self._settings
        if (
            settings.retain
            and self._next_maintenance - MAINTAIN_EVERY <= now < self._next_maintenance
        ):
            return
        self._next_maintenance = now + MAINTAIN_EVERY
        if self._base_url:
            self._outbox.readdress(self._base_url, now=now)
        expired = self._outbox.maintain(now=now, retain=settings.retain, max_age=settings.max_age)
        if expired:
            logger.error(
                "%d deliveries waited longer than ZELTO_MAX_AGE and are dead letters now", expired
            )

    def close(self) -> None:
        """Tell nothing any more, and leave nothing that was not to be kept."""
        self.telemetry.stats = None
        if not self._settings.retain:
            self._maintain(time.time())

    def due_in(self, otherwise: float) -> float:
        """Seconds until the next delivery is due; ``otherwise`` when none waits."""
        due_at = self._outbox.next_due(self._base_url, gatekeeper=self._gatekeeper)
        return otherwise if due_at is None else due_at - time.time()
