"""The outbox in one SQLite file: WAL, synced at every commit, shared by all processes of a host.

Writers queue up on a file lock rather than in SQLite's busy handler, which sleeps and starves;
and as every commit, checkpoint and close holds that lock, none runs beside another.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zelto_agents.fold import merged
from zelto_agents.outbox import (
    Claim,
    Delivery,
    Gatekeeper,
    HeldFor,
    OutboxError,
    Outcome,
    State,
)

try:
    import fcntl
except ImportError:  # Windows: SQLite's own locks have to do
    fcntl = None  # type: ignore[assignment]

__all__ = ["SqliteOutbox"]

FILE_NAME = "outbox.sqlite3"
DEAD_KEPT = 30 * 86_400.0
DETAILS_KEPT = 2048
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (
  id INTEGER PRIMARY KEY,
  base_url TEXT NOT NULL,
  external_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL,
  due_at REAL NOT NULL,
  lease_until REAL NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  held_for TEXT,
  key_mark TEXT,
  status INTEGER,
  details TEXT NOT NULL DEFAULT '',
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  document BLOB,
  changes BLOB,
  UNIQUE (base_url, external_id)
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (base_url, state, due_at);
"""

# Each is answered by the index in the order that is asked for, however many wait.
_FREE = "base_url = :base_url AND lease_until <= :now"
_DUE = f"{_FREE} AND state = 'due' AND due_at <= :now"
_HELD = f"""{_FREE} AND state = 'held' AND (
    (held_for = 'key' AND (due_at <= :now OR key_mark IS NOT :key_mark))
    OR (held_for = 'agent' AND :agent_id IS NOT NULL))"""
