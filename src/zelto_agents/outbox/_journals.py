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

_BEAT = """
INSERT INTO process (id, host, pid, born, lease_until)
VALUES (:id, :host, :pid, :born, :lease_until)
ON CONFLICT (id) DO UPDATE SET lease_until = :lease_until
"""
_OTHERS = "SELECT id, host, pid, born, lease_until FROM process WHERE id <> :id"
_BURY = "DELETE FROM process WHERE id = :id AND lease_until = :lease_until"
# What a process left: its journals are adopted, its claims free, its offices vacant.
_LEFT = (
    """UPDATE journal SET holder = :heir, orphaned = 1,
       alive_at = CASE WHEN orphaned = 1 THEN alive_at ELSE :seen_at END
       WHERE holder = :id""",
    "UPDATE delivery SET lease_until = :now WHERE holder = :id AND lease_until > :now",
    "UPDATE pending SET holder = '', lease_until = 0 WHERE holder = :id",
    "UPDATE gate SET prober = '', probe_until = 0 WHERE prober = :id",
    "UPDATE gate SET leader = '', leader_until = 0 WHERE leader = :id",
)
_UNHELD = """
UPDATE journal SET holder = :heir, orphaned = 1
WHERE holder NOT IN (SELECT id FROM process)
"""
_ORPHANS = """
SELECT id, call, base_url, external_id,
  CASE WHEN alive_at > written_at THEN alive_at ELSE written_at END FROM journal
WHERE holder = :heir AND orphaned = 1 ORDER BY id LIMIT :limit
"""
_FACTS = "SELECT body FROM fact WHERE journal_id = :id ORDER BY number"
_WRITTEN_AT = """
SELECT written_at FROM journal WHERE call = :call AND holder = :heir AND orphaned = 1
"""
_ADOPT = "DELETE FROM journal WHERE call = :call AND holder = :heir AND orphaned = 1"

_APPEND = """
UPDATE journal SET written_at = :now, size = size + :size
WHERE id = :id AND holder = :holder AND orphaned = 0
"""
_BEGIN_JOURNAL = """
INSERT INTO journal (call, holder, base_url, external_id, created_at, written_at, size)
VALUES (:call, :holder, :base_url, :external_id, :now, :now, :size)
"""
_JOURNAL_ID = "SELECT id FROM journal WHERE call = :call"
_FACTS_WRITTEN = "INSERT INTO fact (journal_id, number, body) VALUES (:id, :number, :body)"

_LEAVE = (
    "UPDATE gate SET leader = '', leader_until = 0 WHERE leader = :id",
    """DELETE FROM process WHERE id = :id
       AND NOT EXISTS (SELECT 1 FROM journal WHERE holder = :id)
       AND NOT EXISTS (SELECT 1 FROM pending WHERE holder = :id)""",
)


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
        if db.execute(_APPEND, values).rowcount:
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
    db.execute(_BEGIN_JOURNAL, begin)
    (row_id,) = db.execute(_JOURNAL_ID, {"call": call}).fetchone()
    _write(db, row_id, 0, facts)
    return Journal(row_id, len(facts))


def _write(db: Database, row_id: int, first: int, facts: Sequence[bytes]) -> None:
    # Together in one row: each row gives the interpreter's lock away and takes it back.
    if facts:
        db.execute(_FACTS_WRITTEN, {"id": row_id, "number": first, "body": b"\n".join(facts)})


def beat(db: Database, process: Process, now: float) -> None:
    """See ``Outbox.beat``."""
    values = {
        "id": process.id,
        "host": process.host,
        "pid": process.pid,
        "born": process.born,
        "lease_until": now + PROCESS_LEASE,
    }
    db.execute(_BEAT, values)


def orphans(db: Database, process: Process, now: float, limit: int) -> list[Orphan]:
    """See ``Outbox.orphans``."""
    for row in db.execute(_OTHERS, {"id": process.id}).fetchall():
        other, lease_until = Process(*row[:4]), row[4]
        if lease_until <= now or other.is_gone():
            _bury(db, other, lease_until, process.id, now)
    db.execute(_UNHELD, {"heir": process.id})
    rows = db.execute(_ORPHANS, {"heir": process.id, "limit": limit}).fetchall()
    return [_orphan(db, *row) for row in rows]


def _orphan(
    db: Database, row_id: int, call: str, base_url: str, external_id: str, seen_at: float
) -> Orphan:
    rows = db.execute(_FACTS, {"id": row_id}).fetchall()
    facts = [fact for (body,) in rows for fact in bytes(body).split(b"\n")]
    return Orphan(call, base_url, external_id, seen_at, facts)


def _bury(db: Database, gone: Process, lease_until: float, heir: str, now: float) -> None:
    # Of two that see it gone, one deletes its row, and inherits.
    if db.execute(_BURY, {"id": gone.id, "lease_until": lease_until}).rowcount:
        seen_at = min(lease_until - PROCESS_LEASE, now)
        for statement in _LEFT:
            db.execute(statement, {"id": gone.id, "heir": heir, "seen_at": seen_at, "now": now})


def adopt(db: Database, put: Put, process: Process, seen_at: float, now: float) -> int:
    """See ``Outbox.adopt``."""
    mine = {"call": put.journal, "heir": process.id}
    written = db.execute(_WRITTEN_AT, mine).fetchone()
    if written is None or not db.execute(_ADOPT, mine).rowcount:
        return 0
    found = _deliveries.find(db, put.base_url, put.external_id)
    # The process may have lived on after its last fact, with the document kept elsewhere.
    if found is not None and found[2] > min(seen_at, written[0]):
        return 0
    return _deliveries.put(db, put, now)


def leave(db: Database, process: Process) -> None:
    """Give up every office; a process that still holds journals stays known until its end."""
    for statement in _LEAVE:
        db.execute(statement, {"id": process.id})
