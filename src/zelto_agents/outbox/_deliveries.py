"""Deliveries: from ``put`` over ``claim`` and ``settle`` to the end of what is kept."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from zelto_agents.fold import merged
from zelto_agents.outbox import (
    Claim,
    Delivery,
    Gatekeeper,
    Outcome,
    Put,
    State,
    Stats,
    _gate,
    _pending,
)
from zelto_agents.outbox import _statements as sql
from zelto_agents.outbox._database import Database

__all__ = [
    "claim",
    "deliveries",
    "enrich",
    "maintain",
    "next_due",
    "put",
    "readdress",
    "redirect",
    "settle",
    "skip",
    "stats",
]

DEAD_KEPT = 30 * 86_400.0
DETAILS_KEPT = 2048
# A request whose answer never came is not processed later than this.
SETTLING = 60.0
GRACE = 3600.0
# Nothing is scheduled further ahead.
HORIZON = 7200.0


def put(db: Database, put: Put, now: float) -> int:
    """See ``Outbox.put``."""
    values = {
        "base_url": put.base_url,
        "external_id": put.external_id,
        "provider": put.provider,
        "state": "held" if put.held else "due",
        "due_at": put.due_at,
        "size": len(put.document),
        "now": now,
    }
    db.execute(sql.PUT, values)
    row_id, revision, _, state = find(db, put.base_url, put.external_id)
    if state != "skipped":
        db.execute(sql.PUT_CONTENT, {"id": row_id, "document": put.document})
    if put.journal is not None:
        db.execute(sql.FORGET_JOURNAL, {"call": put.journal})
    return int(revision)


def skip(db: Database, base_url: str, external_id: str, journal: str, now: float) -> None:
    """See ``Outbox.skip``; what was put before the filter said no stays."""
    values = {"base_url": base_url, "external_id": external_id, "now": now}
    db.execute(sql.SKIP, values)
    db.execute(sql.SKIP_CONTENT, values)
    db.execute(_pending.DROP_OF_CALL, values)
    db.execute(sql.FORGET_JOURNAL, {"call": journal})


def find(db: Database, base_url: str, external_id: str) -> Any:
    """Number, revision, time of the last ``put`` and state of a delivery; None without one."""
    values = {"base_url": base_url, "external_id": external_id}
    return db.execute(sql.FIND, values).fetchone()


def enrich(
    db: Database, base_url: str, external_id: str, changes: Mapping[str, Any], now: float
) -> int:
    """See ``Outbox.enrich``."""
    db.execute(sql.AWAIT, {"base_url": base_url, "external_id": external_id, "now": now})
    row_id, _, _, state = find(db, base_url, external_id)
    if state == "skipped":
        return 0
    db.execute(sql.AWAIT_CONTENT, {"id": row_id})
    revision, size, earlier = db.execute(sql.ENRICHED + db.lock, {"id": row_id}).fetchone()
    together = merged(json.loads(earlier) if earlier else {}, changes)
    packed = json.dumps(together, separators=(",", ":")).encode()
    db.execute(sql.ENRICH_CONTENT, {"id": row_id, "changes": packed})
    step = 0 if size is None else 1
    values = {"id": row_id, "now": now, "size": (size or 0) + len(packed), "step": step}
    db.execute(sql.ENRICH, values)
    return int(revision) + 1 if step else 0


def claim(
    db: Database,
    base_url: str,
    holder: str,
    *,
    now: float,
    lease: float,
    limit: int,
    gatekeeper: Gatekeeper,
    external_id: str | None,
) -> list[Claim]:
    """See ``Outbox.claim``."""
    state = _gate.known(db, base_url)
    probing = not state.is_open(gatekeeper)
    if probing and (state.gate.closed_until > now or state.probe_until > now):
        return []
    values = {"base_url": base_url, "now": now, "external_id": external_id}
    # One document alone may be what fails, or the first request of each: probes take turns.
    probes = (sql.TRIED, sql.FRESH)
    statement = probes[state.gate.failures % 2] if probing else sql.DUE
    rows = _claimable(db, values, gatekeeper, 1 if probing else limit, statement)
    until = now + lease
    if not rows or (probing and not _gate.probe(db, base_url, holder, now=now, lease_until=until)):
        return []
    fence = new_fence()
    mark = {"holder": holder, "now": now, "lease_until": until, "settling": SETTLING}
    db.many(sql.CLAIM, [{**mark, "id": row[0], "fence": fence} for row in rows])
    return [_claim(base_url, row, fence, until) for row in rows]


def new_fence() -> int:
    """A number that no other claim has: counting could repeat one that a crash undid."""
    return random.getrandbits(62)


def _claim(base_url: str, row: Any, fence: int, lease_until: float) -> Claim:
    _, external_id, provider, revision, attempts, failures, document, changes = row
    return Claim(
        base_url,
        external_id,
        provider,
        revision,
        fence,
        attempts,
        failures,
        lease_until,
        document,
        changes,
    )


def _claimable(
    db: Database, values: dict[str, Any], gatekeeper: Gatekeeper, limit: int, statement: str
) -> list[Any]:
    if values["external_id"] is not None:
        statement = sql.ASKED_FOR
    rows = db.execute(statement + db.skip, {**values, "limit": limit}).fetchall()
    if len(rows) < limit and gatekeeper.agent_id and values["external_id"] is None:
        rest = {**values, "limit": limit - len(rows)}
        rows += db.execute(sql.HELD + db.skip, rest).fetchall()
    return rows


def settle(
    db: Database, holder: str, results: Sequence[tuple[Claim, Outcome]], now: float
) -> list[bool]:
    """See ``Outbox.settle``."""
    noted = [_settle_one(db, claim, outcome, now) for claim, outcome in results]
    for base_url in {claim.base_url for claim, _ in results}:
        outcomes = [outcome for claim, outcome in results if claim.base_url == base_url]
        _gate.note(db, base_url, holder, outcomes, now)
    return noted


def _settle_one(db: Database, claim: Claim, outcome: Outcome, now: float) -> bool:
    failed = outcome.tried and outcome.state == "due" and outcome.away != "key"
    values = {
        "base_url": claim.base_url,
        "external_id": claim.external_id,
        "fence": claim.fence,
        "revision": claim.revision,
        "now": now,
        "state": outcome.state,
        "due_at": now if outcome.away == "key" else outcome.due_at,
        "status": outcome.status,
        "details": outcome.details[:DETAILS_KEPT],
        "untried": int(not outcome.tried),
        "failed": int(failed),
        "unsure": int(outcome.unsure),
        "settling": SETTLING,
    }
    if db.execute(sql.SETTLE, values).rowcount:
        return True
    if outcome.state == "sent" or outcome.unsure:
        db.execute(sql.OVERTAKEN, values)
    return False


def next_due(db: Database, base_url: str, gatekeeper: Gatekeeper) -> float | None:
    """See ``Outbox.next_due``."""
    states = ("due", "held") if gatekeeper.agent_id else ("due",)
    rows = [
        db.execute(statement, {"base_url": base_url, "state": state}).fetchone()
        for state in states
        for statement in (sql.NEXT_DUE, sql.NEXT_FREE)
    ]
    moments = [float(row[0]) for row in rows if row is not None and row[0] is not None]
    if not moments:
        return None
    moment = min(moments)
    state = _gate.known(db, base_url)
    if state.is_open(gatekeeper):
        return moment
    return max(moment, state.gate.closed_until, state.probe_until)


def deliveries(db: Database, base_url: str | None) -> list[Delivery]:
    """See ``Outbox.deliveries``."""
    values = {"base_url": base_url}
    rows = db.execute(sql.DELIVERIES, values).fetchall()
    live = db.execute(sql.LIVE, values).fetchall()
    return [Delivery(*row) for row in [*rows, *live]]


def stats(db: Database) -> Stats:
    """See ``Outbox.stats``."""
    rows = db.execute(sql.STATS).fetchall()
    live, size = db.execute(sql.LIVE_STATS).fetchone()
    counts: dict[State, int] = {row[0]: int(row[1]) for row in rows}
    return Stats(
        {**counts, **({"live": int(live)} if live else {})},
        attempts=sum(int(row[2]) for row in rows),
        size=int(size) + sum(int(row[3]) for row in rows),
        waiting_since=min((row[4] for row in rows if row[0] in ("due", "held")), default=None),
    )


def readdress(db: Database, base_url: str, now: float) -> int:
    """See ``Outbox.readdress``."""
    _pending.readdress(db, base_url)
    rows = db.execute(sql.HOMELESS + db.skip, {"base_url": base_url, "now": now}).fetchall()
    for row in rows:
        _move(db, row, base_url, now)
    return len(rows)


def redirect(db: Database, source: str, base_url: str, now: float) -> int:
    """See ``Engine.redirect``."""
    rows = db.execute(sql.MISTAKEN + db.skip, {"source": source, "now": now}).fetchall()
    for row in rows:
        db.execute(sql.ANEW, {"id": row[0], "now": now})
        _pending.redirect(db, source, base_url, row[1])
        _move(db, row, base_url, now)
    return len(rows)


def _move(db: Database, row: Any, base_url: str, now: float) -> None:
    key = {"base_url": base_url, "external_id": row[1]}
    there = db.execute(sql.THERE + db.lock, key).fetchone()
    if there is None:
        db.execute(sql.MOVE, {"base_url": base_url, "now": now, "id": row[0]})
        return
    db.execute(sql.DELETE, {"id": row[0]})
    if there[3] != "skipped":
        _join(db, there, row, now)


def _join(db: Database, there: Any, moved: Any, now: float) -> None:
    """Two rows of one call in one: the newer document, and every enrichment."""
    row_id, _, provider, state, put_at, document, changes = there
    _, _, moved_provider, moved_state, moved_at, moved_document, moved_changes = moved
    if document is None or (moved_document and moved_at > put_at):
        document, provider, state = moved_document, moved_provider, moved_state
    together: dict[str, Any] = {}
    for one in (changes, moved_changes):
        together = merged(together, json.loads(one) if one else {})
    packed = json.dumps(together).encode() if together else None
    content = {"id": row_id, "document": document, "changes": packed}
    db.execute(sql.JOIN_CONTENT, content)
    values = {
        "id": row_id,
        "provider": provider,
        "state": state if document is None or state == "held" else "due",
        "now": now,
        "size": len(document or b"") + len(packed or b""),
    }
    db.execute(sql.JOIN, values)


def maintain(db: Database, now: float, retain: float, max_age: float) -> int:
    """See ``Outbox.maintain``."""
    for state, kept in (("sent", retain), ("dead", DEAD_KEPT), ("skipped", DEAD_KEPT)):
        old = {"now": now, "state": state, "before": now - kept, "at_once": sql.AT_ONCE}
        db.execute(sql.PURGE, old)
    back = {"now": now, "horizon": now + HORIZON}
    for statement in (sql.UNDELAY, sql.UNLEASE, sql.UNCLOSE):
        db.execute(statement, back)
    # Those who look give up themselves, and say so in the document.
    _pending.tidy(db, **back, retain=retain, kept=DEAD_KEPT, max_age=max_age + GRACE)
    old = {"now": now, "before": now - max_age, "at_once": sql.AT_ONCE}
    return db.execute(sql.EXPIRE, old).rowcount
