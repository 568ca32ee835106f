"""From a body in the raw log to a conversation: find or create the agent, merge, store.

The outcome depends on the raw log alone, ids and times included, so that working it in again gives
the same conversations.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import dataclass, replace
from typing import Any

from zelto_agents.receiver import recordings
from zelto_agents.receiver.verdict import State, Verdict

__all__ = ["Entry", "ingest", "merge"]

Document = dict[str, Any]

_NAMES = uuid.UUID("5f0c7a1e-6f4b-5c53-9d0e-2a5b8f7d3c10")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a body stands in the raw log: its number, whose it is, when it came (RFC 3339)."""

    raw_id: int
    organisation: str
    received_at: str


class _SemanticFaultError(Exception):
    """A semantic fault: the body was accepted, and yet no conversation comes of it."""


def ingest(db: sqlite3.Connection, entry: Entry, verdict: Verdict, *, touched: int) -> None:
    """Works one judged body into the conversations and writes down what became of it.

    Args:
        db: a connection with an open transaction.
        entry: its place in the raw log.
        verdict: what was answered.
        touched: the number of this change, rising with every change.

    Raises:
        sqlite3.OperationalError: the disk is full, or the like; the transaction may be over.
    """
    db.execute("SAVEPOINT one")
    try:
        _ingest(db, entry, verdict, touched)
    except Exception as error:
        if _is_of_the_disk(error):
            raise
        # One strange body must not stop the others.
        db.execute("ROLLBACK TO one")
        reason = f"ingest broke: {type(error).__name__}"
        _ingest(db, entry, replace(verdict, call=None, state="failed", reason=reason), touched)
    db.execute("RELEASE one")


def merge(old: Document, new: Document, *, within: str | None = None) -> Document:
    """One document from an earlier one and a re-send of the same ``call.externalId``.

    Assumed, not stated by the guide: what a re-send omits keeps its earlier value, field by field
    in ``call`` and as a whole elsewhere; what it carries replaces, so that cost never adds up.

    Args:
        old: the earlier document.
        new: the re-send.
        within: a part of the metadata that is merged field by field as well.
    """
    merged = {**old, **new, "call": {**old["call"], **new["call"]}}
    before, after = old.get("metadata", {}), new.get("metadata", {})
    if within in before:
        part = {**before[within], **after.get(within, {})}
        merged["metadata"] = {**merged.get("metadata", {}), within: part}
    return merged


def _is_of_the_disk(error: Exception) -> bool:
    """Whether SQLite could not do anything just now, rather than this: full, locked, unreadable."""
    of_the_statement = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, sqlite3.OperationalError) and not of_the_statement


def _ingest(db: sqlite3.Connection, entry: Entry, verdict: Verdict, touched: int) -> None:
    state, reason = verdict.state, verdict.reason
    if verdict.call is not None:
        try:
            state, reason = _apply(db, entry, verdict, touched)
        except _SemanticFaultError as failure:
            state, reason = "failed", str(failure)
    db.execute(
        "INSERT INTO outcomes (raw_id, organisation, status, state, reason, external_id)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (entry.raw_id, entry.organisation, verdict.status, state, reason, verdict.external_id),
    )


def _apply(
    db: sqlite3.Connection, entry: Entry, verdict: Verdict, touched: int
) -> tuple[State, str | None]:
    assert verdict.call is not None  # noqa: S101 - the caller looked
    wire = verdict.call.wire().decode()
    document: Document = json.loads(wire)
    known = db.execute(
        "SELECT id, raw_id, document FROM conversations WHERE external_id = ? AND organisation = ?",
        (verdict.external_id, entry.organisation),
    ).fetchone()
    if known is not None and known["raw_id"] > entry.raw_id:
        return "ignored", "a body that came later was ingested before"
    if known is None and not _connected(document):
        return "unconnected", "neither turns nor a recording: an unconnected dial"
    agent_id = _agent(db, entry, verdict.provider, document)
    if known is not None:
        # Retell tells of one call twice, the second time with more.
        native = verdict.provider if verdict.provider == "retell" else None
        document = merge(json.loads(known["document"]), document, within=native)
        wire = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    columns = _columns(document) | {
        "document": wire,
        "external_id": verdict.external_id,
        "agent_id": agent_id,
        "provider": verdict.provider,
        "updated_at": entry.received_at,
        "raw_id": entry.raw_id,
        "touched": touched,
    }
    if known is None:
        conversation_id = _id("conversation", entry.organisation, str(verdict.external_id))
        columns |= {
            "id": conversation_id,
            "organisation": entry.organisation,
            "created_at": entry.received_at,
        }
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        statement = f"INSERT INTO conversations ({names}) VALUES ({marks})"  # noqa: S608 - own names
        db.execute(statement, tuple(columns.values()))
    else:
        conversation_id = str(known["id"])
        changes = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE conversations SET {changes} WHERE id = ?"  # noqa: S608 - own names
        db.execute(statement, (*columns.values(), conversation_id))
    if columns["recording_url"] is not None:
        recordings.expect(db, conversation_id, columns["recording_url"])
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
        "recording_url": call.get("recordingUrl"),
    }


def _agent(db: sqlite3.Connection, entry: Entry, provider: str, document: Document) -> str:
    if "agentId" in document:
        agent_id = str(document["agentId"])
        if not _exists(db, entry.organisation, agent_id):
            raise _SemanticFaultError(f"agentId {agent_id} does not exist in this organisation")
        return agent_id
    external_id, name = document["agent"]["externalId"], document["agent"].get("name")
    found = db.execute(
        "SELECT id, name FROM agents WHERE organisation = ? AND provider = ? AND external_id = ?",
        (entry.organisation, provider, external_id),
    ).fetchone()
    now = entry.received_at
    if found is None:
        agent_id = _id("agent", entry.organisation, provider, external_id)
        db.execute(
            "INSERT INTO agents (id, organisation, provider, external_id, name, created_at,"
            " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (agent_id, entry.organisation, provider, external_id, name, now, now),
        )
        return agent_id
    # Assumed: the first name that comes is kept, even if the first call brought none.
    if found["name"] is None and name is not None:
        db.execute(
            "UPDATE agents SET name = ?, updated_at = ? WHERE id = ?", (name, now, found["id"])
        )
    return str(found["id"])


def _exists(db: sqlite3.Connection, organisation: str, agent_id: str) -> bool:
    statement = "SELECT 1 FROM agents WHERE id = ? AND organisation = ?"
    return db.execute(statement, (agent_id, organisation)).fetchone() is not None


def _id(kind: str, *parts: str) -> str:
    """The id of what these parts name: the same whenever it is made again."""
    return str(uuid.uuid5(_NAMES, json.dumps([kind, *parts])))
