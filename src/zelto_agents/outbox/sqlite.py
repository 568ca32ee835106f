"""The outbox in one SQLite file: WAL, synced at every commit, shared by all processes of a host.

Writers queue up on a file lock rather than in SQLite's busy handler, which sleeps and starves;
and as every commit, checkpoint and close holds that lock, none runs beside another.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zelto_agents.fold import merged
from zelto_agents.outbox import (
    Claim,
    Delivery,
    Gatekeeper,
    HeldFor,
    OutboxError,
    OutboxFullError,
    Outcome,
    State,
)
from zelto_agents.outbox import _statements as sql
from zelto_agents.outbox._files import acquire, explained, lock_file, private_file, release

__all__ = ["Kept", "SqliteOutbox"]

FILE_NAME = "outbox.sqlite3"
DEAD_KEPT = 30 * 86_400.0
DETAILS_KEPT = 2048


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery with its content, as it can be copied into another outbox."""

    claim: Claim
    state: State
    held_for: HeldFor | None
    due_at: float
    status: int | None
    details: str


class SqliteOutbox:
    """An outbox in ``folder``, which is made if it is missing; None keeps it in memory.

    Args:
        folder: a folder on a local disk; it is made 0700, the files in it 0600.
        max_bytes: documents that the outbox holds at most.

    Raises:
        OutboxError: the folder or file cannot be used, and why.
    """

    def __init__(self, folder: Path | None, *, max_bytes: float = 256 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._folder = folder
        self._lock: int | None = None
        with contextlib.ExitStack() as undo, explained(folder):
            path = ":memory:" if folder is None else str(private_file(folder, FILE_NAME))
            if folder is not None:
                self._lock = lock_file(folder)
            if self._lock is not None:
                undo.callback(os.close, self._lock)
            self._db = sqlite3.connect(
                path, timeout=5, isolation_level=None, check_same_thread=False
            )
            undo.callback(self._db.close)
            with self._locked():
                self._prepare()
            undo.pop_all()

    def _prepare(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > sql.SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox in {self._folder} was written by a newer zelto-agents "
                f"(format {version}): upgrade, or set ZELTO_OUTBOX to another folder"
            )
        if version < sql.SCHEMA_VERSION:
            self._db.executescript(f"{sql.SCHEMA} PRAGMA user_version = {sql.SCHEMA_VERSION};")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        acquire(self._lock)
        try:
            yield
        finally:
            release(self._lock)

    @contextlib.contextmanager
    def _write(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction. A document must survive the power; who has claimed it need not.

        A claim or an answer that a power failure undoes costs a second, harmless send.
        """
        with explained(self._folder), self._locked():
            self._db.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def _room_for(self, size: int) -> None:
        """Make room by purging what was sent, the oldest first; refuse if that is not enough."""
        while self._used() + size > self._max_bytes:
            purged = self._db.execute(sql.PURGE_SENT).rowcount
            if not purged:
                raise OutboxFullError(
                    f"the outbox in {self._folder} has no room for this call in its "
                    f"{self._max_bytes:.0f} bytes: deliver what waits, "
                    "or raise ZELTO_OUTBOX_MAX_BYTES"
                )

    def _used(self) -> int:
        pages, free, page = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page)

    def put(
        self,
        base_url: str,
        external_id: str,
        document: bytes,
        *,
        provider: str,
        now: float,
        due_at: float = 0.0,
        held_for: HeldFor | None = None,
    ) -> int:
        """See ``Outbox.put``."""
        with self._write() as db:
            self._room_for(len(document))
            db.execute(
                sql.PUT,
                {
                    "base_url": base_url,
                    "external_id": external_id,
                    "provider": provider,
                    "state": "held" if held_for else "due",
                    "due_at": due_at,
                    "held_for": held_for,
                    "now": now,
                    "document": document,
                },
            )
            return self._revision(base_url, external_id)

    def _revision(self, base_url: str, external_id: str) -> int:
        (revision,) = self._db.execute(
            "SELECT revision FROM delivery WHERE base_url = ? AND external_id = ?",
            (base_url, external_id),
        ).fetchone()
        return int(revision)

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> int:
        """See ``Outbox.enrich``."""
        with self._write() as db:
            row = db.execute(
                """SELECT changes, document IS NULL FROM delivery
                   WHERE base_url = ? AND external_id = ?""",
                (base_url, external_id),
            ).fetchone()
            earlier = json.loads(row[0]) if row and row[0] else {}
            packed = json.dumps(merged(earlier, changes), separators=(",", ":")).encode()
            if row is None or row[1]:
                db.execute(
                    sql.AWAIT,
                    {
                        "base_url": base_url,
                        "external_id": external_id,
                        "now": now,
                        "changes": packed,
                    },
                )
                return 0
            db.execute(
                sql.ENRICH,
                (packed, now, base_url, external_id),
            )
            return self._revision(base_url, external_id)

    def claim(
        self,
        base_url: str,
        *,
        now: float,
        lease: float,
        limit: int = 1,
        gatekeeper: Gatekeeper,
        external_id: str | None = None,
    ) -> list[Claim]:
        """See ``Outbox.claim``."""
        values = {
            "base_url": base_url,
            "external_id": external_id,
            "now": now,
            "key_mark": gatekeeper.key_mark,
            "agent_id": gatekeeper.agent_id,
        }
        rows: list[Any] = []
        with self._write(synced=False) as db:
            for which in (sql.DUE, sql.HELD) if external_id is None else (sql.ASKED_FOR,):
                rows += db.execute(
                    f"""SELECT id, external_id, provider, revision, fence + 1, attempts + 1,
                          failures, document, changes
                        FROM delivery WHERE {which} ORDER BY due_at, id LIMIT :limit""",  # noqa: S608 - constant texts
                    {**values, "limit": limit - len(rows)},
                ).fetchall()
            db.executemany(
                sql.CLAIM,
                [(now + lease, row[0]) for row in rows],
            )
        return [Claim(base_url, *row[1:]) for row in rows]

    def settle(self, claim: Claim, outcome: Outcome, *, now: float) -> bool:
        """See ``Outbox.settle``."""
        with self._write(synced=False) as db:
            changed = db.execute(
                sql.SETTLE,
                {
                    "status": outcome.status,
                    "details": outcome.details[:DETAILS_KEPT],
                    "now": now,
                    "revision": claim.revision,
                    "state": outcome.state,
                    "due_at": outcome.due_at,
                    "held_for": outcome.held_for,
                    "key_mark": outcome.key_mark,
                    "failed": outcome.state == "due",
                    "base_url": claim.base_url,
                    "external_id": claim.external_id,
                    "fence": claim.fence,
                },
            ).rowcount
        return changed == 1

    def hurry(self, base_url: str) -> None:
        """See ``Outbox.hurry``."""
        with self._write() as db:
            db.execute(sql.HURRY, (base_url,))

    def next_due(self, base_url: str) -> float | None:
        """See ``Outbox.next_due``."""
        with explained(self._folder):
            (moment,) = self._db.execute(
                sql.NEXT_DUE,
                (base_url,),
            ).fetchone()
        return None if moment is None else float(moment)

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """See ``Outbox.deliveries``."""
        with explained(self._folder):
            rows = self._db.execute(
                sql.DELIVERIES,
                {"base_url": base_url},
            ).fetchall()
        return [Delivery(*row) for row in rows]

    def readdress(self, base_url: str, *, now: float) -> int:
        """See ``Outbox.readdress``."""
        with self._write() as db:
            rows = db.execute(sql.HOMELESS, (base_url, now)).fetchall()
            for row_id, external_id, *content in rows:
                there = db.execute(
                    """SELECT id, document, changes, updated_at FROM delivery
                       WHERE base_url = ? AND external_id = ?""",
                    (base_url, external_id),
                ).fetchone()
                if there is None:
                    db.execute(sql.MOVE, (base_url, row_id))
                else:
                    db.execute("DELETE FROM delivery WHERE id = ?", (row_id,))
                    self._join(there, content, now)
            return len(rows)

    def _join(self, there: Any, moved: Any, now: float) -> None:
        """Two rows of one call in one: the newer document, and every enrichment."""
        row_id, document, changes, updated_at = there
        provider, moved_document, moved_changes, moved_at = moved
        if document is None or (moved_document and moved_at > updated_at):
            document = moved_document
        together: dict[str, Any] = {}
        for one in (changes, moved_changes):
            together = merged(together, json.loads(one) if one else {})
        packed = json.dumps(together).encode() if together else None
        self._db.execute(sql.JOIN, (document, packed, provider, document, now, row_id))

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """See ``Outbox.maintain``."""
        with self._write() as db:
            db.execute(
                sql.PURGE,
                {"now": now, "retain": retain, "dead_kept": DEAD_KEPT},
            )
            return db.execute(
                sql.EXPIRE,
                {"now": now, "max_age": max_age},
            ).rowcount

    def contents(self) -> list[Kept]:
        """All that is not in flight, the oldest first."""
        with explained(self._folder):
            rows = self._db.execute(sql.CONTENTS).fetchall()
        return [Kept(Claim(*row[:9]), *row[9:]) for row in rows]

    def forget(self, base_url: str, external_id: str) -> None:
        """Drop a delivery that is safe elsewhere."""
        with self._write() as db:
            db.execute(
                "DELETE FROM delivery WHERE base_url = ? AND external_id = ?",
                (base_url, external_id),
            )

    def close(self) -> None:
        """See ``Outbox.close``; the last one to close folds the write-ahead log in."""
        try:
            with explained(self._folder), self._locked():
                self._db.close()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
