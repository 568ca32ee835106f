"""The outbox: the durable store of what is not yet safe at Zelto.

It holds deliveries (finished documents on their way) and the journals of live calls. ``Outbox`` is
what an engine has to do. ``SqliteOutbox`` does it in one file on a local disk, ``PostgresOutbox``
for hosts whose disks vanish; both run the same statements. ``SteadyOutbox`` puts engines behind one
another, so that there is always one. Each method is one transaction; an instance belongs to one
thread, and processes share the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol

from zelto_agents._frozen import frozen
from zelto_agents.contract import NATIVE_PROVIDERS
from zelto_agents.fold import merged
from zelto_agents.policy import Away

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

PendingState = Literal["waiting", "found", "failed"]
State = Literal["live", "due", "held", "dead", "sent", "awaited", "skipped"]
"""``live``: only a journal so far. ``awaited``: an enrichment is here, its document is not (yet).

``held`` waits for an agent to be named, or, with all others that are due, for another key.
``skipped``: the host's filter does not want the call; nothing of it is kept or sent.
"""


class OutboxError(Exception):
    """The outbox cannot do what was asked; the text says what was wrong and what to do."""


class OutboxFullError(OutboxError):
    """The outbox holds as much as it may; what it holds can still be delivered."""


@frozen
class Gatekeeper:
    """What this process can send with.

    ``key_mark`` is a short hash that tells keys apart and gives none away; None without a key.
    """

    key_mark: str | None = None
    agent_id: str | None = None


@frozen
class Gate:
    """Whether a base URL takes anything, as all processes together found out.

    Closed until ``closed_until``; after that, one probe at a time finds out. A key that differs
    from the refused one, ``key_mark``, passes. Times in seconds since the epoch.
    """

    away: Away | None = None
    closed_until: float = 0.0
    failures: int = 0
    key_mark: str | None = None


@frozen
class Put:
    """A document to be made durable as the newest revision of its delivery.

    ``journal`` is the live call that this document ends. ``held`` until an agent is named.
    """

    base_url: str
    external_id: str
    document: bytes
    provider: str = "zelto"
    due_at: float = 0.0
    held: bool = False
    journal: str | None = None


@frozen
class Claim:
    """The right to send one revision, until the lease ends or another claim is made.

    ``attempts`` counts them all, this one included; ``failures`` those since the last revision.
    """

    base_url: str
    external_id: str
    provider: str
    revision: int
    fence: int
    attempts: int
    failures: int
    lease_until: float
    document: bytes
    changes: bytes | None = None

    def body(self, agent_id: str | None = None) -> bytes:
        """What goes over the wire: the document with its enrichments.

        Args:
            agent_id: the agent reference of a document that has none.
        """
        if self.changes is None and (agent_id is None or self.provider in NATIVE_PROVIDERS):
            return self.document
        body: Any = json.loads(self.document)
        if not isinstance(body, dict):
            return self.document
        if self.changes is not None:
            body = merged(body, json.loads(self.changes))
        if agent_id and "agent" not in body and "agentId" not in body:
            body["agent"] = {"externalId": agent_id}
        return json.dumps(body, separators=(",", ":")).encode()


@frozen
class Outcome:
    """How a claim ends: the next state, when it is due again, and what was seen.

    ``away`` closes the gate, with ``wait`` for the seconds that the answer asked for. ``unsure``
    says that the request may still be processed, late: a newer revision is then confirmed by one
    more send. ``tried`` is False when the claim is given back unused.
    """

    state: State
    due_at: float = 0.0
    status: int | None = None
    details: str = ""
    away: Away | None = None
    wait: float = 0.0
    key_mark: str | None = None
    unsure: bool = False
    tried: bool = True


@frozen
class Delivery:
    """One delivery as the outbox knows it; times in seconds since the epoch, size in bytes."""

    base_url: str
    external_id: str
    provider: str
    state: State
    revision: int
    attempts: int
    due_at: float
    created_at: float
    updated_at: float
    size: int
    status: int | None
    details: str


@frozen
class Pending:
    """What is awaited of a call, and how to find it; times in seconds since the epoch.

    ``name`` is what it is known by, ``kind`` and ``reference`` how to find it now: a file that
    was uploaded becomes an object. ``details`` says why it has not been found.
    """

    base_url: str
    external_id: str
    name: str
    kind: str
    reference: str
    id: int = 0
    state: PendingState = "waiting"
    due_at: float = 0.0
    lease_until: float = 0.0
    attempts: int = 0
    details: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0


@frozen
class Stats:
    """What an outbox holds: how many in which state, and since when the oldest waits.

    Size in bytes, time in seconds since the epoch.
    """

    counts: Mapping[State, int]
    attempts: int = 0
    size: int = 0
    waiting_since: float | None = None


@frozen
class Orphan:
    """The journal of a call whose process is gone; ``seen_at`` is when it was last known alive."""

    journal: str
    base_url: str
    external_id: str
    seen_at: float
    facts: Sequence[bytes] = field(repr=False)


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
