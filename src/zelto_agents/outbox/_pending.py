"""Pending enrichments: what is awaited of a call, from ``expect`` to its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zelto_agents.outbox import Pending
from zelto_agents.outbox._database import Database

__all__ = [
    "DROP_OF_CALL",
    "SCHEMA",
    "claim_pending",
    "drop_pending",
    "expect",
    "pending",
    "readdress",
    "redirect",
    "settle_pending",
    "tidy",
]

SCHEMA = """
CREATE TABLE pending (
  id {id},
  base_url TEXT NOT NULL,
  external_id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  reference TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting',
  due_at DOUBLE PRECISION NOT NULL,
  holder TEXT NOT NULL DEFAULT '',
  lease_until DOUBLE PRECISION NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  details TEXT NOT NULL DEFAULT '',
  created_at DOUBLE PRECISION NOT NULL,
  updated_at DOUBLE PRECISION NOT NULL,
  UNIQUE (base_url, external_id, name)
);
CREATE INDEX pending_due ON pending (state, due_at);
CREATE INDEX pending_call ON pending (external_id);
CREATE INDEX delivery_call ON delivery (external_id);
"""

DETAILS_KEPT = 2048
LONGEST_CALL = 7 * 86_400.0
# What a call that goes on telling after its end awaits again was found already.
FOUND_KEPT = 3600.0
_COLUMNS = """d.base_url, d.external_id, d.name, d.kind, d.reference, d.id, d.state, d.due_at,
  d.lease_until, d.attempts, d.details, d.created_at, d.updated_at"""

# A live call's is held by its process: when that is gone, it comes free. What nobody has looked for
# yet is told again with what is known by then, and so is what failed.
_EXPECT = """
INSERT INTO pending (base_url, external_id, name, kind, reference, due_at, holder, lease_until,
  created_at, updated_at)
VALUES (:base_url, :external_id, :name, :kind, :reference, :now, :holder, :lease_until, :now, :now)
ON CONFLICT (base_url, external_id, name) DO UPDATE SET
  reference = :reference, due_at = :now, holder = :holder, lease_until = :lease_until,
  kind = :kind, state = 'waiting', attempts = 0, details = '',
  created_at = CASE WHEN pending.state = 'failed' THEN :now ELSE pending.created_at END
WHERE pending.state = 'failed'
  OR (pending.state = 'waiting' AND pending.attempts = 0 AND pending.holder IN ('', :me))
"""
_UNWANTED = """
SELECT 1 FROM delivery
WHERE base_url = :base_url AND external_id = :external_id AND state = 'skipped'
"""
# A URL that was found is found again only while its document has not arrived.
_DUE = f"""
SELECT {_COLUMNS} FROM pending d
WHERE d.base_url IN (:base_url, '') AND d.due_at <= :now AND d.lease_until <= :now
  AND (d.state = 'waiting' OR (d.state = 'found' AND EXISTS (SELECT 1 FROM delivery
    WHERE delivery.external_id = d.external_id AND delivery.state IN ('due', 'held'))))
ORDER BY d.due_at, d.id LIMIT :limit
"""  # noqa: S608 - constant texts
_CLAIM = """
UPDATE pending SET holder = :holder, lease_until = :lease_until, attempts = attempts + 1
WHERE id = :id
"""
_SETTLE = """
UPDATE pending SET holder = '', lease_until = 0, kind = :kind, reference = :reference,
  state = :state, due_at = :due_at, details = :details, updated_at = :now
WHERE id = :id AND lease_until = :lease_until
"""
_ALL = f"SELECT {_COLUMNS} FROM pending d WHERE d.state <> 'found' ORDER BY d.id"  # noqa: S608 - constant texts
_DROP = "DELETE FROM pending WHERE id = :id"
DROP_OF_CALL = "DELETE FROM pending WHERE base_url = :base_url AND external_id = :external_id"
_TIDY = """
DELETE FROM pending WHERE (state = 'failed' AND updated_at <= :before)
  OR (state = 'found' AND updated_at <= :found_before AND NOT EXISTS (
    SELECT 1 FROM delivery
    WHERE delivery.external_id = pending.external_id AND delivery.state IN ('due', 'held', 'dead')))
"""
# Its document has arrived, and nobody needs the URL any more.
_ARRIVED = """
UPDATE pending SET due_at = 1e15 WHERE state = 'found' AND due_at <= :now AND NOT EXISTS (
  SELECT 1 FROM delivery
  WHERE delivery.external_id = pending.external_id AND delivery.state IN ('due', 'held', 'dead'))
