"""Queries: what the database knows, as plain dictionaries ready for JSON."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from typing import Any

from zelto_agents.receiver import recordings

__all__ = [
    "agents",
    "conversation",
    "conversation_of",
    "conversations",
    "counts",
    "deliveries",
    "delivery",
    "document",
    "idle",
    "owner",
    "problems",
    "raw_body",
    "rows",
    "summaries",
    "touched_since",
]

Row = dict[str, Any]

_BEFORE = 2**62

_SUMMARY = """
SELECT c.seq, c.id, c.external_id AS externalId, c.provider, c.version, c.created_at AS createdAt,
  c.updated_at AS updatedAt, c.started_at AS startedAt, c.duration AS durationSeconds,
  c.ended_reason AS endedReason, c.cost, c.caller, c.turns, c.touched,
  coalesce(a.name, a.external_id) AS agentName
FROM conversations AS c JOIN agents AS a ON a.id = c.agent_id
"""

_WHOLE = """
SELECT c.seq, c.id, c.organisation, c.external_id, c.provider, c.version, c.created_at,
  c.updated_at, c.duration, c.recording_url, c.document, a.id AS agent_id,
  a.provider AS agent_provider, a.external_id AS agent_external_id,
  coalesce(a.name, a.external_id) AS agent_name,
  (SELECT count(*) FROM outcomes AS o
    WHERE o.external_id = c.external_id AND o.organisation = c.organisation) AS deliveries
FROM conversations AS c JOIN agents AS a ON a.id = c.agent_id
"""

_DELIVERY = """
SELECT r.id, r.received_at AS receivedAt, r.provider, length(r.body) AS size, o.status,
  coalesce(o.state, 'received') AS state, o.reason, o.external_id AS externalId
FROM raw AS r LEFT JOIN outcomes AS o ON o.raw_id = r.id
"""

# What a later delivery of the same conversation has put right is no problem any more.
_PROBLEM = """
WHERE o.state <> 'ingested' AND NOT EXISTS (
  SELECT 1 FROM conversations AS c WHERE c.external_id = o.external_id
    AND c.organisation = o.organisation AND c.raw_id > o.raw_id)
"""
# Of one organisation, or of all when it is None.
_OF = "(? IS NULL OR {of}.organisation = ?)"


def rows(db: sqlite3.Connection, statement: str, *values: object) -> list[Row]:
    """The rows of a query as dictionaries."""
    return [dict(row) for row in db.execute(statement, values)]


def agents(
    db: sqlite3.Connection,
    *,
    limit: int,
    before: int | None = None,
    organisation: str | None = None,
) -> list[Row]:
    """Agents, newest first, before a place in that order."""
    whose = _OF.format(of="agents")
    statement = f"SELECT * FROM agents WHERE seq < ? AND {whose} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - own text
    return rows(db, statement, _place(before), organisation, organisation, limit)


def conversations(
    db: sqlite3.Connection,
    *,
    limit: int,
    before: int | None = None,
    organisation: str | None = None,
) -> list[Row]:
    """Whole conversations, newest first, before a place in that order."""
    statement = f"{_WHOLE} WHERE c.seq < ? AND {_OF.format(of='c')} ORDER BY c.seq DESC LIMIT ?"
    values = (_place(before), organisation, organisation, limit)
    return [_whole(db, row) for row in db.execute(statement, values).fetchall()]


def conversation(
    db: sqlite3.Connection, conversation_id: str, organisation: str | None = None
) -> Row | None:
    """One whole conversation by its id here."""
    return _one(db, "c.id = ?", conversation_id, organisation)


def conversation_of(
    db: sqlite3.Connection, external_id: str, organisation: str | None = None
) -> Row | None:
    """One whole conversation by its ``call.externalId``; the newest if organisations share it."""
    return _one(db, "c.external_id = ?", external_id, organisation)


def document(db: sqlite3.Connection, conversation_id: str) -> Row | None:
    """The merged document of a conversation, as it would go over the wire."""
    row = db.execute(
        "SELECT document FROM conversations WHERE id = ?", (conversation_id,)
    ).fetchone()
    return None if row is None else json.loads(row["document"])


def summaries(db: sqlite3.Connection, *, limit: int, before: int | None = None) -> list[Row]:
    """Conversations without their turns, newest first, before a place in that order."""
    statement = f"{_SUMMARY} WHERE c.seq < ? ORDER BY c.seq DESC LIMIT ?"
    return rows(db, statement, _place(before), limit)


def touched_since(db: sqlite3.Connection, touched: int, *, limit: int) -> list[Row]:
    """Conversations changed after change number ``touched``, oldest change first."""
    statement = f"{_SUMMARY} WHERE c.touched > ? ORDER BY c.touched LIMIT ?"
    return rows(db, statement, touched, limit)


def deliveries(
    db: sqlite3.Connection, external_id: str | None = None, organisation: str | None = None
) -> list[Row]:
    """Entries of the raw log without their bodies, oldest first; all, or those of one call."""
    where, values = _OF.format(of="r"), [organisation, organisation]
    if external_id is not None:
        where, values = f"o.external_id = ? AND {where}", [external_id, *values]
    return rows(db, f"{_DELIVERY} WHERE {where} ORDER BY r.id", *values)


def problems(db: sqlite3.Connection, state: str, *, before: int, limit: int) -> list[Row]:
    """Deliveries of this state that no conversation came of, newest first."""
    where = f"{_PROBLEM} AND o.state = ? AND r.id < ?"
    return rows(db, f"{_DELIVERY} {where} ORDER BY r.id DESC LIMIT ?", state, before, limit)


def delivery(db: sqlite3.Connection, raw_id: int) -> Row | None:
    """One entry of the raw log without its body."""
    found = rows(db, f"{_DELIVERY} WHERE r.id = ?", raw_id)
    return found[0] if found else None


def owner(db: sqlite3.Connection, raw_id: int) -> str | None:
    """The organisation whose key brought one entry of the raw log."""
    row = db.execute("SELECT organisation FROM raw WHERE id = ?", (raw_id,)).fetchone()
    return None if row is None else str(row["organisation"])


def raw_body(db: sqlite3.Connection, raw_id: int, *, limit: int = 2**31 - 1) -> bytes | None:
    """The bytes of one entry of the raw log, at most ``limit`` of them."""
    statement = "SELECT coalesce(substr(body, 1, ?), zeroblob(0)) AS body FROM raw WHERE id = ?"
    row = db.execute(statement, (limit, raw_id)).fetchone()
    return None if row is None else bytes(row["body"])


def idle(db: sqlite3.Connection) -> bool:
    """Whether every entry of the raw log has its outcome."""
    statement = "SELECT (SELECT count(*) FROM raw) = (SELECT count(*) FROM outcomes)"
    return bool(db.execute(statement).fetchone()[0])


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many conversations, deliveries and problems there are, and the last change number."""
    statement = f"""
    SELECT (SELECT count(*) FROM conversations) AS conversations,
      (SELECT coalesce(max(id), 0) FROM raw) AS deliveries,
      (SELECT count(*) FROM outcomes AS o {_PROBLEM}) AS problems,
      (SELECT coalesce(max(touched), 0) FROM conversations) AS touched
    """  # noqa: S608 - own text
    return rows(db, statement)[0]


