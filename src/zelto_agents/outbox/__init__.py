"""The outbox: the durable store of what is not yet safe at Zelto.

It holds deliveries (finished documents on their way) and the journals of live calls. ``Outbox`` is
what an engine has to do. ``SqliteOutbox`` does it in one file on a local disk, ``PostgresOutbox``
for hosts whose disks vanish; both run the same statements. ``SteadyOutbox`` puts engines behind one
another, so that there is always one. Each method is one transaction; an instance belongs to one
thread, and processes share the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from zelto_agents.outbox._values import (
    Claim,
    Delivery,
    Gate,
    Gatekeeper,
    Orphan,
    OutboxError,
    OutboxFullError,
    Outcome,
    Pending,
    PendingState,
    Put,
    State,
    Stats,
)

__all__ = [
    "Claim",
    "Delivery",
    "Gate",
    "Gatekeeper",
    "Orphan",
    "Outbox",
    "OutboxError",
    "OutboxFullError",
    "Outcome",
    "Pending",
    "PendingState",
    "Put",
    "State",
    "Stats",
]


class Outbox(Protocol):
    """What the delivery thread needs of a store. Every method may raise ``OutboxError``."""

    def put(self, put: Put, *, now: float) -> int:
        """Make a document durable, and drop the journal that it ends; the number of its revision.

        Enrichments that came before it are merged when it is claimed.
        """
        ...

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> int:
        """Merge changes into the newest revision, or keep them until its document comes.

        Returns:
            The revision that holds them; 0 while there is no document.
        """
        ...

    def claim(
        self,
        base_url: str,
        *,
        now: float,
        lease: float,
        limit: int = 1,
        gatekeeper: Gatekeeper,
        external_id: str | None = None,
    ) -> list[Claim]:
        """Take what is due, the oldest first; with ``external_id`` that one, due or not.

        Nothing while the gate is closed, and then one, as the probe.
        """
        ...

    def skip(self, base_url: str, external_id: str, journal: str, *, now: float) -> None:
        """Keep only that this call is not wanted, and drop its journal; a ``put`` of it is none."""
        ...

    def expect(self, awaited: Pending, *, now: float, live: bool = False) -> bool:
        """Remember that this is awaited; not for a call that is skipped.

        Args:
            awaited: what, and how to find it.
            now: seconds since the epoch.
            live: nobody looks for it until this is called again without, or the process is gone.

        Returns:
            Whether somebody is to look for it now for the first time.
        """
        ...

    def claim_pending(
        self, base_url: str, *, now: float, lease: float, limit: int = 1
    ) -> list[Pending]:
        """Take what is to be looked for now; found URLs too, that may expire before they arrive."""
        ...

    def settle_pending(self, outcome: Pending, *, now: float) -> bool:
        """Note what became of it; False if the lease was lost."""
        ...

    def pending(self) -> list[Pending]:
        """All that is awaited or was given up, the oldest first."""
        ...

    def settle(self, results: Sequence[tuple[Claim, Outcome]], *, now: float) -> list[bool]:
        """End claims; False for one whose lease was lost: its outcome is not noted.

        A revision newer than the claim's stays due, whatever became of the older one.
        """
        ...

    def journal(
        self, call: str, base_url: str, external_id: str, facts: Sequence[bytes], *, now: float
    ) -> None:
        """Append what is new of a live call's facts, of which all are given, to its journal."""
        ...

    def beat(self, *, now: float) -> None:
        """Renew this process's lease on its live calls."""
        ...

    def orphans(self, *, now: float, limit: int = 10) -> list[Orphan]:
        """Take over what processes left that are gone, and give what is to be adopted of it.

        Their claims come free as well.
        """
        ...

    def adopt(self, put: Put, *, seen_at: float, now: float) -> int:
        """Put the document of an orphan, and drop its journal; the revision.

        0 if its process came back, or had put a document after ``seen_at``.
        """
        ...

    def lead(self, base_url: str, *, now: float, gatekeeper: Gatekeeper) -> bool:
        """Whether this process is the one that sweeps for all; held for a few missed beats."""
        ...

    def gate(self, base_url: str) -> Gate:
        """What is known of the base URL."""
        ...

    def hurry(self, base_url: str, *, now: float) -> None:
        """Open the gate, and make everything that waits due now."""
        ...

    def next_due(self, base_url: str, *, gatekeeper: Gatekeeper) -> float | None:
        """When the next waiting delivery is due or comes free, or None without one."""
        ...

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """All deliveries and live calls, the oldest first, without their documents."""
        ...

    def stats(self) -> Stats:
        """What it holds, in figures."""
        ...

    def readdress(self, base_url: str, *, now: float) -> int:
        """Give this base URL to deliveries that were put without one, or that met no API there.

        Returns:
            How many.
        """
        ...

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """Purge what was sent ``retain`` seconds ago; what waited ``max_age`` becomes dead.

        Returns:
            How many became dead letters.
        """
        ...

    def close(self) -> None:
        """Release the store."""
        ...
