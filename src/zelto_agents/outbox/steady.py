"""The outbox that is always there: on disk, and in memory while the disk cannot be used."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
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
from zelto_agents.outbox.sqlite import Kept, SqliteOutbox

__all__ = ["SteadyOutbox"]

REST = 5.0
# Revisions in memory count from here: they are newer than whatever the disk holds of the call.
AHEAD = 1_000_000


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
        self._claimed_from: dict[int, Outbox] = {}
        self.on_moved: Callable[[str, int], None] = lambda *_: None
        """Is told of each call that moves to disk, with the revision that it has there."""
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
                revision = home.put(base_url, external_id, document, **arguments)
                return revision + (AHEAD if home is self._memory else 0)
            except OutboxError as fault:
                self._suffer(fault)
        memory = self._to_memory(base_url, external_id)
        return AHEAD + memory.put(base_url, external_id, document, **arguments)

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> int:
        """See ``Outbox.enrich``; kept in memory until the disk can take it."""
        home = self._of(base_url, external_id)
        if home is not None:
            try:
                revision = home.enrich(base_url, external_id, changes, now=now)
                return revision + (AHEAD if revision and home is self._memory else 0)
            except OutboxError as fault:
                self._suffer(fault)
        memory = self._to_memory(base_url, external_id)
        revision = memory.enrich(base_url, external_id, changes, now=now)
        return revision and revision + AHEAD

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
        stores: list[Outbox | None] = [self._on_disk(), self._memory]
        for store in filter(None, stores):
            with self._suffering():
                for claim in store.claim(
                    base_url,
                    now=now,
                    lease=lease,
                    limit=limit - len(claims),
                    gatekeeper=gatekeeper,
                    external_id=external_id,
                ):
                    self._take(claim, store, claims, now + lease)
            if len(claims) >= limit:
                break
        return claims

    def _take(self, claim: Claim, store: Outbox, claims: list[Claim], later: float) -> None:
        if store is self._memory:
            claim = replace(claim, revision=claim.revision + AHEAD)
        elif (claim.base_url, claim.external_id) in self._in_memory:
            # A newer revision is in memory: this one waits, and is replaced by it.
            store.settle(claim, Outcome("due", due_at=later), now=time.time())
            return
        self._claimed_from[id(claim)] = store
        claims.append(claim)

    def settle(self, claim: Claim, outcome: Outcome, *, now: float) -> bool:
        """See ``Outbox.settle``; an answer that cannot be noted costs a second, harmless send."""
        home, settled = self._claimed_from.pop(id(claim), None), False
        if home is not None:
            if home is self._memory:
                claim = replace(claim, revision=claim.revision - AHEAD)
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
        """See ``Outbox.next_due``; what had to stay in memory moves to disk first, if it can."""
        self._move_home()
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
        """See ``Outbox.maintain``."""
        self._move_home()
        dead = 0
        for outbox in (self._on_disk(), self._memory):
            if outbox is not None:
                with self._suffering():
                    dead += outbox.maintain(now=now, retain=retain, max_age=max_age)
        if self._memory is not None:
            left = {(d.base_url, d.external_id) for d in self._memory.deliveries()}
            self._in_memory &= left
        return dead

    def _move_home(self) -> None:
        disk, memory = self._on_disk(), self._memory
        if disk is None or memory is None or not self._in_memory:
            return
        with self._suffering():
            for kept in memory.contents():
                key, now = (kept.claim.base_url, kept.claim.external_id), time.time()
                revision = self._copy(kept, disk, now)
                memory.forget(*key)
                self._in_memory.discard(key)
                self.on_moved(key[1], revision)

    def _copy(self, kept: Kept, disk: Outbox, now: float) -> int:
        """Write what memory held to disk as the newest revision, in the state that it was in."""
        claim, revision = kept.claim, 0
        key = claim.base_url, claim.external_id
        if claim.document:
            revision = disk.put(
                *key,
                claim.document,
                provider=claim.provider,
                now=now,
                due_at=kept.due_at,
                held_for=kept.held_for,
            )
        if claim.changes:
            revision = disk.enrich(*key, json.loads(claim.changes), now=now)
        if kept.state in ("sent", "dead"):
            anyone = Gatekeeper()
            for mine in disk.claim(
                key[0], now=now, lease=1.0, gatekeeper=anyone, external_id=key[1]
            ):
                outcome = Outcome(kept.state, status=kept.status, details=kept.details)
                disk.settle(mine, outcome, now=now)
        return revision

    def close(self) -> None:
        """Release the disk, with all that it can take; the rest stays while this process lives."""
        self._ill_until = float("-inf")
        self._move_home()
        if self._disk is not None:
            disk, self._disk = self._disk, None
            with self._suffering():
                disk.close()
