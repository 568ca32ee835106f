"""The database of the receiver: one thread writes, whoever asks reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from zelto_agents.receiver import keys, page_search, recordings, retention
from zelto_agents.receiver._writing import Body, Place, Writing
from zelto_agents.receiver.recordings import Recording
from zelto_agents.receiver.rehost import Limits, Rehosting
from zelto_agents.receiver.schema import DEFAULT_ORGANISATION, connect
from zelto_agents.receiver.verdict import Verdict

__all__ = ["Store"]

P = ParamSpec("P")
T = TypeVar("T")

# How many conversations at once the search index takes in before a search.
_INDEX_AT_ONCE = 64


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Raw log, conversations, agents, recordings and keys: one SQLite file and a folder beside it.

    Args:
        path: the file; made with mode 0600 when it is missing.
        clock: where the time comes from.
        keep: only the newest so many conversations are kept; None keeps all.
        replay: work the whole raw log in again: conversations, agents and outcomes are made anew.
        limits: what fetching a recording may do.

    Raises:
        OSError: the file cannot be made or opened.
        sqlite3.Error: the file is not a database, not writable, or of another version.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = _utc_now,
        keep: int | None = None,
        replay: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._changed = threading.Condition()
        self._listeners: set[Callable[[], None]] = set()
        self._reader = connect(path)
        self._reading = threading.Lock()
        page_search.prepare(self._reader)
        if replay:
            retention.drop_what_replay_makes(self._reader)
        elif keep is not None:
            with self._reader as db:
                db.execute("BEGIN IMMEDIATE")
                retention.expire(db, keep=keep)  # files that go with it are tidied up below
        self._rehosting = Rehosting(self, limits or Limits())
        self._rehosting.tidy(recordings.known_ids(self._reader))
        unfinished = _unfinished(self._reader)
        self._writing = Writing(
            path,
            unfinished=unfinished,
            touched=_last_touched(self._reader),
            keep=keep,
            wrote=self._wrote,
        )
        self._keys = keys.KeyRing(connect(path), self._key_used)
        self._writing.start()
        if not unfinished and recordings.waiting(self._reader):
            self._rehosting.wake()

    def append(
        self,
        provider: str | None,
        body: bytes,
        organisation: str = DEFAULT_ORGANISATION,
        headers: str | None = None,
    ) -> Place:
        """Puts a body into the raw log; whoever asks for that settles it, whatever happens."""
        return self._writing.append(Body(organisation, self.now(), provider, body, headers))

    def settle(self, place: Place, verdict: Verdict | None) -> None:
        """Hands a body over to ingest, which judges it if nobody did; later ones wait for this."""
        self._writing.settle(place, verdict)

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
        """Whether this key was minted here and not revoked."""
        return self.organisation_of(key) is not None

    def organisation_of(self, key: str) -> str | None:
        """Whose key this is; None when it is not accepted."""
        return self._keys.organisation(key)

    @property
    def has_keys(self) -> bool:
        """Whether any key is accepted here."""
        return bool(self._keys)

    def mint_key(self, name: str = "key", organisation: str = DEFAULT_ORGANISATION) -> str:
        """Makes a further key and returns it; only its hash stays here."""
        with self._reading:
            key = keys.mint(self._reader, self.now(), name=name, organisation=organisation)
        self._keys.read()
        return key

    def revoke_key(self, key_id: str) -> bool:
        """Takes a key back, by its id in ``keys.listed``; whether there was one."""
        with self._reading:
            revoked = keys.revoke(self._reader, key_id, self.now())
        self._keys.read()
        return revoked

    def recording_path(self, recording_id: str) -> Path:
        """The file of a recording that is ready."""
        return self._rehosting.path(recording_id)

    def retry_recording(self, conversation_id: str) -> bool:
        """Fetches a conversation's recording now, if it is not there yet; whether it will."""
        found: list[bool] = []

        def again(db: sqlite3.Connection, touched: int) -> None:
            found.append(recordings.retry(db, conversation_id, touched=touched))

        self._writing.change(again).result()
        self._rehosting.wake()
        return found == [True]

    def recording_arrived(self, recording: Recording, content_type: str, size: int) -> Future[None]:
        """Notes a recording whose file is there; files that it replaces are removed."""

        def note(db: sqlite3.Connection, touched: int) -> None:
            replaced = recordings.arrived(
                db, recording, content_type=content_type, size=size, touched=touched
            )
            self._rehosting.discard(replaced)

        return self._writing.change(note)

    def recording_failed(
        self, recording: Recording, why: str, next_try_at: str | None
    ) -> Future[None]:
        """Notes a fetch that came to nothing, and when it is tried again; None for never."""

        def note(db: sqlite3.Connection, touched: int) -> None:
            recordings.failed(db, recording, why, next_try_at, touched=touched)

        return self._writing.change(note)

    def index(self) -> None:
        """Brings the search index up to date with what is ingested."""
        more = [True]

        def some(db: sqlite3.Connection, _touched: int) -> None:
            more.append(page_search.catch_up(db, limit=_INDEX_AT_ONCE))

        while more[-1]:
            self._writing.change(some).result()

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
        """Ends the threads after what they have in hand, and closes the file."""
        self._rehosting.close()
        self._writing.close()
        self._keys.close()
        with self._reading:
            self._reader.close()

    def now(self) -> str:
        """The time as it is stored: RFC 3339, in UTC, with microseconds."""
        return self._clock().astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def _key_used(self, key_hash: str) -> None:
        now = self.now()
        with contextlib.suppress(RuntimeError):  # it is being closed
            self._writing.change(lambda db, _touched: keys.note_use(db, key_hash, now))

    def _wrote(self, gone: list[str], fetch: bool) -> None:  # noqa: FBT001 - a callback
        self._rehosting.discard(gone)
        with self._changed:
            self._changed.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
        if fetch:
            self._rehosting.wake()


def _last_touched(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT coalesce(max(touched), 0) FROM conversations").fetchone()
    return int(row[0])


def _unfinished(db: sqlite3.Connection) -> list[int]:
    rows = db.execute(
        "SELECT id FROM raw LEFT JOIN outcomes ON raw_id = id WHERE raw_id IS NULL ORDER BY id"
    )
    return [int(row["id"]) for row in rows]
