"""From a body in the raw log to a conversation: find or create the agent, merge, store."""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any

from zelto_agents.receiver.verdict import State, Verdict

__all__ = ["ingest", "merge"]

Document = dict[str, Any]


class _SemanticFaultError(Exception):
    """A semantic fault: the body was accepted, and yet no conversation comes of it."""


def ingest(
    db: sqlite3.Connection, raw_id: int, verdict: Verdict, *, touched: int, now: str
) -> None:
    """Works one judged body into the conversations and writes down what became of it.

    Args:
        db: a connection with an open transaction.
        raw_id: the entry of the raw log.
        verdict: what was answered.
        touched: the number of this change, rising with every change.
        now: the time, RFC 3339.
    """
    state, reason = verdict.state, verdict.reason
    if verdict.call is not None:
        try:
            state, reason = _apply(db, raw_id, verdict, touched=touched, now=now)
        except _SemanticFaultError as failure:
            state, reason = "failed", str(failure)
    db.execute(
        "INSERT INTO outcomes (raw_id, status, state, reason, external_id) VALUES (?, ?, ?, ?, ?)",
        (raw_id, verdict.status, state, reason, verdict.external_id),
    )


def merge(old: Document, new: Document) -> Document:
    """One document from an earlier one and a re-send of the same ``call.externalId``.

    Assumed, not stated by the guide: what a re-send omits keeps its earlier value, field by field
    in ``call`` and as a whole elsewhere; what it carries replaces, so that cost never adds up.
    """
    return {**old, **new, "call": {**old["call"], **new["call"]}}


def _apply(
    db: sqlite3.Connection, raw_id: int, verdict: Verdict, *, touched: int, now: str
) -> tuple[State, str | None]:
    assert verdict.call is not None  # noqa: S101 - the caller looked
    document: Document = json.loads(verdict.call.wire())
    known = db.execute(
        "SELECT id, document FROM conversations WHERE external_id = ?", (verdict.external_id,)
    ).fetchone()
    if known is None and not _connected(document):
        return "unconnected", "neither turns nor a recording: an unconnected dial"
    agent_id = _agent(db, verdict.provider, document, now)
    if known is not None:
        document = merge(json.loads(known["document"]), document)
    columns = _columns(document) | {
        "external_id": verdict.external_id,
        "agent_id": agent_id,
        "provider": verdict.provider,
        "updated_at": now,
        "raw_id": raw_id,
        "touched": touched,
    }
    if known is None:
        columns |= {"id": str(uuid.uuid4()), "created_at": now}
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        statement = f"INSERT INTO conversations ({names}) VALUES ({marks})"  # noqa: S608 - own names
        db.execute(statement, tuple(columns.values()))
    else:
        changes = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE conversations SET {changes} WHERE id = ?"  # noqa: S608 - own names
        db.execute(statement, (*columns.values(), known["id"]))
    return "ingested", None


def _connected(document: Document) -> bool:
    turns = document.get("transcript", {}).get("turns")
    return bool(turns) or "recordingUrl" in document["call"]


def _columns(document: Document) -> dict[str, Any]:
    call = document["call"]
    customer = call.get("customer", {})
    return {
        "version": document.get("version"),
        "started_at": call.get("startedAt"),
        "duration": call.get("durationSeconds"),
        "ended_reason": call.get("endedReason"),
        "cost": call.get("cost"),
        "caller": customer.get("name") or customer.get("number"),
        "turns": len(document.get("transcript", {}).get("turns", ())),
        "document": json.dumps(document, ensure_ascii=False, separators=(",", ":")),
    }


def _agent(db: sqlite3.Connection, provider: str, document: Document, now: str) -> str:
    if "agentId" in document:
        agent_id = str(document["agentId"])
        if db.execute("SELECT 1 FROM agents WHERE id = ?", (agent_id,)).fetchone() is None:
            raise _SemanticFaultError(f"agentId {agent_id} does not exist in this organisation")
        return agent_id
    external_id, name = document["agent"]["externalId"], document["agent"].get("name")
    found = db.execute(
        "SELECT id, name FROM agents WHERE provider = ? AND external_id = ?",
        (provider, external_id),
    ).fetchone()
    if found is None:
        agent_id = str(uuid.uuid4())
        db.execute(
            "INSERT INTO agents (id, provider, external_id, name, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (agent_id, provider, external_id, name, now, now),
        )
        return agent_id
    # Assumed: the first name that comes is kept, even if the first call brought none.
    if found["name"] is None and name is not None:
        db.execute(
            "UPDATE agents SET name = ?, updated_at = ? WHERE id = ?", (name, now, found["id"])
        )
    return str(found["id"])
