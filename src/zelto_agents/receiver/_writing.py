"""The thread that writes: bodies to the raw log, and what becomes of them.

A body is appended to the raw log and on the disk before its answer; ingest follows in the same
thread, so that nothing ever waits for a lock. Appends come first, then ingest, at intervals and
several bodies in one transaction, then the search index, when it is quiet. Ingest keeps to the
order of the raw log: a body whose verdict is not there yet holds up those behind it, and so does
one that could not be written. What a crash leaves undone is done at the next start.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zelto_agents.receiver import page_search, recordings, retention
from zelto_agents.receiver.ingest import Entry, ingest
from zelto_agents.receiver.schema import connect
from zelto_agents.receiver.verdict import Verdict, judge

__all__ = ["Body", "Change", "Place", "Writing"]

log = logging.getLogger(__name__)

# What a change does within its transaction; it is given the number of the change.
Change = Callable[[sqlite3.Connection, int], None]

# So many bodies are ingested at once, and then at once: an append waits for them meanwhile.
_INGEST_AT_ONCE = 64
# Fewer wait until no append came for so long, or nothing was ingested for so long (seconds).
_LULL_SECONDS = 0.003
_INTERVAL_SECONDS = 0.1
# So long (seconds) after the disk refused it, ingest is tried again.
_RETRY_SECONDS = 1.0
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


@dataclass(slots=True, eq=False)
class Place:
    """A body's place in the raw log, from when it was asked for.

    ``on_disk`` gives its number once it is there. ``settled`` says that ingest need not wait for a
    verdict any more; without one, ingest judges the body itself.
    """

    organisation: str
    received_at: str
    on_disk: Future[int] = field(default_factory=Future)
    settled: bool = False
    verdict: Verdict | None = None


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
        self._appends: list[tuple[Place, Body]] = []
        # Numbers in the raw log, in order: what is on the disk, and then what ingest waits for.
        self._unjudged: deque[tuple[int, Place]] = deque()
        self._waiting: deque[tuple[int, Place | None]] = deque((id_, None) for id_ in unfinished)
        self._appended_at = self._ingested_at = 0.0
        self._is_stuck = False
        self._index_is_behind = True
        self._changes: list[tuple[Future[None], Change]] = []
        self._thread = threading.Thread(target=self._run, name="zelto-receiver-store", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def append(self, body: Body) -> Place:
        """Puts a body into the raw log; whoever asks for that settles it, whatever happens.

        Raises:
            RuntimeError: the thread has ended.
        """
        place = Place(body.organisation, body.received_at)
        with self._wake:
            self._refuse_when_closed()
            self._appends.append((place, body))
            self._wake.notify()
        return place

    def settle(self, place: Place, verdict: Verdict | None) -> None:
        """Hands a body over to ingest, be it on the disk already or not; None if nobody judged."""
        with self._wake:
            place.verdict, place.settled = verdict, True
            self._pass_on()

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

    def _pass_on(self) -> None:
        """Lets ingest have what is on the disk and settled, up to the first that is not."""
        before = len(self._waiting)
        while self._unjudged and self._unjudged[0][1].settled:
            self._waiting.append(self._unjudged.popleft())
        if before == 0 < len(self._waiting) or before < _INGEST_AT_ONCE <= len(self._waiting):
            self._wake.notify()

    def _refuse_when_closed(self) -> None:
        if self._closing:
            raise RuntimeError("the store is closed")

    def _has_work(self) -> bool:
        return bool(self._appends or self._changes or self._closing) or self._pause() == 0

    def _pause(self) -> float | None:
        """Seconds until the next ingest, or until the index follows; None when all is done."""
        if self._waiting:
            if self._closing:
                return 0
            if self._is_stuck:
                return max(0, self._ingested_at + _RETRY_SECONDS - time.monotonic())
            if len(self._waiting) >= _INGEST_AT_ONCE:
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
                done = self._is_stuck or not self._waiting
                if self._closing and done and not appends and not changes:
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

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._db as db:
            if db.in_transaction:  # an earlier one, which could not even be rolled back
                db.rollback()
            db.execute("BEGIN IMMEDIATE")
            yield db

    def _append_all(self, appends: list[tuple[Place, Body]]) -> None:
        try:
            with self._transaction() as db:
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
            for place, _ in appends:
                if place.on_disk.set_running_or_notify_cancel():
                    place.on_disk.set_exception(error)
            return
        with self._wake:
            for (place, _), number in zip(appends, numbers, strict=True):
                self._unjudged.append((number or 0, place))
            self._pass_on()
        for (place, _), number in zip(appends, numbers, strict=True):
            if place.on_disk.set_running_or_notify_cancel():
                place.on_disk.set_result(number or 0)

    def _ingest_due(self) -> list[str] | None:
        """Ingests what waits; the ids of recordings that retention took away, None if it failed."""
        # Nothing leaves the queue before it is committed.
        due = [self._waiting[at] for at in range(min(len(self._waiting), _INGEST_AT_ONCE))]
        try:
            with self._transaction() as db:
                for raw_id, place in due:
                    self._ingest_one(db, raw_id, place)
                gone = [] if self._keep is None else retention.expire(db, keep=self._keep)
        except sqlite3.Error as error:
            if not self._is_stuck:
                log.error("ingest waits, and is tried again every second: %s", error)
            self._is_stuck = True
            return None
        finally:
            self._ingested_at = time.monotonic()
            self._index_is_behind = True
        for _ in due:
            self._waiting.popleft()
        self._is_stuck = False
        return gone

    def _index(self) -> None:
        try:
            with self._transaction() as db:
                self._index_is_behind = page_search.catch_up(db, limit=_INDEX_AT_ONCE)
        except sqlite3.Error as error:
            log.error("the search index stays behind: %s", error)
            self._index_is_behind = False

    def _ingest_one(self, db: sqlite3.Connection, raw_id: int, place: Place | None) -> None:
        if place is None or place.verdict is None:
            sent = db.execute(
                "SELECT organisation, received_at, provider, body FROM raw WHERE id = ?", (raw_id,)
            ).fetchone()
            entry = Entry(raw_id, sent["organisation"], sent["received_at"])
            verdict = _judged(sent["provider"], sent["body"])
        else:
            entry = Entry(raw_id, place.organisation, place.received_at)
            verdict = place.verdict
        self._touched += 1
        ingest(db, entry, verdict, touched=self._touched)

    def _make(self, future: Future[None], change: Change) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._touched += 1
        try:
            with self._transaction() as db:
                change(db, self._touched)
        except sqlite3.Error as error:
            log.error("a change could not be written: %s", error)
            future.set_exception(error)
        else:
            future.set_result(None)


def _judged(provider: str | None, body: bytes) -> Verdict:
    """The verdict on a body whose upload ended without one; a fault of ours stops no other."""
    try:
        return judge(provider, body)
    except Exception as error:  # noqa: BLE001 - the thread must go on
        log.error("a body could not be judged (%s)", type(error).__name__)
        reason = f"judging broke: {type(error).__name__}"
        return Verdict(500, {"error": "Internal error"}, state="failed", reason=reason)
