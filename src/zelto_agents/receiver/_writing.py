"""The thread that writes: bodies to the raw log, and what becomes of them.

A body is appended to the raw log and on the disk before its answer; ingest follows in the same
thread, so that nothing ever waits for a lock. What a crash leaves between the two is ingested at
the next start.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from zelto_agents.receiver import recordings, retention
from zelto_agents.receiver.ingest import Entry, ingest
from zelto_agents.receiver.schema import connect
from zelto_agents.receiver.verdict import Verdict, judge

__all__ = ["Body", "Change", "Writing"]

log = logging.getLogger(__name__)

# What a change does within its transaction; it is given the number of the change.
Change = Callable[[sqlite3.Connection, int], None]

# Small, because an answer that waits for its append waits for the ingest before it.
_INGEST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Body:
    """A body for the raw log: whose it is, when it came (RFC 3339), what its header said."""

    organisation: str
    received_at: str
    provider: str | None
    content: bytes


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
        self._raw_log = connect(path)
        # Ingest may be lost with the power: it is done again from the raw log.
        self._db = connect(path, durable=False)
        self._touched = touched
        self._keep = keep
        self._wrote = wrote
        self._wake = threading.Condition()
        self._closing = False
        self._appends: list[tuple[Future[int], Body]] = []
        self._waiting: deque[tuple[int, Verdict | None]] = deque((id_, None) for id_ in unfinished)
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
        self._raw_log.close()
        self._db.close()

    def _refuse_when_closed(self) -> None:
        if self._closing:
            raise RuntimeError("the store is closed")

    def _has_work(self) -> bool:
        return bool(self._appends or self._waiting or self._changes or self._closing)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(self._has_work)
                appends, self._appends = self._appends, []
                changes, self._changes = self._changes, []
                count = min(len(self._waiting), _INGEST_AT_ONCE)
                waiting = [self._waiting.popleft() for _ in range(count)]
                if not appends and not waiting and not changes:
                    return
            if appends:
                self._append_all(appends)
            gone = self._ingest_all(waiting) if waiting else []
            for future, change in changes:
                self._make(future, change)
            if waiting or changes:
                # Not before all is worked in: replay passes by addresses that changed later.
                self._wrote(gone, not self._waiting and recordings.untried(self._db))

    def _append_all(self, appends: list[tuple[Future[int], Body]]) -> None:
        db = self._raw_log
        statement = (
            "INSERT INTO raw (organisation, received_at, provider, body) VALUES (?, ?, ?, ?)"
        )
        try:
            with db:
                db.execute("BEGIN IMMEDIATE")
                numbers = [
                    db.execute(
                        statement,
                        (body.organisation, body.received_at, body.provider, body.content),
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

    def _ingest_all(self, waiting: list[tuple[int, Verdict | None]]) -> list[str]:
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                for raw_id, verdict in waiting:
                    self._ingest_one(db, raw_id, verdict)
                return [] if self._keep is None else retention.expire(db, keep=self._keep)
        except sqlite3.Error as error:
            log.error("ingest waits for the next start: %s", error)
            return []

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
