"""Journals of live calls, the processes that hold them, and adoption when one is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zelto_agents.outbox import Orphan, Put, _deliveries
from zelto_agents.outbox import _statements as sql
from zelto_agents.outbox._database import Database
from zelto_agents.outbox._process import Process

__all__ = ["PROCESS_LEASE", "Journal", "adopt", "append", "beat", "leave", "orphans"]

PROCESS_LEASE = 30.0


@dataclass(slots=True)
class Journal:
    """Where a live call's journal is, and how many of its facts are in it."""

    id: int
    written: int


def append(
    db: Database,
    known: Journal | None,
    process: Process,
    call: str,
    base_url: str,
    external_id: str,
    facts: Sequence[bytes],
    now: float,
    shared_now: float,
) -> Journal:
    """See ``Outbox.journal``: what is new is appended; a journal that was lost is written anew."""
    if known is not None:
        new = facts[known.written :]
        values = {"id": known.id, "holder": process.id, "now": now, "size": sum(map(len, new))}
        if db.execute(sql.APPEND, values).rowcount:
            _write(db, known.id, known.written, new)
            return Journal(known.id, len(facts))
    db.execute(sql.FORGET_JOURNAL, {"call": call})
    # Whoever took the journal also took this process for gone.
    beat(db, process, shared_now)
    begin = {
        "call": call,
        "holder": process.id,
        "base_url": base_url,
        "external_id": external_id,
        "now": now,
        "size": sum(map(len, facts)),
    }
    db.execute(sql.BEGIN_JOURNAL, begin)
    (row_id,) = db.execute(sql.JOURNAL_ID, {"call": call}).fetchone()
    _write(db, row_id, 0, facts)
    return Journal(row_id, len(facts))


def _write(db: Database, row_id: int, first: int, facts: Sequence[bytes]) -> None:
    # Together in one row: each row gives the interpreter's lock away and takes it back.
    if facts:
        db.execute(sql.FACTS_WRITTEN, {"id": row_id, "number": first, "body": b"\n".join(facts)})


def beat(db: Database, process: Process, now: float) -> None:
    """See ``Outbox.beat``."""
    values = {
        "id": process.id,
        "host": process.host,
        "pid": process.pid,
        "born": process.born,
        "lease_until": now + PROCESS_LEASE,
    }
    db.execute(sql.BEAT, values)


def orphans(db: Database, process: Process, now: float, limit: int) -> list[Orphan]:
    """See ``Outbox.orphans``."""
    for row in db.execute(sql.OTHERS, {"id": process.id}).fetchall():
        other, lease_until = Process(*row[:4]), row[4]
        if lease_until <= now or other.is_gone():
            _bury(db, other, lease_until, process.id, now)
    db.execute(sql.UNHELD, {"heir": process.id})
    rows = db.execute(sql.ORPHANS, {"heir": process.id, "limit": limit}).fetchall()
    return [_orphan(db, *row) for row in rows]


def _orphan(
    db: Database, row_id: int, call: str, base_url: str, external_id: str, seen_at: float
) -> Orphan:
    rows = db.execute(sql.FACTS, {"id": row_id}).fetchall()
    facts = [fact for (body,) in rows for fact in bytes(body).split(b"\n")]
    return Orphan(call, base_url, external_id, seen_at, facts)


def _bury(db: Database, gone: Process, lease_until: float, heir: str, now: float) -> None:
    # Of two that see it gone, one deletes its row, and inherits.
    if db.execute(sql.BURY, {"id": gone.id, "lease_until": lease_until}).rowcount:
        seen_at = min(lease_until - PROCESS_LEASE, now)
        for statement in sql.LEFT:
            db.execute(statement, {"id": gone.id, "heir": heir, "seen_at": seen_at, "now": now})


def adopt(db: Database, put: Put, process: Process, seen_at: float, now: float) -> int:
    """See ``Outbox.adopt``."""
    mine = {"call": put.journal, "heir": process.id}
    written = db.execute(sql.WRITTEN_AT, mine).fetchone()
    if written is None or not db.execute(sql.ADOPT, mine).rowcount:
        return 0
    found = _deliveries.find(db, put.base_url, put.external_id)
    # The process may have lived on after its last fact, with the document kept elsewhere.
    if found is not None and found[2] > min(seen_at, written[0]):
        return 0
    return _deliveries.put(db, put, now)


def leave(db: Database, process: Process) -> None:
    """Give up every office; a process that still holds journals stays known until its end."""
    for statement in sql.LEAVE:
        db.execute(statement, {"id": process.id})