def _place(before: int | None) -> int:
    return _BEFORE if before is None else before


def _one(
    db: sqlite3.Connection, condition: str, value: str, organisation: str | None
) -> Row | None:
    where = f"{condition} AND {_OF.format(of='c')}"
    statement = f"{_WHOLE} WHERE {where} ORDER BY c.seq DESC LIMIT 1"
    row = db.execute(statement, (value, organisation, organisation)).fetchone()
    return None if row is None else _whole(db, row)


def _whole(db: sqlite3.Connection, row: sqlite3.Row) -> Row:
    document: Row = json.loads(row["document"])
    call = document["call"]
    prompt, turns = _prompt_and_turns(document)
    return {
        "seq": row["seq"],
        "id": row["id"],
        "organisation": row["organisation"],
        "externalId": row["external_id"],
        "provider": row["provider"],
        "source": _source(row["provider"]),
        "agent": {
            "id": row["agent_id"],
            "provider": row["agent_provider"],
            "externalId": row["agent_external_id"],
            "name": row["agent_name"],
        },
        "version": row["version"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "startedAt": call.get("startedAt"),
        "endedAt": call.get("endedAt"),
        "durationSeconds": row["duration"],
        "endedReason": call.get("endedReason"),
        "cost": call.get("cost"),
        "costText": _dollars(call.get("cost")),
        "recordingUrl": call.get("recordingUrl"),
        "recording": recordings.shown(db, row["id"], row["recording_url"]),
        "customer": call.get("customer"),
        "systemPrompt": prompt,
        "turns": turns,
        "metadata": document.get("metadata"),
        "deliveries": row["deliveries"],
    }


def _prompt_and_turns(document: Row) -> tuple[str | None, list[Row]]:
    sent = document.get("transcript", {}).get("turns", [])
    turns = [
        {
            "index": index,
            "role": turn["role"],
            "content": turn["content"],
            "startSeconds": turn.get("startSeconds"),
            "endSeconds": turn.get("endSeconds"),
        }
        for index, turn in enumerate(sent)
    ]
    prompt = document.get("systemPrompt")
    if prompt is None and turns and turns[0]["role"] == "system":
        return turns[0]["content"], turns[1:]
    return prompt, turns


def _source(provider: str) -> str:
    # Assumed: what came without a provider of its own was uploaded.
    return "upload" if provider == "zelto" else provider


def _dollars(cost: float | None) -> str | None:
    return None if cost is None else f"{Decimal(str(cost)).normalize():f}"
