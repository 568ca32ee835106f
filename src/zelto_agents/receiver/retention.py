"""What leaves the database again: old conversations, and what replay makes anew."""

from __future__ import annotations

import sqlite3

from zelto_agents.receiver import recordings

__all__ = ["drop_what_replay_makes", "expire"]


def expire(db: sqlite3.Connection, *, keep: int) -> list[str]:
    """Deletes all but the newest conversations, with their bodies in the raw log.

    Bodies that no conversation came of go as well, once they are older than what was deleted.
    Agents stay: their ids may be known elsewhere.

    Args:
        db: a connection with an open transaction.
        keep: how many conversations stay, by when they first came.

    Returns:
        The ids of recordings whose files are not needed any more.
    """
    # Their numbers have no gaps: only the oldest are ever deleted.
    last = db.execute("SELECT coalesce(max(seq), 0) - ? FROM conversations", (keep,)).fetchone()[0]
    old = db.execute(
        "SELECT id, organisation, external_id FROM conversations WHERE seq <= ?", (last,)
    ).fetchall()
    if not old:
        return []
    files: list[str] = []
    for each in old:
        files += recordings.forget(db, each["id"])
        db.execute(
            "INSERT OR IGNORE INTO expired SELECT raw_id FROM outcomes"
            " WHERE external_id = ? AND organisation = ?",
            (each["external_id"], each["organisation"]),
        )
    db.execute("DELETE FROM conversations WHERE seq <= ?", (last,))
    db.execute(
        "INSERT OR IGNORE INTO expired SELECT o.raw_id FROM outcomes AS o"
        " WHERE o.raw_id < (SELECT max(raw_id) FROM expired) AND o.state <> 'ingested'"
        " AND NOT EXISTS (SELECT 1 FROM conversations AS c"
        " WHERE c.external_id = o.external_id AND c.organisation = o.organisation)"
    )
    db.execute("DELETE FROM outcomes WHERE raw_id IN (SELECT raw_id FROM expired)")
    db.execute("DELETE FROM raw WHERE id IN (SELECT raw_id FROM expired)")
    db.execute("DELETE FROM expired")
    return files


def drop_what_replay_makes(db: sqlite3.Connection) -> None:
    """Deletes conversations, agents and outcomes; ingest makes them again from the raw log.

    Agents stay when retention has taken bodies out of the log: theirs may be among them.
    """
    with db:
        db.execute("BEGIN IMMEDIATE")
        tables = ["conversations", "outcomes"]
        if not _has_gaps(db):
            tables.append("agents")
        for table in tables:
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - own names
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))


def _has_gaps(db: sqlite3.Connection) -> bool:
    statement = "SELECT coalesce(max(seq), 0) > (SELECT count(*) FROM raw) FROM sqlite_sequence"
    return bool(db.execute(f"{statement} WHERE name = 'raw'").fetchone()[0])
