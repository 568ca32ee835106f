"""The outbox: the durable store of documents that are not yet safe at Zelto.

``Outbox`` is what an engine has to do; ``SqliteOutbox`` does it in one file on a local disk.
Each method is one transaction. An instance belongs to one thread; processes share the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from zelto_agents.contract import NATIVE_PROVIDERS
from zelto_agents.fold import merged

__all__ = [
    "Claim",
    "Delivery",
    "Gatekeeper",
    "HeldFor",
    "Outbox",
    "OutboxError",
    "OutboxFullError",
    "Outcome",
    "State",
]

State = Literal["due", "held", "dead", "sent", "awaited"]
"""``awaited``: an enrichment is here, its document is not (yet)."""

HeldFor = Literal["key", "agent"]


class OutboxError(Exception):
    """The outbox cannot do what was asked; the text says what was wrong and what to do."""


class OutboxFullError(OutboxError):
    """The outbox holds as much as it may; what it holds can still be delivered."""


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """What this process can send with: held deliveries that lack just that are claimed again.

    ``key_mark`` is a short hash that tells keys apart and gives none away; None without a key.
    """

    key_mark: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a claim ends: the next state, when it is due again, and what was seen."""

    state: State
    due_at: float = 0.0
    status: int | None = None
    details: str = ""
    held_for: HeldFor | None = None
    key_mark: str | None = None


@dataclass(frozen=True, slots=True)
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


class Outbox(Protocol):
    """What the delivery thread needs of a store. Every method may raise ``OutboxError``."""

    def put(
        self,
        base_url: str,
        external_id: str,
        document: bytes,
        *,
        provider: str,
        now: float,
        due_at: float = 0.0,
        held_for: HeldFor | None = None,
    ) -> int:
        """Make a document durable as the newest revision, whose number is returned."""
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
        """Take what is due, the oldest first; with ``external_id`` that one, due or not."""
        ...

    def settle(self, claim: Claim, outcome: Outcome, *, now: float) -> bool:
        """End a claim; False when the lease was lost, and nothing changes then.

        A revision newer than the claim's stays due, whatever became of the older one.
        """
        ...

    def hurry(self, base_url: str) -> None:
        """Make everything that waits due now, held or backed off."""
        ...

    def next_due(self, base_url: str) -> float | None:
        """When the next waiting delivery is due or comes free, or None without one."""
        ...

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """All deliveries, the oldest first, without their documents."""
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
