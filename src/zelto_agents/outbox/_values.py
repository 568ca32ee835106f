"""What goes into an outbox and comes out of it, and how it says that it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

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
