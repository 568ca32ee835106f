"""The thread that writes: bodies to the raw log, and what becomes of them.

A body is appended to the raw log and on the disk before its answer; ingest follows in the same
thread, so that nothing ever waits for a lock. Appends come first, then ingest, at intervals and
several bodies in one transaction, then the search index, when it is quiet. What a crash leaves
undone is done at the next start.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from zelto_agents.receiver import page_search, recordings, retention
from zelto_agents.receiver.ingest import Entry, ingest
from zelto_agents.receiver.schema import connect
from zelto_agents.receiver.verdict import Verdict, judge

__all__ = ["Body", "Change", "Writing"]

log = logging.getLogger(__name__)

# What a change does within its transaction; it is given the number of the change.
Change = Callable[[sqlite3.Connection, int], None]

# So many bodies are ingested at once, and then at once: an append waits for them meanwhile.
_INGEST_AT_ONCE = 64
# Fewer wait until no append came for so long, or nothing was ingested for so long (seconds).
_LULL_SECONDS = 0.003
_INTERVAL_SECONDS = 0.1
# So long (seconds) after the last ingest the search index follows, so many conversations at once.
_QUIET_SECONDS = 0.1
_INDEX_AT_ONCE = 16


_APPEND = (
    "INSERT INTO raw (organisation, received_at, provider, body, headers) VALUES (?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Body:
    """A body for the raw log: whose it is, when it came (RFC 3339), what its headers said.

    ``headers`` are JSON: a list of names and values, as they came.
    """

    organisation: str
    received_at: str
    provider: str | None
    content: bytes
    headers: str | None = None


class Writing:
    """The only writer of what was received.

    Args:
        path: the database.
        unfinished: numbers in the raw log that ingest has still to work in, in order.
        touched: the number of the last change.
        keep: how many conversations are kept; None for all.
        wrote: called after changes, from the writing thread: the ids of recordings that retention
            took away, and whether there are recordings that nobody tried to fetch yet.
    """

    def __init__(
        self,
        path: Path,
        *,
        unfinished: Iterable[int],
        touched: int,
        keep: int | None,
        wrote: Callable[[list[str], bool], None],
    ) -> None:
        self._db = connect(path)
        self._touched = touched
        self._keep = keep
        self._wrote = wrote
        self._wake = threading.Condition()
        self._closing = False
        self._appends: list[tuple[Future[int], Body]] = []
        self._waiting: deque[tuple[int, Verdict | None]] = deque((id_, None) for id_ in unfinished)
        self._appended_at = self._ingested_at = 0.0
        self._index_is_behind = True
        self._changes: list[tuple[Future[None], Change]] = []
        self._thread = threading.Thread(target=self._run, name="zelto-receiver-store", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def append(self, body: Body) -> Future[int]:
        """Puts a body into the raw log; the future gives its number once it is on the disk."""
        future: Future[int] = Future()
        with self._wake:
            self._refuse_when_closed()
            self._appends.append((future, body))
            self._wake.notify()
        return future

    def settle(self, raw_id: int, verdict: Verdict) -> None:
        """Hands a judged body over to ingest."""
        with self._wake:
            self._waiting.append((raw_id, verdict))
            if len(self._waiting) in (1, _INGEST_AT_ONCE):
                self._wake.notify()

    def change(self, change: Change) -> Future[None]:
        """Makes any other change; done when it is committed.

        Raises:
            RuntimeError: the thread has ended.
        """
        future: Future[None] = Future()
        with self._wake:
            self._refuse_when_closed()
            self._changes.append((future, change))
            self._wake.notify()
        return future

    def close(self) -> None:
        """Ends the thread after what it has in hand, and closes the file."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._db.close()

    def _refuse_when_closed(self) -> None:
        if self._closing:
            raise RuntimeError("the store is closed")

    def _has_work(self) -> bool:
        return bool(self._appends or self._changes or self._closing) or self._pause() == 0

    def _pause(self) -> float | None:
        """Seconds until the next ingest, or until the index follows; None when all is done."""
        if self._waiting:
            if self._closing or len(self._waiting) >= _INGEST_AT_ONCE:
                return 0
            at = min(self._appended_at + _LULL_SECONDS, self._ingested_at + _INTERVAL_SECONDS)
            return max(0, at - time.monotonic())
        if self._index_is_behind:
            return max(0, self._ingested_at + _QUIET_SECONDS - time.monotonic())
        return None

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._has_work():
                    self._wake.wait(self._pause())
                appends, self._appends = self._appends, []
                changes, self._changes = self._changes, []
                if self._closing and not appends and not self._waiting and not changes:
                    return
            if appends:
                self._append_all(appends)
                self._appended_at = time.monotonic()
            gone = None
            if self._pause() == 0:
                if self._waiting:
                    gone = self._ingest_due()
                else:
                    self._index()
            for future, change in changes:
                self._make(future, change)
            if gone is not None or changes:
                # Replay passes by addresses that changed later.
                replays = bool(self._waiting) and self._waiting[0][1] is None
                self._wrote(gone or [], not replays and recordings.untried(self._db))

    def _append_all(self, appends: list[tuple[Future[int], Body]]) -> None:
        try:
            with self._db as db:
                if len(appends) > 1:
                    db.execute("BEGIN IMMEDIATE")
                numbers = [
                    db.execute(
                        _APPEND,
                        (
                            body.organisation,
                            body.received_at,
                            body.provider,
                            body.content,
                            body.headers,
                        ),
                    ).lastrowid
                    for _, body in appends
                ]
        except sqlite3.Error as error:
            log.error("the raw log could not be written: %s", error)
            for future, _ in appends:
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)
            return
        for (future, _), number in zip(appends, numbers, strict=True):
            # Cancelled when its client is gone: the body stays, and is ingested at the next start.
            if future.set_running_or_notify_cancel():
                future.set_result(number or 0)

    def _ingest_due(self) -> list[str]:
        """Ingests what waits; the ids of recordings that retention took away."""
        count = min(len(self._waiting), _INGEST_AT_ONCE)
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                for _ in range(count):
                    self._ingest_one(db, *self._waiting.popleft())
                return [] if self._keep is None else retention.expire(db, keep=self._keep)
        except sqlite3.Error as error:
            log.error("ingest waits for the next start: %s", error)
            return []
        finally:
            self._ingested_at = time.monotonic()
            self._index_is_behind = True

    def _index(self) -> None:
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                self._index_is_behind = page_search.catch_up(db, limit=_INDEX_AT_ONCE)
        except sqlite3.Error as error:
            log.error("the search index stays behind: %s", error)
            self._index_is_behind = False

    def _ingest_one(self, db: sqlite3.Connection, raw_id: int, verdict: Verdict | None) -> None:
        row = db.execute(
            "SELECT organisation, received_at FROM raw WHERE id = ?", (raw_id,)
        ).fetchone()
        entry = Entry(raw_id, row["organisation"], row["received_at"])
        if verdict is None:
            sent = db.execute("SELECT provider, body FROM raw WHERE id = ?", (raw_id,)).fetchone()
            verdict = judge(sent["provider"], sent["body"])
        self._touched += 1
        db.execute("SAVEPOINT one")
        try:
            ingest(db, entry, verdict, touched=self._touched)
        except Exception as error:  # noqa: BLE001 - one strange body must not stop the others
            db.execute("ROLLBACK TO one")
            reason = f"ingest broke: {type(error).__name__}"
            broke = replace(verdict, call=None, state="failed", reason=reason)
            ingest(db, entry, broke, touched=self._touched)
        db.execute("RELEASE one")

    def _make(self, future: Future[None], change: Change) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._touched += 1
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                change(db, self._touched)
        except sqlite3.Error as error:
            log.error("a change could not be written: %s", error)
            future.set_exception(error)
        else:
            future.set_result(None)
