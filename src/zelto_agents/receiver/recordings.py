"""What is known of recordings: which address each conversation's has, and how its fetch goes.

A recording is ``waiting`` (it was not fetched yet, or will be tried again), ``ready``, or
``failed`` (nobody tries again unasked). A conversation whose address changes keeps its old
recording until the new one is there.
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Recording",
    "arrived",
    "due",
    "expect",
    "failed",
    "find",
    "folder",
    "forget",
    "known_ids",
    "next_after",
    "retry",
    "retry_refused",
    "shown",
    "untried",
    "waiting",
]

_NAMES = uuid.UUID("b1f6d0c6-96a4-5a60-8c3c-0a6f9d8c1e21")

_CURRENT = """
SELECT r.id, r.conversation_id, c.external_id, r.url, r.tries FROM recordings AS r
JOIN conversations AS c ON c.id = r.conversation_id AND c.recording_url = r.url
"""


@dataclass(frozen=True, slots=True)
class Recording:
    """One address of a conversation's recording, to be fetched."""

    id: str
    conversation_id: str
    external_id: str
    url: str
    tries: int


def folder(database: Path) -> Path:
    """Where the files are: beside the database."""
    return database.with_name(f"{database.name}-recordings")


def expect(db: sqlite3.Connection, conversation_id: str, url: str) -> None:
    """Notes the address that a conversation's recording has now; a failed one is due again."""
    db.execute(
        "DELETE FROM recordings WHERE conversation_id = ? AND url <> ? AND state <> 'ready'",
        (conversation_id, url),
    )
    name = str(uuid.uuid5(_NAMES, f"{conversation_id} {url}"))
    db.execute(
        "INSERT INTO recordings (id, conversation_id, url, state) VALUES (?, ?, ?, 'waiting')"
        " ON CONFLICT DO UPDATE SET state = 'waiting', tries = 0 WHERE state = 'failed'",
        (name, conversation_id, url),
    )


def due(db: sqlite3.Connection, now: str, *, limit: int) -> list[Recording]:
    """Recordings to fetch now, those that wait longest first."""
    statement = (
        f"{_CURRENT} WHERE r.state = 'waiting' AND coalesce(r.next_try_at, '') <= ?"
        " ORDER BY r.next_try_at, r.rowid LIMIT ?"
    )
    return [Recording(*row) for row in db.execute(statement, (now, limit))]


def waiting(db: sqlite3.Connection) -> bool:
    """Whether any recording is to be fetched, now or later."""
    row = db.execute("SELECT 1 FROM recordings WHERE state = 'waiting' LIMIT 1").fetchone()
    return row is not None


def untried(db: sqlite3.Connection) -> bool:
    """Whether any recording waits that nobody tried to fetch yet."""
    statement = "SELECT 1 FROM recordings WHERE state = 'waiting' AND next_try_at IS NULL LIMIT 1"
    return db.execute(statement).fetchone() is not None


def next_after(db: sqlite3.Connection, now: str) -> str | None:
    """When the next recording that is not due yet is to be tried; None when there is none."""
    statement = (
        "SELECT min(next_try_at) FROM recordings WHERE state = 'waiting' AND next_try_at > ?"
    )
    found = db.execute(statement, (now,)).fetchone()[0]
    return None if found is None else str(found)


def arrived(
    db: sqlite3.Connection, recording: Recording, *, content_type: str, size: int, touched: int
) -> list[str]:
    """Notes that the file is there; the ids of recordings that it replaces, or its own if unwanted.

    Args:
        db: a connection with an open transaction.
        recording: what was fetched.
        content_type: its media type.
        size: bytes.
        touched: the number of this change.
    """
    changed = db.execute(
        "UPDATE recordings SET state = 'ready', why = NULL, next_try_at = NULL, tries = tries + 1,"
        " content_type = ?, bytes = ? WHERE id = ?",
        (content_type, size, recording.id),
    )
    if changed.rowcount == 0:
        return [recording.id]
    replaced = db.execute(
        "SELECT id FROM recordings WHERE conversation_id = ? AND id <> ? AND state = 'ready'",
        (recording.conversation_id, recording.id),
    ).fetchall()
    for row in replaced:
        db.execute("DELETE FROM recordings WHERE id = ?", (row["id"],))
    _touch(db, recording.conversation_id, touched)
    return [str(row["id"]) for row in replaced]


