"""The index behind the page's search box.

It costs more than the rest of ingest, so it follows when nothing else is to be done, and before a
search. What it holds, triggers keep true to the conversations.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

__all__ = ["catch_up", "condition", "first_match", "prepare", "words"]

_WHO = (
    "{row}.external_id || ' ' || coalesce({row}.caller, '') || ' ' ||"
    " coalesce(json_extract({row}.document, '$.call.customer.number'), '') || ' ' ||"
    " coalesce((SELECT a.external_id || ' ' || coalesce(a.name, '')"
    " FROM agents AS a WHERE a.id = {row}.agent_id), '')"
)
_SAID = (
    "coalesce((SELECT group_concat(json_extract(t.value, '$.content'), char(10))"
    " FROM json_each({row}.document, '$.transcript.turns') AS t), '')"
)


def _add(row: str) -> str:
    return f"""
    INSERT INTO search_who (rowid, who) VALUES ({row}.seq, {_WHO.format(row=row)});
    INSERT INTO search_said (rowid, said) VALUES ({row}.seq, {_SAID.format(row=row)});
    """  # noqa: S608 - own text


# The indexes hold no text of their own: what is taken out must be said once more.
_TAKE_OUT = """
    DELETE FROM search_who WHERE rowid = old.seq;
    INSERT INTO search_said (search_said, rowid, said) VALUES ('delete', old.seq, {said});
""".format(said=_SAID.format(row="old"))  # noqa: S608 - own text

# Who is found by any three characters in a row, half a phone number say; what was said by the
# beginnings of its words, with and without accents.
_TABLES = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS search_who USING fts5(who, tokenize = 'trigram');
CREATE VIRTUAL TABLE IF NOT EXISTS search_said USING fts5(
  said, content = '', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');
CREATE TRIGGER IF NOT EXISTS search_after_update AFTER UPDATE OF document ON conversations
  WHEN EXISTS (SELECT 1 FROM search_who WHERE rowid = old.seq) BEGIN
  {_TAKE_OUT} {_add("new")} END;
CREATE TRIGGER IF NOT EXISTS search_after_delete AFTER DELETE ON conversations
  WHEN EXISTS (SELECT 1 FROM search_who WHERE rowid = old.seq) BEGIN
  {_TAKE_OUT} END;
CREATE INDEX IF NOT EXISTS conversations_in_brief ON conversations (
  agent_id, version, provider, ended_reason, duration, cost, turns, created_at);
"""  # noqa: S608 - own text
_INDEXED = 3  # characters
_WORD = re.compile(r"\w+", re.UNICODE)


def prepare(db: sqlite3.Connection) -> None:
    """Makes the index, empty, if need be."""
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'search_said'").fetchone()
    if known is None:
        with db:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")


def catch_up(db: sqlite3.Connection, *, limit: int) -> bool:
    """Takes in the oldest conversations that it does not know, ``limit`` at most.

    Args:
        db: a connection with an open transaction.
        limit: how many.

    Returns:
        Whether there may be more.
    """
    newest = db.execute("SELECT rowid FROM search_who ORDER BY rowid DESC LIMIT 1").fetchone()
    since = 0 if newest is None else newest[0]
    found = db.execute(
        "SELECT seq FROM conversations WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit)
    ).fetchall()
    for name, value in (("who", _WHO), ("said", _SAID)):
        db.executemany(
            f"INSERT INTO search_{name} (rowid, {name})"  # noqa: S608 - own text
            f" SELECT c.seq, {value.format(row='c')} FROM conversations AS c WHERE c.seq = ?",
            [(row["seq"],) for row in found],
        )
    return len(found) == limit


def words(text: str) -> list[str]:
    """What is looked for: the first eight words of a query, in small letters."""
    return text.lower().split()[:8]


def condition(text: str) -> tuple[str, list[Any]]:
    """SQL over ``conversations AS c``: every word is in who it was, or in what was said."""
    parts, values = [], []
    for word in words(text):
        # The index knows threes; shorter words are looked for in all of it.
        test, value = "search_who MATCH ?", _quoted(word)
        if len(word) < _INDEXED:
            test, value = "instr(lower(who), ?) > 0", word
        either = [f"c.seq IN (SELECT rowid FROM search_who WHERE {test})"]  # noqa: S608 - own text
        values.append(value)
        spoken = " ".join(_quoted(part) for part in _WORD.findall(word))
        if spoken:
            either.append("c.seq IN (SELECT rowid FROM search_said WHERE search_said MATCH ?)")
            values.append(f"{spoken}*")
        parts.append(f"({' OR '.join(either)})")
    return " AND ".join(parts), values


def first_match(
    text: str, turns: list[dict[str, Any]], *, around: int = 40
) -> dict[str, Any] | None:
    """The first turn with a word of the query, spoken before tools, and what is around it."""
    order = sorted(enumerate(turns), key=lambda pair: pair[1]["role"] == "tool")
    for word in words(text):
        for index, turn in order:
            content = str(turn["content"])
            at = content.lower().find(word)
            if at >= 0:
                return {"index": index, "text": _around(content, at, at + len(word), around)}
    return None


def _around(content: str, start: int, end: int, around: int) -> str:
    """A stretch of a text and what is beside it, cut between words."""
    first = max(start - around, 0)
    if first > 0:
        space = content.find(" ", first, start)
        first = space + 1 if space >= 0 else first
    last = min(end + around, len(content))
    if last < len(content):
        space = content.rfind(" ", end, last)
        last = space if space >= 0 else last
    return "…" * (first > 0) + content[first:last].strip() + "…" * (last < len(content))


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""').replace("\0", "") + '"'
