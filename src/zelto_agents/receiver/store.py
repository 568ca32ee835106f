"""The database of the receiver: one thread writes, whoever asks reads.

A body is appended to the raw log and on the disk before its answer; ingest follows in the same
thread, so that nothing ever waits for a lock. What a crash leaves between the two is ingested at
the next start.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from zelto_agents.receiver import keys
from zelto_agents.receiver.ingest import ingest
from zelto_agents.receiver.schema import connect
from zelto_agents.receiver.verdict import Verdict, judge

__all__ = ["Store"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# Small, because an answer that waits for its append waits for the ingest before it.
_INGEST_AT_ONCE = 16


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Raw log, conversations, agents and keys in one SQLite file.

    Args:
        path: the file; made with mode 0600 when it is missing.
        clock: where the time comes from.

    Raises:
        OSError: the file cannot be made or opened.
        sqlite3.Error: the file is not a database, or not writable.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self.path = path
        self._clock = clock
        self._raw_log = connect(path)
        # Ingest may be lost with the power: it is done again from the raw log.
        self._writer = connect(path, durable=False)
        self._reader = connect(path)
        self._reading = threading.Lock()
        self._known = keys.hashes(self._reader)
        self._touched = self._last_touched()

        self._wake = threading.Condition()
        self._closing = False
        self._appends: list[tuple[Future[int], str, str | None, bytes]] = []
        self._waiting: deque[tuple[int, Verdict | None]] = deque(self._unfinished())

        self._changed = threading.Condition()
        self._listeners: set[Callable[[], None]] = set()
        self._thread = threading.Thread(
            target=self._write, name="zelto-receiver-store", daemon=True
        )
        self._thread.start()

    def append(self, provider: str | None, body: bytes) -> Future[int]:
        """Puts a body into the raw log; the future gives its number once it is on the disk."""
        future: Future[int] = Future()
        with self._wake:
            if self._closing:
                raise RuntimeError("the store is closed")
            self._appends.append((future, self._now(), provider, body))
            self._wake.notify()
        return future

    def settle(self, raw_id: int, verdict: Verdict) -> None:
        """Hands a judged body over to ingest."""
        with self._wake:
            self._waiting.append((raw_id, verdict))
            self._wake.notify()

    def read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Runs a query of ``reads`` on the one reading connection."""
        with self._reading:
            return query(self._reader, *args, **kwargs)

    def accepts(self, key: str) -> bool:
        """Whether this key was minted here."""
        return keys.accepts(self._known, key)

    @property
    def has_keys(self) -> bool:
        """Whether any key was ever minted here."""
        return bool(self._known)

    def mint_key(self) -> str:
        """Makes a further key and returns it; only its hash stays here."""
        with self._reading:
            key = keys.mint(self._reader, self._now())
            self._known = keys.hashes(self._reader)
        return key

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Waits at most ``timeout`` seconds until the condition holds; tried at every change."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Calls the listener, from the writing thread, after every change."""
        with self._changed:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.discard(listener)

    def close(self) -> None:
        """Ends the writing thread after what it has in hand, and closes the file."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        with self._reading:
            for db in (self._raw_log, self._writer, self._reader):
                db.close()

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def _last_touched(self) -> int:
        row = self._reader.execute("SELECT coalesce(max(touched), 0) FROM conversations").fetchone()
        return int(row[0])

    def _unfinished(self) -> list[tuple[int, None]]:
        rows = self._reader.execute(
            "SELECT id FROM raw LEFT JOIN outcomes ON raw_id = id WHERE raw_id IS NULL ORDER BY id"
        )
        return [(int(row["id"]), None) for row in rows]

    def _write(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._appends or self._waiting or self._closing)
                appends, self._appends = self._appends, []
                count = min(len(self._waiting), _INGEST_AT_ONCE)
                waiting = [self._waiting.popleft() for _ in range(count)]
                if not appends and not waiting:
                    return
            if appends:
                self._append_all(appends)
            if waiting:
                self._ingest_all(waiting)
                self._tell()

    def _append_all(self, appends: list[tuple[Future[int], str, str | None, bytes]]) -> None:
        db = self._raw_log
        statement = "INSERT INTO raw (received_at, provider, body) VALUES (?, ?, ?)"
        try:
            with db:
                db.execute("BEGIN IMMEDIATE")
                numbers = [db.execute(statement, values).lastrowid for _, *values in appends]
        except sqlite3.Error as error:
            log.error("the raw log could not be written: %s", error)
            for future, *_ in appends:
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)
            return
        for (future, *_), number in zip(appends, numbers, strict=True):
            # Cancelled when its client is gone: the body stays, and is ingested at the next start.
            if future.set_running_or_notify_cancel():
                future.set_result(number or 0)

    def _ingest_all(self, waiting: list[tuple[int, Verdict | None]]) -> None:
        try:
            with self._writer as db:
                db.execute("BEGIN IMMEDIATE")
                for raw_id, verdict in waiting:
                    self._ingest_one(db, raw_id, verdict)
        except sqlite3.Error as error:
            log.error("ingest waits for the next start: %s", error)

    def _ingest_one(self, db: sqlite3.Connection, raw_id: int, verdict: Verdict | None) -> None:
        if verdict is None:
            row = db.execute("SELECT provider, body FROM raw WHERE id = ?", (raw_id,)).fetchone()
            verdict = judge(row["provider"], row["body"])
        self._touched += 1
        db.execute("SAVEPOINT one")
        try:
            ingest(db, raw_id, verdict, touched=self._touched, now=self._now())
        except Exception as error:  # noqa: BLE001 - one strange body must not stop the others
            db.execute("ROLLBACK TO one")
            db.execute(
                "INSERT INTO outcomes (raw_id, status, state, reason, external_id)"
                " VALUES (?, ?, 'failed', ?, ?)",
                (
                    raw_id,
                    verdict.status,
                    f"ingest broke: {type(error).__name__}",
                    verdict.external_id,
                ),
            )
        db.execute("RELEASE one")

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
