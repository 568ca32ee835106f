"""What can be saved of an outbox whose file was damaged or removed, row by row."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

__all__ = ["rescue"]


def rescue(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """Copy whatever can be read and is not in the new file; how many calls that were."""
    saved = 0
    for row in _readable(old, "delivery"):
        saved += _copy(old, new, row, "delivery", ("base_url", "external_id"), "content")
    for row in _readable(old, "journal"):
        saved += _copy(old, new, row, "journal", ("call",), "fact")
    for row in _readable(old, "pending"):
        del row["id"]
        _insert(new, "pending", row)
    return saved


def _readable(old: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows before the first damaged page, and those behind the last."""
    seen: set[int] = set()
    for direction in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error):
            cursor = old.execute(f"SELECT * FROM {table} ORDER BY id {direction}")  # noqa: S608 - constant names
            names = [column[0] for column in cursor.description]
            for values in cursor:
                row = dict(zip(names, values, strict=True))
                if row["id"] not in seen:
                    seen.add(row["id"])
                    yield row


def _copy(
    old: sqlite3.Connection,
    new: sqlite3.Connection,
    row: dict[str, Any],
    table: str,
    known_by: tuple[str, ...],
    part: str,
) -> int:
    """A row with its parts, which are of no use without each other."""
    old_id = row.pop("id")
    try:
        cursor = old.execute(f"SELECT * FROM {part} WHERE {table}_id = ?", (old_id,))  # noqa: S608 - constant names
        names = [column[0] for column in cursor.description]
        parts = [dict(zip(names, values, strict=True)) for values in cursor]
    except sqlite3.Error:
        return 0
    if not parts or not _insert(new, table, row):
        return 0
    where = " AND ".join(f"{name} = :{name}" for name in known_by)
    (new_id,) = new.execute(f"SELECT id FROM {table} WHERE {where}", row).fetchone()  # noqa: S608 - constant names
    for one in parts:
        _insert(new, part, {**one, f"{table}_id": new_id})
    return 1


def _insert(new: sqlite3.Connection, table: str, row: dict[str, Any]) -> bool:
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - our own columns
    return new.execute(statement, row).rowcount == 1
