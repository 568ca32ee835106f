"""Queries of the page: lists with their filters, agents in figures, the raw log."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from zelto_agents.receiver import page_search, reads

__all__ = [
    "Filters",
    "agents",
    "counts",
    "deliveries_of",
    "delivery",
    "facets",
    "listed",
    "log",
    "problems",
    "touched_since",
]

Row = dict[str, Any]

_LAST = 2**62
_SUMMARY = """
SELECT c.seq, c.id, c.external_id AS externalId, c.provider, c.version, c.created_at AS createdAt,
  c.updated_at AS updatedAt, c.started_at AS startedAt, c.duration AS durationSeconds,
  c.ended_reason AS endedReason, c.cost, c.caller, c.turns, c.touched, c.agent_id AS agentId,
  coalesce(a.name, a.external_id) AS agentName
FROM conversations AS c JOIN agents AS a ON a.id = c.agent_id
"""
# A delivery or a recording that came to nothing, of a conversation that is there all the same.
_TROUBLED = """(EXISTS (SELECT 1 FROM outcomes AS o
  WHERE o.external_id = c.external_id AND o.organisation = c.organisation
    AND o.state IN ('rejected', 'failed', 'unconnected'))
  OR EXISTS (SELECT 1 FROM recordings AS r
  WHERE r.conversation_id = c.id AND r.url = c.recording_url AND r.state = 'failed'))"""
_LOST_RECORDINGS = """
FROM recordings AS r JOIN conversations AS c ON c.id = r.conversation_id AND c.recording_url = r.url
WHERE r.state = 'failed'
"""
_LOST = """
SELECT 'recording-' || r.id AS key, c.seq AS id, c.id AS conversationId, c.updated_at AS receivedAt,
  c.external_id AS externalId, 'recording' AS state, r.why AS reason, c.provider
"""
# The grave ones first.
_GRAVE = ("failed", "rejected", "recording", "unconnected", "ignored")
_EQUAL = {
    "agent": "c.agent_id",
    "version": "c.version",
    "reason": "c.ended_reason",
    "provider": "c.provider",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which conversations are listed; None for any."""

    q: str | None = None
    agent: str | None = None
    version: str | None = None
    reason: str | None = None
    provider: str | None = None
    problems: bool = False

    def condition(self) -> tuple[str, list[Any]]:
        """SQL over ``conversations AS c`` and its values."""
        parts, values = ["1"], list[Any]()
        for name, column in _EQUAL.items():
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(value)
        if self.problems:
            parts.append(_TROUBLED)
        if self.q and page_search.words(self.q):
            part, more = page_search.condition(self.q)
            parts.append(part)
            values += more
        return " AND ".join(parts), values


def listed(
    db: sqlite3.Connection, filters: Filters, *, limit: int, before: int | None = None
) -> list[Row]:
    """Conversations without their turns, newest first; what a search found is quoted."""
    where, values = filters.condition()
    statement = f"{_SUMMARY} WHERE c.seq < ? AND {where} ORDER BY c.seq DESC LIMIT ?"
    found = reads.rows(db, statement, _LAST if before is None else before, *values, limit)
    if filters.q:
        for row in found:
            row["match"] = _match(db, row["seq"], filters.q)
    return found


def touched_since(db: sqlite3.Connection, touched: int, *, limit: int) -> list[Row]:
    """Conversations changed after change number ``touched``, oldest change first."""
    statement = f"{_SUMMARY} WHERE c.touched > ? ORDER BY c.touched LIMIT ?"
    return reads.rows(db, statement, touched, limit)


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many conversations, deliveries and problems there are, and the last change number."""
    known = reads.counts(db)
    failed = db.execute(f"SELECT count(*) {_LOST_RECORDINGS}").fetchone()[0]
    return known | {"problems": known["problems"] + int(failed)}


def problems(db: sqlite3.Connection, *, limit: int, after: tuple[str, int] | None) -> list[Row]:
    """What went wrong: deliveries without a conversation, recordings that were not fetched.

    The grave ones first, and of each state the newest first.

    Args:
        db: the database.
        limit: how many at most.
        after: state and ``id`` of the last one that is known already.
    """
    state, before = after or (_GRAVE[0], _LAST)
    found: list[Row] = []
    for each in _GRAVE[_GRAVE.index(state) :]:
        left = limit - len(found)
        if each == "recording":
            statement = f"{_LOST} {_LOST_RECORDINGS} AND c.seq < ? ORDER BY c.seq DESC LIMIT ?"
            found += reads.rows(db, statement, before, left)
        else:
            found += reads.problems(db, each, before=before, limit=left)
        before = _LAST
    return found


def facets(db: sqlite3.Connection) -> Row:
    """What the conversations can be filtered by, with how many there are of each."""
    statement = """
    SELECT agent_id, version, provider, ended_reason, count(*) AS count FROM conversations
    GROUP BY agent_id, version, provider, ended_reason
    """
    names = {
        row["id"]: row["name"]
        for row in db.execute("SELECT id, coalesce(name, external_id) AS name FROM agents")
    }
    tallies: dict[str, dict[str, int]] = {"agent": {}, "version": {}, "provider": {}, "reason": {}}
    for agent, version, provider, reason, count in db.execute(statement):
        of_row = {"agent": agent, "version": version, "provider": provider, "reason": reason}
        for kind, value in of_row.items():
            if value is not None:
                tallies[kind][value] = tallies[kind].get(value, 0) + count
    return {
        kind: [
            {"value": value, "name": names.get(value, value), "count": count}
            for value, count in sorted(tally.items(), key=lambda pair: -pair[1])
        ]
        for kind, tally in tallies.items()
    }


_VERSIONS = """
WITH ranked AS (
  SELECT agent_id, version, duration, row_number() OVER each AS place, count(*) OVER whole AS many
  FROM conversations WHERE duration IS NOT NULL
  WINDOW each AS (PARTITION BY agent_id, version ORDER BY duration),
    whole AS (PARTITION BY agent_id, version)),