_ASKED_FOR = f"{_FREE} AND state = 'due' AND external_id = :external_id"


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
        self._lock: int | None = None
        with _explained(folder):
            path = ":memory:" if folder is None else str(_private_file(folder, FILE_NAME))
            if folder is not None and fcntl is not None:
                lock_path = _private_file(folder, "outbox.lock")
                self._lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
            self._db = sqlite3.connect(
                path, timeout=5, isolation_level=None, check_same_thread=False
            )
            self._folder = folder
            with self._locked():
                self._prepare()

    def _prepare(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox in {self._folder} was written by a newer zelto-agents "
                f"(format {version}): upgrade, or set ZELTO_OUTBOX to another folder"
            )
        if version < SCHEMA_VERSION:
            self._db.executescript(f"{_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _write(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction. A document must survive the power; who has claimed it need not.

        A claim or an answer that a power failure undoes costs a second, harmless send.
        """
        with _explained(self._folder), self._locked():
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
        pages, free, page = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * page + size > self._max_bytes:
            raise OutboxError(
                f"the outbox in {self._folder} holds its {self._max_bytes:.0f} bytes: "
                "deliver what waits, or raise ZELTO_OUTBOX_MAX_BYTES"
            )

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
                """INSERT INTO delivery (base_url, external_id, provider, state, revision, due_at,
                     held_for, created_at, updated_at, document)
                   VALUES (:base_url, :external_id, :provider, :state, 1, :due_at,
                     :held_for, :now, :now, :document)
                   ON CONFLICT (base_url, external_id) DO UPDATE SET
                     provider = :provider, state = :state, revision = revision + 1,
                     due_at = :due_at, held_for = :held_for, failures = 0, status = NULL,
                     details = '', updated_at = :now, document = :document""",
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
            (revision,) = db.execute(
                "SELECT revision FROM delivery WHERE base_url = ? AND external_id = ?",
                (base_url, external_id),
            ).fetchone()
            return int(revision)

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> State:
        """See ``Outbox.enrich``."""
        with self._write() as db:
            row = db.execute(
                "SELECT state, changes FROM delivery WHERE base_url = ? AND external_id = ?",
                (base_url, external_id),
            ).fetchone()
            earlier = json.loads(row[1]) if row and row[1] else {}
            packed = json.dumps(merged(earlier, changes), separators=(",", ":")).encode()
            if row is None:
                db.execute(
                    """INSERT INTO delivery (base_url, external_id, provider, state, revision,
                         due_at, created_at, updated_at, changes)
                       VALUES (?, ?, '', 'awaited', 0, 0, ?, ?, ?)""",
                    (base_url, external_id, now, now, packed),
                )
                return "awaited"
            state: State = row[0] if row[0] in ("awaited", "held") else "due"
            db.execute(
                """UPDATE delivery SET changes = ?, state = ?, updated_at = ?, failures = 0,
                     revision = revision + 1, due_at = CASE state WHEN 'due' THEN due_at ELSE 0 END
                   WHERE base_url = ? AND external_id = ?""",
                (packed, state, now, base_url, external_id),
            )
            return state

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
            for which in (_DUE, _HELD) if external_id is None else (_ASKED_FOR,):
                rows += db.execute(
                    f"""SELECT id, external_id, provider, revision, fence + 1, attempts + 1,
                          failures, document, changes
                        FROM delivery WHERE {which} ORDER BY due_at, id LIMIT :limit""",  # noqa: S608 - constant texts
                    {**values, "limit": limit - len(rows)},
                ).fetchall()
            db.executemany(
                """UPDATE delivery SET lease_until = ?, fence = fence + 1, attempts = attempts + 1
                   WHERE id = ?""",
                [(now + lease, row[0]) for row in rows],
            )
        return [Claim(base_url, *row[1:]) for row in rows]

    def settle(self, claim: Claim, outcome: Outcome, *, now: float) -> bool:
        """See ``Outbox.settle``."""
        with self._write(synced=False) as db:
            changed = db.execute(
                """UPDATE delivery SET lease_until = 0, failures = failures + :failed,
                     status = :status, details = :details, updated_at = :now,
                     state = CASE WHEN revision > :revision THEN state ELSE :state END,
                     due_at = CASE WHEN revision > :revision THEN due_at ELSE :due_at END,
                     held_for = CASE WHEN revision > :revision THEN held_for ELSE :held_for END,
                     key_mark = :key_mark
                   WHERE base_url = :base_url AND external_id = :external_id AND fence = :fence""",
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

    def next_due(self, base_url: str) -> float | None:
        """See ``Outbox.next_due``."""
        with _explained(self._folder):
            (moment,) = self._db.execute(
                """SELECT MIN(MAX(due_at, lease_until)) FROM delivery
                   WHERE base_url = ? AND state IN ('due', 'held')""",
                (base_url,),
            ).fetchone()
        return None if moment is None else float(moment)

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """See ``Outbox.deliveries``."""
        with _explained(self._folder):
            rows = self._db.execute(
                """SELECT base_url, external_id, provider, state, revision, attempts, due_at,
                     created_at, updated_at, LENGTH(COALESCE(document, changes)), status, details
                   FROM delivery WHERE :base_url IS NULL OR base_url = :base_url ORDER BY id""",
                {"base_url": base_url},
            ).fetchall()
        return [Delivery(*row) for row in rows]

    def readdress(self, base_url: str, *, now: float) -> int:
        """See ``Outbox.readdress``."""
        with self._write() as db:
            return db.execute(
                """UPDATE OR REPLACE delivery SET base_url = ?, updated_at = ?
                   WHERE base_url = ''""",
                (base_url, now),
            ).rowcount

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """See ``Outbox.maintain``."""
        with self._write() as db:
            db.execute(
                """DELETE FROM delivery WHERE lease_until <= :now AND (
                     (state = 'sent' AND updated_at <= :now - :retain)
                     OR (state = 'dead' AND updated_at <= :now - :dead_kept))""",
                {"now": now, "retain": retain, "dead_kept": DEAD_KEPT},
            )
            return db.execute(
                """UPDATE delivery SET state = 'dead', updated_at = :now,
                     details = 'waited longer than ZELTO_MAX_AGE; ' || details
                   WHERE state IN ('due', 'held', 'awaited') AND lease_until <= :now
                     AND created_at <= :now - :max_age""",
                {"now": now, "max_age": max_age},
            ).rowcount

    def close(self) -> None:
        """See ``Outbox.close``; the last one to close folds the write-ahead log in."""
        with _explained(self._folder), self._locked():
            self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextlib.contextmanager
def _explained(folder: Path | None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as fault:
        raise OutboxError(
            f"the outbox in {folder} cannot be used ({type(fault).__name__}: {fault}): "
            "check the disk and its permissions, or set ZELTO_OUTBOX to another folder"
        ) from fault


def _private_file(folder: Path, name: str) -> Path:
    """The file, made 0600 in a folder made 0700: transcripts are nobody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if stat.S_ISLNK(facts.st_mode) or not stat.S_ISDIR(facts.st_mode):
        raise OutboxError(f"the outbox {folder} is a link or a file, not a folder of its own")
    if hasattr(os, "getuid"):
        if facts.st_uid != os.getuid():
            raise OutboxError(f"the outbox {folder} belongs to another user: set ZELTO_OUTBOX")
        if stat.S_IMODE(facts.st_mode) != 0o700:
            _tighten(folder)
    path = folder / name
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if stat.S_IMODE(path.stat().st_mode) != 0o600:
        path.chmod(0o600)
    return path


def _tighten(folder: Path) -> None:
    """Close a folder of ours to others; one that holds other things is not ours to change."""
    if any(not entry.name.startswith("outbox.") for entry in folder.iterdir()):
        raise OutboxError(
            f"the folder {folder} is open to other users and holds other files: "
            "set ZELTO_OUTBOX to a folder of its own, or run chmod 700 on this one"
        )
    folder.chmod(0o700)