"""
_HOMELESS = """
SELECT d.id, d.external_id, d.name FROM pending d WHERE d.base_url <> :base_url AND (d.base_url = ''
  OR d.base_url IN (SELECT base_url FROM gate WHERE away = 'base_url')) ORDER BY d.id
"""
_OF_CALL = """
SELECT d.id, d.external_id, d.name FROM pending d
WHERE d.base_url = :source AND d.external_id = :external_id
"""
_MOVE = """
UPDATE pending SET base_url = :base_url WHERE id = :id AND NOT EXISTS (SELECT 1 FROM pending o
  WHERE o.base_url = :base_url AND o.external_id = :external_id AND o.name = :name)
"""
# The clock was set back, by more than anybody waits.
_UNDELAY = "UPDATE pending SET due_at = :now WHERE state = 'waiting' AND due_at > :horizon"
# Nobody who could look came in time.
_EXPIRE = """
UPDATE pending SET state = 'failed', updated_at = :now,
  details = 'waited longer than ZELTO_MAX_AGE; ' || details
WHERE state = 'waiting' AND lease_until <= :now AND created_at <= :before
"""


def expect(db: Database, awaited: Pending, me: str, *, now: float, live: bool) -> bool:
    """See ``Outbox.expect``."""
    values = {
        "base_url": awaited.base_url,
        "external_id": awaited.external_id,
        "name": awaited.name,
        "kind": awaited.kind,
        "reference": awaited.reference,
        "me": me,
        "holder": me if live else "",
        "lease_until": now + LONGEST_CALL if live else 0.0,
        "now": now,
    }
    if db.execute(_UNWANTED, values).fetchone():
        return False
    return db.execute(_EXPECT, values).rowcount == 1


def drop_pending(db: Database, number: int) -> None:
    """Forget one; it is remembered elsewhere."""
    db.execute(_DROP, {"id": number})


def readdress(db: Database, base_url: str) -> None:
    """See ``Outbox.readdress``."""
    _move(db, base_url, db.execute(_HOMELESS, {"base_url": base_url}).fetchall())


def redirect(db: Database, source: str, base_url: str, external_id: str) -> None:
    """See ``Engine.redirect``; for one call."""
    values = {"source": source, "external_id": external_id}
    _move(db, base_url, db.execute(_OF_CALL, values).fetchall())


def _move(db: Database, base_url: str, rows: Sequence[Any]) -> None:
    for number, external_id, name in rows:
        values = {"base_url": base_url, "id": number, "external_id": external_id, "name": name}
        if not db.execute(_MOVE, values).rowcount:
            drop_pending(db, number)


def claim_pending(
    db: Database, base_url: str, holder: str, *, now: float, lease: float, limit: int
) -> list[Pending]:
    """See ``Outbox.claim_pending``."""
    values = {"base_url": base_url, "now": now, "limit": limit}
    rows = db.execute(_DUE + db.skip, values).fetchall()
    mark = {"holder": holder, "lease_until": now + lease}
    db.many(_CLAIM, [{**mark, "id": row[5]} for row in rows])
    return [replace(_pending(row), lease_until=now + lease) for row in rows]


def settle_pending(db: Database, outcome: Pending, now: float) -> bool:
    """See ``Outbox.settle_pending``."""
    values = {
        "id": outcome.id,
        "lease_until": outcome.lease_until,
        "kind": outcome.kind,
        "reference": outcome.reference,
        "state": outcome.state,
        "due_at": outcome.due_at,
        "details": outcome.details[:DETAILS_KEPT],
        "now": now,
    }
    return db.execute(_SETTLE, values).rowcount == 1


def pending(db: Database) -> list[Pending]:
    """See ``Outbox.pending``."""
    return [_pending(row) for row in db.execute(_ALL).fetchall()]


def tidy(
    db: Database, *, now: float, horizon: float, retain: float, kept: float, max_age: float
) -> None:
    """Give up what was awaited for ``max_age`` seconds; forget what was settled long ago."""
    db.execute(_UNDELAY, {"now": now, "horizon": horizon})
    db.execute(_EXPIRE, {"now": now, "before": now - max_age})
    db.execute(_ARRIVED, {"now": now})
    found_before = now - max(retain, FOUND_KEPT)
    db.execute(_TIDY, {"before": now - kept, "found_before": found_before})


def _pending(row: Any) -> Pending:
    return Pending(*row)