medians AS (
  SELECT agent_id, version, avg(duration) AS median FROM ranked
  WHERE place IN ((many + 1) / 2, (many + 2) / 2) GROUP BY agent_id, version)
SELECT c.agent_id AS agentId, c.version, count(*) AS calls, sum(c.duration) AS totalSeconds,
  m.median AS medianSeconds, sum(c.cost) AS cost, count(c.cost) AS priced,
  avg(c.cost) AS costPerCall, avg(c.turns) AS turnsPerCall, min(c.created_at) AS firstAt,
  max(c.created_at) AS lastAt
FROM conversations AS c
LEFT JOIN medians AS m ON m.agent_id = c.agent_id AND m.version IS c.version
GROUP BY c.agent_id, c.version ORDER BY lastAt DESC
"""
_REASONS = """
SELECT agent_id AS agentId, version, ended_reason AS reason, count(*) AS count
FROM conversations GROUP BY agent_id, version, ended_reason ORDER BY count DESC
"""
_AGENTS = """
SELECT id, provider, external_id AS externalId, coalesce(name, external_id) AS name,
  created_at AS createdAt FROM agents ORDER BY seq DESC
"""


def agents(db: sqlite3.Connection) -> list[Row]:
    """Agents, newest first, each with the figures of its versions, the last used one first."""
    of_version: dict[tuple[str, str | None], list[Row]] = {}
    for row in reads.rows(db, _REASONS):
        ended = {"reason": row["reason"], "count": row["count"]}
        of_version.setdefault((row["agentId"], row["version"]), []).append(ended)
    of_agent: dict[str, list[Row]] = {}
    for row in reads.rows(db, _VERSIONS):
        agent_id = row.pop("agentId")
        row["reasons"] = of_version[agent_id, row["version"]]
        of_agent.setdefault(agent_id, []).append(row)
    return [row | {"versions": of_agent.get(row["id"], [])} for row in reads.rows(db, _AGENTS)]


_LOG = """
SELECT r.id, r.received_at AS receivedAt, r.provider, length(r.body) AS size, o.status,
  coalesce(o.state, 'received') AS state, o.reason, o.external_id AS externalId
FROM raw AS r LEFT JOIN outcomes AS o ON o.raw_id = r.id
"""


def log(
    db: sqlite3.Connection,
    *,
    limit: int,
    before: int | None = None,
    state: str | None = None,
    provider: str | None = None,
) -> list[Row]:
    """Entries of the raw log without their bodies, newest first."""
    where, values = "r.id < ?", list[Any]((_LAST if before is None else before,))
    if state is not None:
        where += " AND coalesce(o.state, 'received') = ?"
        values.append(state)
    if provider is not None:
        where += " AND coalesce(r.provider, '') = ?"
        values.append(provider)
    return reads.rows(db, f"{_LOG} WHERE {where} ORDER BY r.id DESC LIMIT ?", *values, limit)


def deliveries_of(db: sqlite3.Connection, external_id: str, organisation: str) -> list[Row]:
    """The deliveries of one call, oldest first; ``sameAs`` names the first with the same bytes."""
    statement = """
    SELECT r.id, (
      SELECT min(e.id) FROM outcomes AS p JOIN raw AS e ON e.id = p.raw_id
      WHERE p.external_id = o.external_id AND p.organisation = o.organisation
        AND p.raw_id < o.raw_id AND e.body = r.body) AS first
    FROM outcomes AS o JOIN raw AS r ON r.id = o.raw_id
    WHERE o.external_id = ? AND o.organisation = ?
    """
    same = {row["id"]: row["first"] for row in db.execute(statement, (external_id, organisation))}
    found = reads.deliveries(db, external_id, organisation)
    return [row | {"sameAs": same[row["id"]]} for row in found]


def delivery(db: sqlite3.Connection, raw_id: int) -> Row | None:
    """One entry of the raw log without its body, with the conversation that it belongs to."""
    found = reads.delivery(db, raw_id)
    if found is None:
        return None
    row = db.execute(
        "SELECT id FROM conversations WHERE external_id = ? AND organisation = ?",
        (found["externalId"], reads.owner(db, raw_id)),
    ).fetchone()
    kept = db.execute("SELECT headers FROM raw WHERE id = ?", (raw_id,)).fetchone()["headers"]
    headers = {} if kept is None else {"headers": json.loads(kept)}
    return found | {"conversationId": None if row is None else row["id"]} | headers


def _match(db: sqlite3.Connection, seq: int, text: str) -> Row | None:
    row = db.execute("SELECT document FROM conversations WHERE seq = ?", (seq,)).fetchone()
    turns = json.loads(row["document"]).get("transcript", {}).get("turns", [])
    return page_search.first_match(text, turns)