def failed(
    db: sqlite3.Connection, recording: Recording, why: str, next_try_at: str | None, *, touched: int
) -> None:
    """Notes a fetch that came to nothing, and when it is tried again; None for never."""
    db.execute(
        "UPDATE recordings SET state = ?, why = ?, next_try_at = ?, tries = tries + 1"
        " WHERE id = ? AND state = 'waiting'",
        ("waiting" if next_try_at else "failed", why, next_try_at, recording.id),
    )
    _touch(db, recording.conversation_id, touched)


def retry(db: sqlite3.Connection, conversation_id: str, *, touched: int) -> bool:
    """Makes a conversation's missing recording due now, as if new; whether there was one."""
    changed = db.execute(
        "UPDATE recordings SET state = 'waiting', tries = 0, next_try_at = NULL"
        " WHERE state <> 'ready' AND conversation_id = ? AND url ="
        " (SELECT recording_url FROM conversations WHERE id = ?)",
        (conversation_id, conversation_id),
    )
    if changed.rowcount:
        _touch(db, conversation_id, touched)
    return changed.rowcount > 0


def retry_refused(db: sqlite3.Connection, why: str) -> None:
    """Makes recordings due that nobody was to fetch for this reason."""
    db.execute(
        "UPDATE recordings SET state = 'waiting', tries = 0 WHERE state = 'failed' AND why = ?"
        " AND url = (SELECT recording_url FROM conversations AS c WHERE c.id = conversation_id)",
        (why,),
    )


def forget(db: sqlite3.Connection, conversation_id: str) -> list[str]:
    """Forgets all recordings of a conversation; their ids, for their files."""
    rows = db.execute(
        "SELECT id FROM recordings WHERE conversation_id = ?", (conversation_id,)
    ).fetchall()
    db.execute("DELETE FROM recordings WHERE conversation_id = ?", (conversation_id,))
    return [str(row["id"]) for row in rows]


def find(
    db: sqlite3.Connection, recording_id: str, organisation: str | None = None
) -> dict[str, Any] | None:
    """A recording that is ready: its media type and size; of one organisation, or of any."""
    row = db.execute(
        "SELECT r.id, r.content_type, r.bytes FROM recordings AS r"
        " JOIN conversations AS c ON c.id = r.conversation_id"
        " WHERE r.id = ? AND r.state = 'ready' AND (? IS NULL OR c.organisation = ?)",
        (recording_id, organisation, organisation),
    ).fetchone()
    return None if row is None else dict(row)


def known_ids(db: sqlite3.Connection) -> set[str]:
    """The ids of all recordings whose files are kept."""
    return {str(row["id"]) for row in db.execute("SELECT id FROM recordings")}


def shown(db: sqlite3.Connection, conversation_id: str, url: str | None) -> dict[str, Any] | None:
    """How a conversation's recording fares, as its page and its tests see it.

    While a new address is being fetched, ``url`` is still the old recording.
    """
    if url is None:
        return None
    rows = db.execute(
        "SELECT * FROM recordings WHERE conversation_id = ?", (conversation_id,)
    ).fetchall()
    current = next((row for row in rows if row["url"] == url), None)
    if current is None:
        return None
    there = current if current["state"] == "ready" else None
    there = there or next((row for row in rows if row["state"] == "ready"), None)
    return {
        "state": current["state"],
        "url": None if there is None else f"/recordings/{there['id']}",
        "contentType": None if there is None else there["content_type"],
        "bytes": None if there is None else there["bytes"],
        "why": current["why"],
        "tries": current["tries"],
        "nextTryAt": current["next_try_at"],
    }


def _touch(db: sqlite3.Connection, conversation_id: str, touched: int) -> None:
    db.execute("UPDATE conversations SET touched = ? WHERE id = ?", (touched, conversation_id))
