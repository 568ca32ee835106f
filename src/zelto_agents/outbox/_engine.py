"""What both engines do: each method of ``Outbox`` as one transaction of the shared statements."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from zelto_agents.outbox import (
    Claim,
    Delivery,
    Gate,
    Gatekeeper,
    Orphan,
    OutboxFullError,
    Outcome,
    Pending,
    Put,
    Stats,
    _deliveries,
    _gate,
    _journals,
    _moving,
    _pending,
)
from zelto_agents.outbox import _statements as sql
from zelto_agents.outbox._database import Database
from zelto_agents.outbox._moving import Kept
from zelto_agents.outbox._process import Process

__all__ = ["MAX_BYTES", "Engine"]

MAX_BYTES = 256.0 * 1024 * 1024
BEAT_EVERY = 10.0

_T = TypeVar("_T")


class Engine(ABC):
    """An ``Outbox`` over a database; a subclass says how to reach it.

    Args:
        name: how a person finds this outbox.
        max_bytes: documents that it holds at most.
    """

    skew = 0.0
    """Seconds by which the clock that all processes of this store share is ahead of ours."""

    journals_synced = False
    """Whether a journal survives a crash of what stores it; on disk, that is a crash of the host,
    and of the live call with it."""

    def __init__(self, name: str, max_bytes: float) -> None:
        self._name = name
        self._max_bytes = max_bytes
        self._process = Process.this()
        self._beaten_at: float | None = None
        self._journals: dict[str, _journals.Journal] = {}

    @abstractmethod
    def _run(
        self, work: Callable[[Database], _T], *, synced: bool = True, reserve: bool = False
    ) -> _T:
        """Do this in one transaction.

        Args:
            work: what to do.
            synced: whether it must survive the power as well as the process.
            reserve: whether it may use the last room of a full disk.

        Raises:
            OutboxError: it could not be done, and none of it was.
        """

    @abstractmethod
    def _used(self, db: Database, more: int) -> int:
        """Bytes that it holds, with so many more."""

    def close(self) -> None:
        """See ``Outbox.close``."""
        self._run(lambda db: _journals.leave(db, self._process), synced=False, reserve=True)

    def _run_as_holder(
        self,
        work: Callable[[Database], _T],
        now: float,
        *,
        synced: bool = False,
        reserve: bool = True,
    ) -> _T:
        """Be known as a process that is alive before taking a lease."""

        def present(db: Database) -> _T:
            if self._beaten_at is None:
                _journals.beat(db, self._process, now + self.skew)
            return work(db)

        result = self._run(present, synced=synced, reserve=reserve)
        self._beaten_at = now if self._beaten_at is None else self._beaten_at
        return result

    def _room_for(self, db: Database, size: int) -> None:
        """Make room by purging what was sent, the oldest first; refuse if that is not enough."""
        while self._used(db, size) > self._max_bytes:
            if not any(db.execute(one).rowcount for one in (sql.PURGE_SENT, sql.PURGE_AWAITING)):
                raise OutboxFullError(
                    f"the outbox {self._name} has no room for this call in its "
                    f"{self._max_bytes:.0f} bytes: deliver what waits, "
                    "or raise ZELTO_OUTBOX_MAX_BYTES"
                )

    def put(self, put: Put, *, now: float) -> int:
        """See ``Outbox.put``."""

        def work(db: Database) -> int:
            self._room_for(db, len(put.document))
            return _deliveries.put(db, put, now)

        revision = self._run(work)
        if put.journal is not None:
            self._journals.pop(put.journal, None)
        return revision

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> int:
        """See ``Outbox.enrich``."""
        return self._run(lambda db: _deliveries.enrich(db, base_url, external_id, changes, now))

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
        """See ``Outbox.claim``."""

        def work(db: Database) -> list[Claim]:
            return _deliveries.claim(
                db,
                base_url,
                self._process.id,
                now=now,
                lease=lease,
                limit=limit,
                gatekeeper=gatekeeper,
                external_id=external_id,
            )

        return self._run_as_holder(work, now)

    def settle(self, results: Sequence[tuple[Claim, Outcome]], *, now: float) -> list[bool]:
        """See ``Outbox.settle``."""
        me = self._process.id
        return self._run(
            lambda db: _deliveries.settle(db, me, results, now), synced=False, reserve=True
        )

    def skip(self, base_url: str, external_id: str, journal: str, *, now: float) -> None:
        """See ``Outbox.skip``."""
        self._run(lambda db: _deliveries.skip(db, base_url, external_id, journal, now))
        self._journals.pop(journal, None)

    def expect(self, awaited: Pending, *, now: float, live: bool = False) -> bool:
        """See ``Outbox.expect``."""
        me = self._process.id
        return self._run_as_holder(
            lambda db: _pending.expect(db, awaited, me, now=now, live=live), now, synced=not live
        )

    def drop_pending(self, number: int) -> None:
        """Forget what is awaited elsewhere now."""
        self._run(lambda db: _pending.drop_pending(db, number))

    def claim_pending(
        self, base_url: str, *, now: float, lease: float, limit: int = 1
    ) -> list[Pending]:
        """See ``Outbox.claim_pending``."""

        def work(db: Database) -> list[Pending]:
            me = self._process.id
            return _pending.claim_pending(db, base_url, me, now=now, lease=lease, limit=limit)

        return self._run_as_holder(work, now)

    def settle_pending(self, outcome: Pending, *, now: float) -> bool:
        """See ``Outbox.settle_pending``."""
        return self._run(lambda db: _pending.settle_pending(db, outcome, now), reserve=True)

    def pending(self) -> list[Pending]:
        """See ``Outbox.pending``."""
        return self._run(_pending.pending, synced=False, reserve=True)

    def journal(
        self, call: str, base_url: str, external_id: str, facts: Sequence[bytes], *, now: float
    ) -> None:
        """See ``Outbox.journal``."""

        def work(db: Database) -> _journals.Journal:
            known, me = self._journals.get(call), self._process
            shared = now + self.skew
            return _journals.append(db, known, me, call, base_url, external_id, facts, now, shared)

        self._journals[call] = self._run_as_holder(
            work, now, synced=self.journals_synced, reserve=False
        )

    def beat(self, *, now: float) -> None:
        """See ``Outbox.beat``; at most every few seconds, however often it is called."""
        if self._beaten_at is None or not 0 <= now - self._beaten_at < BEAT_EVERY:
            self._run(
                lambda db: _journals.beat(db, self._process, now + self.skew),
                synced=False,
                reserve=True,
            )
            self._beaten_at = now

    def orphans(self, *, now: float, limit: int = 10) -> list[Orphan]:
        """See ``Outbox.orphans``."""

        def work(db: Database) -> list[Orphan]:
            return _journals.orphans(db, self._process, now + self.skew, limit)

        return self._run_as_holder(work, now)

    def adopt(self, put: Put, *, seen_at: float, now: float) -> int:
        """See ``Outbox.adopt``."""
        return self._run(lambda db: _journals.adopt(db, put, self._process, seen_at, now))

    def lead(self, base_url: str, *, now: float, gatekeeper: Gatekeeper) -> bool:
        """See ``Outbox.lead``."""

        def work(db: Database) -> bool:
            return _gate.lead(db, base_url, self._process.id, now=now, gatekeeper=gatekeeper)

        return self._run_as_holder(work, now)

    def gate(self, base_url: str) -> Gate:
        """See ``Outbox.gate``."""
        return self._run(lambda db: _gate.known(db, base_url).gate, synced=False, reserve=True)

    def hurry(self, base_url: str, *, now: float) -> None:
        """See ``Outbox.hurry``."""
        self._run(lambda db: _gate.hurry(db, base_url, now))

    def next_due(self, base_url: str, *, gatekeeper: Gatekeeper) -> float | None:
        """See ``Outbox.next_due``."""
        return self._run(
            lambda db: _deliveries.next_due(db, base_url, gatekeeper), synced=False, reserve=True
        )

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """See ``Outbox.deliveries``."""
        return self._run(
            lambda db: _deliveries.deliveries(db, base_url), synced=False, reserve=True
        )

    def stats(self) -> Stats:
        """See ``Outbox.stats``."""
        return self._run(_deliveries.stats, synced=False, reserve=True)

    def readdress(self, base_url: str, *, now: float) -> int:
        """See ``Outbox.readdress``."""
        return self._run(lambda db: _deliveries.readdress(db, base_url, now))

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """See ``Outbox.maintain``."""
        return self._run(
            lambda db: _deliveries.maintain(db, now, retain, max_age), synced=False, reserve=True
        )

    def redirect(self, source: str, base_url: str, *, now: float) -> int:
        """Give what waits for ``source``, which was a mistake, to this base URL; how many calls.

        Calls that go on, are in flight or are dead letters stay; to be repeated until it is 0.
        """
        return self._run(lambda db: _deliveries.redirect(db, source, base_url, now))

    def content(self, external_id: str) -> list[tuple[str, bytes | None, bytes | None]]:
        """Base URL, document and enrichments of each delivery with this id."""
        values = {"external_id": external_id}
        return self._run(
            lambda db: db.execute(sql.CONTENT, values).fetchall(), synced=False, reserve=True
        )

    def retry(self, external_id: str, *, now: float) -> int:
        """Make a dead letter, or whatever waits or was sent, due now; how many that were."""
        values = {"external_id": external_id, "now": now}
        return self._run(lambda db: db.execute(sql.RETRY, values).rowcount)

    def forget_journal(self, call: str) -> None:
        """Drop a journal whose document is safe elsewhere."""
        self._run(
            lambda db: db.execute(sql.FORGET_JOURNAL, {"call": call}), synced=False, reserve=True
        )
        self._journals.pop(call, None)

    def withdraw(self, *, now: float, lease: float, limit: int = 50) -> list[Kept]:
        """Take what is not in flight, to move it elsewhere."""
        me = self._process.id
        return self._run(lambda db: _moving.withdraw(db, me, now=now, lease=lease, limit=limit))

    def restore(self, kept: Kept, *, now: float) -> int:
        """Take in what another engine had to keep, as the newest revision, which is returned.

        What is over there is not sent again, unless an older revision is here.
        """
        return self._run(lambda db: _moving.restore(db, kept, now))

    def forget(self, claim: Claim) -> bool:
        """Drop what was withdrawn, unless something newer came; it is safe elsewhere."""
        return self._run(lambda db: _moving.forget(db, claim))

    def retry_dead(self, *, now: float) -> int:
        """Make every dead letter that has a document due now; how many."""
        return self._run(lambda db: db.execute(sql.RETRY_DEAD, {"now": now}).rowcount)

    def drop_seen(self, deliveries: Sequence[Delivery], *, now: float) -> int:
        """Forget these, unless they have changed since or are in flight; how many that were."""

        def work(db: Database) -> int:
            gone = 0
            for one in deliveries:
                values = {
                    "base_url": one.base_url,
                    "external_id": one.external_id,
                    "revision": one.revision,
                    "updated_at": one.updated_at,
                    "now": now,
                }
                dropped = db.execute(sql.DROP_SEEN, values).rowcount
                if dropped:
                    db.execute(_pending.DROP_OF_CALL, values)
                gone += dropped
            return gone

        return self._run(work)

    def probe(self, *, now: float) -> None:
        """Write something and take it back, durably: as a call would be written."""
        place = {"base_url": "probe:", "external_id": uuid.uuid4().hex}

        def work(db: Database) -> None:
            db.execute(sql.AWAIT, {**place, "now": now})
            db.execute(sql.DROP, {**place, "now": now})

        self._run(work)
