"""The outbox that is always there: on disk, and in memory while the disk cannot be used."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zelto_agents.outbox import (
    Claim,
    Delivery,
    Gatekeeper,
    HeldFor,
    Outbox,
    OutboxError,
    OutboxFullError,
    Outcome,
)
from zelto_agents.outbox.sqlite import SqliteOutbox

__all__ = ["SteadyOutbox"]

REST = 5.0


class SteadyOutbox:
    """An ``Outbox`` that does not raise: what the disk refuses is kept in memory until it is well.

    Args:
        open_disk: opens the outbox on disk; tried again while it fails.
        complain: is told of each fault.
    """

    def __init__(
        self,
        open_disk: Callable[[], Outbox],
        complain: Callable[[OutboxError], None],
    ) -> None:
        self._open_disk = open_disk
        self._complain = complain
        self._disk: Outbox | None = None
        self._memory: SqliteOutbox | None = None
        self._in_memory: set[tuple[str, str]] = set()
        self._ill_until = float("-inf")

    @contextlib.contextmanager
    def _suffering(self) -> Iterator[None]:
        try:
            yield
        except OutboxError as fault:
            self._suffer(fault)

    def _suffer(self, fault: OutboxError) -> None:
        self._complain(fault)
        if not isinstance(fault, OutboxFullError):
            self._ill_until = time.monotonic() + REST

    def _on_disk(self) -> Outbox | None:
        """The disk, unless it failed a moment ago: each failure may have taken seconds."""
        if time.monotonic() < self._ill_until:
            return None
        if self._disk is None:
            with self._suffering():
                self._disk = self._open_disk()
        return self._disk

    def _of(self, base_url: str, external_id: str) -> Outbox | None:
        """Where a call's older revisions are: its newer ones must not go elsewhere."""
        if (base_url, external_id) in self._in_memory:
            return self._memory
        return self._on_disk()

    def _to_memory(self, base_url: str, external_id: str) -> SqliteOutbox:
        self._memory = self._memory or SqliteOutbox(None)
        self._in_memory.add((base_url, external_id))
        return self._memory

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
        """See ``Outbox.put``; in memory, if the disk refuses."""
        arguments: dict[str, Any] = {
            "provider": provider,
            "now": now,
            "due_at": due_at,
            "held_for": held_for,
        }
        home = self._of(base_url, external_id)
        if home is not None:
            try:
                return home.put(base_url, external_id, document, **arguments)
            except OutboxError as fault:
                self._suffer(fault)
        memory = self._to_memory(base_url, external_id)
        return memory.put(base_url, external_id, document, **arguments)

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> int:
        """See ``Outbox.enrich``; kept in memory until the disk can take it."""
        home = self._of(base_url, external_id)
        if home is not None:
            try:
                return home.enrich(base_url, external_id, changes, now=now)
            except OutboxError as fault:
                self._suffer(fault)
        memory = self._to_memory(base_url, external_id)
        return memory.enrich(base_url, external_id, changes, now=now)

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
        """See ``Outbox.claim``; from the disk first."""
        claims: list[Claim] = []
        for outbox in (self._on_disk(), self._memory):
            if outbox is not None and len(claims) < limit:
                with self._suffering():
                    claims += outbox.claim(
                        base_url,
                        now=now,
                        lease=lease,
                        limit=limit - len(claims),
                        gatekeeper=gatekeeper,
                        external_id=external_id,
                    )
        return claims

    def settle(self, claim: Claim, outcome: Outcome, *, now: float) -> bool:
        """See ``Outbox.settle``; an answer that cannot be noted costs a second, harmless send."""
        home = self._of(claim.base_url, claim.external_id)
        settled = False
        if home is not None:
            with self._suffering():
                settled = home.settle(claim, outcome, now=now)
        return settled

    def hurry(self, base_url: str) -> None:
        """See ``Outbox.hurry``."""
        for outbox in (self._on_disk(), self._memory):
            if outbox is not None:
                with self._suffering():
                    outbox.hurry(base_url)

    def next_due(self, base_url: str) -> float | None:
        """See ``Outbox.next_due``."""
        moments: list[float] = []
        for outbox in (self._on_disk(), self._memory):
            if outbox is not None:
                with self._suffering():
                    moment = outbox.next_due(base_url)
                    moments += [] if moment is None else [moment]
        return min(moments, default=None)

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """See ``Outbox.deliveries``."""
        found: list[Delivery] = []
        for outbox in (self._on_disk(), self._memory):
            if outbox is not None:
                with self._suffering():
                    found += outbox.deliveries(base_url)
        return found

    def readdress(self, base_url: str, *, now: float) -> int:
        """See ``Outbox.readdress``."""
        disk, moved = self._on_disk(), 0
        if disk is not None:
            with self._suffering():
                moved = disk.readdress(base_url, now=now)
        return moved

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """See ``Outbox.maintain``; moves to disk what had to stay in memory."""
        disk, dead = self._on_disk(), 0
        if disk is not None:
            with self._suffering():
                dead = disk.maintain(now=now, retain=retain, max_age=max_age)
                self._move_to(disk, now)
        return dead

    def _move_to(self, disk: Outbox, now: float) -> None:
        if self._memory is None:
            return
        for kept, held_for, due_at in self._memory.contents():
            key = kept.base_url, kept.external_id
            if kept.document:
                disk.put(
                    *key,
                    kept.document,
                    provider=kept.provider,
                    now=now,
                    due_at=due_at,
                    held_for=held_for,
                )
            if kept.changes:
                disk.enrich(*key, json.loads(kept.changes), now=now)
            self._memory.forget(*key)
            self._in_memory.discard(key)

    def close(self) -> None:
        """Release the disk; what is in memory stays there while this process lives."""
        if self._disk is not None:
            disk, self._disk = self._disk, None
            with self._suffering():
                disk.close()
