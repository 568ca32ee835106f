"""The outbox in one SQLite file: WAL, synced at every commit, shared by all processes of a host.

Writers queue up on a file lock rather than in SQLite's busy handler, which sleeps and starves;
and as every commit, checkpoint and close holds that lock, none runs beside another.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from zelto_agents.outbox import OutboxError, OutboxFullError
from zelto_agents.outbox._database import Cursor, Database, Values
from zelto_agents.outbox._engine import MAX_BYTES, Engine
from zelto_agents.outbox._files import (
    FILE_NAME,
    OutboxCorruptError,
    Reserve,
    acquire,
    explained,
    file_mark,
    file_system,
    is_remote,
    lock_file,
    private_file,
    release,
    set_aside,
)
from zelto_agents.outbox._pending import SCHEMA as PENDING
from zelto_agents.outbox._rescue import rescue
from zelto_agents.outbox._schema import SCHEMA

__all__ = ["SqliteOutbox"]

SCHEMA_VERSION = 3
# Seconds within which the file is taken to be there still, for what need not survive the power.
LOOK_EVERY = 1.0
_PENDING = PENDING.format(id="INTEGER PRIMARY KEY")
_SCHEMA = SCHEMA.format(id="INTEGER PRIMARY KEY", key="INTEGER", blob="BLOB") + _PENDING
# From the first format to the second: documents moved to a table of their own.
_FROM_1 = f"""
ALTER TABLE delivery RENAME TO delivery_1; DROP INDEX delivery_due;
{_SCHEMA}
INSERT INTO delivery (id, base_url, external_id, provider, state, revision, due_at, fence,
  attempts, failures, status, details, created_at, put_at, updated_at, size)
SELECT id, base_url, external_id, provider,
  CASE WHEN state = 'held' AND held_for = 'key' THEN 'due' ELSE state END, revision, due_at,
  fence, attempts, failures, status, details, created_at, updated_at, updated_at,
  LENGTH(COALESCE(document, '')) + LENGTH(COALESCE(changes, '')) FROM delivery_1;
INSERT INTO content SELECT id, document, changes FROM delivery_1;
DROP TABLE delivery_1;
"""  # noqa: S608 - constant texts

_T = TypeVar("_T")


class _Transaction:
    """A ``Database`` on a SQLite connection."""

    lock = skip = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Values | None = None) -> Cursor:
        return self._connection.execute(statement, values or {})

    def many(self, statement: str, values: Sequence[Values]) -> None:
        self._connection.executemany(statement, values)


class SqliteOutbox(Engine):
    """An outbox in ``folder``, which is made if it is missing; None keeps it in memory.

    Args:
        folder: a folder on a local disk; it is made 0700, the files in it 0600.
        max_bytes: documents that the outbox holds at most.

    Raises:
        OutboxError: the folder or file cannot be used, and why.
    """

    def __init__(self, folder: Path | None, *, max_bytes: float = MAX_BYTES) -> None:
        super().__init__("in memory" if folder is None else f"in {folder}", max_bytes)
        self._folder = folder
        self._lock: int | None = None
        self._looked_at = 0.0
        self._reserve = Reserve(folder)
        with explained(self._name):
            self._path = None if folder is None else private_file(folder, FILE_NAME)
            if folder is not None:
                self._lock = lock_file(folder)
        try:
            with explained(self._name), self._locked():
                self._open()
        except OutboxCorruptError as fault:
            with explained(self._name), self._locked():
                told = self._start_anew(fault)
            self.close()
            raise told from fault
        except BaseException:
            self._let_go()
            raise

    def _open(self) -> None:
        self._db = sqlite3.connect(
            self._path or ":memory:", timeout=5, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        remote = self._folder is not None and is_remote(file_system(self._folder))
        pragmas = (
            f"journal_mode={'DELETE' if remote else 'WAL'}",
            "secure_delete=ON",
            "foreign_keys=ON",
            "journal_size_limit=4194304",
        )
        for pragma in pragmas:
            self._db.execute(f"PRAGMA {pragma}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox {self._name} was written by a newer zelto-agents "
                f"(format {version}): upgrade, or set ZELTO_OUTBOX to another folder"
            )
        if version < SCHEMA_VERSION:
            script = (_SCHEMA, _FROM_1, _PENDING)[version]
            self._db.executescript(
                f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        self._mark = file_mark(self._path)
        self._synced: bool | None = None
        self._reserve.keep()

    def _start_anew(self, why: OutboxError) -> OutboxError:
        """Set a damaged file aside, if it is still there, and save what can be saved of it."""
        old, kept = self._db, ""
        if self._path is not None and isinstance(why, OutboxCorruptError):
            aside = set_aside(self._path)
            kept = f"; it is kept as {aside.name}"
            old.close()
            old = sqlite3.connect(aside, isolation_level=None, check_same_thread=False)
        self._journals.clear()
        self._beaten_at = None
        if self._folder is not None:
            self._path = private_file(self._folder, FILE_NAME)
        self._open()
        with contextlib.closing(old):
            saved = self._rescued(old)
        return OutboxError(f"{why}{kept}; a new one was begun, with {saved} calls of the old one")

    def _rescued(self, old: sqlite3.Connection) -> int:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            saved = rescue(old, self._db)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return saved

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

    def _run(
        self, work: Callable[[Database], _T], *, synced: bool = True, reserve: bool = False
    ) -> _T:
        """One transaction. A document must survive the power; who has claimed it need not."""
        with self._locked_and_explained():
            look = synced or not self._looked_lately()
            if look and file_mark(self._path) != self._mark:
                self._lock_anew()
                raise self._start_anew(OutboxError(f"the outbox {self._name} was removed"))
            if look and not reserve and self._reserve.in_use:
                raise OutboxFullError(
                    f"the disk of the outbox {self._name} is full: make room on it, "
                    "or set ZELTO_OUTBOX to another folder"
                )
            try:
                with explained(self._name):
                    return self._transact(work, synced=synced)
            except OutboxFullError:
                if reserve:
                    self._reserve.give_up()
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return self._transact(work, synced=synced)
            except OutboxCorruptError as fault:
                raise self._start_anew(fault) from fault

    def _looked_lately(self) -> bool:
        """What is written into a removed file meanwhile is rescued: once a second will do."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY:
            return True
        self._looked_at = now
        return False

    @contextlib.contextmanager
    def _locked_and_explained(self) -> Iterator[None]:
        with explained(self._name), self._locked():
            yield

    def _lock_anew(self) -> None:
        """The file that others lock now is another one, if the whole folder was removed."""
        lock, folder = self._lock, self._folder
        if lock is not None and folder is not None and not os.fstat(lock).st_nlink:
            # The old number is let go of last: by then another file may have it.
            self._lock = lock_file(folder)
            os.close(lock)
            if self._lock is not None:
                acquire(self._lock)

    def _transact(self, work: Callable[[Database], _T], *, synced: bool) -> _T:
        if synced is not self._synced:
            self._db.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._synced = synced
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = work(_Transaction(self._db))
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        return result

    def _used(self, db: Database, more: int) -> int:
        pages, free, page = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page) + more

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """See ``Outbox.maintain``; the reserve is put back when there is room for it again."""
        expired = super().maintain(now=now, retain=retain, max_age=max_age)
        self._reserve.keep()
        return expired

    def close(self) -> None:
        """See ``Outbox.close``; the last one to close folds the write-ahead log in."""
        try:
            with contextlib.suppress(OutboxError):
                super().close()
            with self._locked_and_explained():
                self._db.close()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
