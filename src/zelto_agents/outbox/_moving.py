"""Moving deliveries from one engine to another that is nearer to where they belong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from zelto_agents._frozen import frozen
from zelto_agents.outbox import Claim, Put, State, _deliveries
from zelto_agents.outbox import _statements as sql
from zelto_agents.outbox._database import Database

__all__ = ["Kept", "forget", "restore", "withdraw"]

_WITHDRAWABLE = """
SELECT d.base_url, d.external_id, d.provider, d.revision, d.fence, d.attempts, d.failures,
  d.lease_until, c.document, c.changes, d.state, d.due_at, d.status, d.details, d.id
FROM delivery d JOIN content c ON c.delivery_id = d.id
WHERE d.lease_until <= :now ORDER BY d.id LIMIT :limit
"""
_OVER = """
UPDATE delivery SET state = :state, status = :status, details = :details
WHERE base_url = :base_url AND external_id = :external_id
"""
_FORGET = """
DELETE FROM delivery WHERE base_url = :base_url AND external_id = :external_id
  AND fence = :fence AND revision = :revision
"""


@frozen
class Kept:
    """A delivery with its content, as it can be copied into another outbox."""

    claim: Claim
    state: State
    due_at: float
    status: int | None
    details: str


def withdraw(db: Database, holder: str, *, now: float, lease: float, limit: int) -> list[Kept]:
    """Claim what is not in flight, with its content."""
    rows = db.execute(_WITHDRAWABLE + db.skip, {"now": now, "limit": limit}).fetchall()
    mark = {
        "holder": holder,
        "now": 0.0,
        "lease_until": now + lease,
        "settling": 0.0,
        "fence": (fence := _deliveries.new_fence()),
    }
    db.many(sql.CLAIM, [{**mark, "id": row[-1]} for row in rows])
    return [_kept(row, fence) for row in rows]


def restore(db: Database, kept: Kept, now: float) -> int:
    """Put it as the newest revision, which is returned."""
    claim, revision = kept.claim, 0
    key, held = (claim.base_url, claim.external_id), kept.state == "held"
    if claim.document is not None:
        whole = Put(*key, claim.document, claim.provider, kept.due_at, held=held)
        revision = _deliveries.put(db, whole, now)
    over = kept.state == "dead" or (kept.state == "sent" and revision == 1)
    if claim.changes:
        revision = _deliveries.enrich(db, *key, json.loads(claim.changes), now)
    if over:
        values = {"base_url": key[0], "external_id": key[1], "state": kept.state}
        db.execute(_OVER, {**values, "status": kept.status, "details": kept.details})
    return revision


def forget(db: Database, claim: Claim) -> bool:
    """Drop what was withdrawn, unless something newer came."""
    values = {
        "base_url": claim.base_url,
        "external_id": claim.external_id,
        "fence": claim.fence,
        "revision": claim.revision,
    }
    return db.execute(_FORGET, values).rowcount == 1


def _kept(row: Sequence[Any], fence: int) -> Kept:
    base_url, external_id, provider, revision, _, attempts, failures, until, *content = row[:10]
    claim = Claim(
        base_url, external_id, provider, revision, fence, attempts, failures, until, *content
    )
    return Kept(claim, state=row[10], due_at=row[11], status=row[12], details=row[13])
