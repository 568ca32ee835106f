"""The thread that fetches recordings and keeps them beside the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from zelto_agents.receiver import recordings
from zelto_agents.receiver._fetch import PRIVATE, FetchError, Limits, Refused, fetch
from zelto_agents.receiver.recordings import Recording
from zelto_agents.receiver.schema import connect

if TYPE_CHECKING:
    from zelto_agents.receiver.store import Store

__all__ = ["Limits", "Rehosting"]

log = logging.getLogger(__name__)

_AT_ONCE = 4
# So long (seconds) a note waits that the disk refused, and longer each time.
_REST, _LONGEST_REST = 1.0, 30.0


class Rehosting:
    """Fetches what is due, a few at once; its thread starts with the first recording.

    Args:
        store: where recordings are noted; it owns this object.
        limits: what a fetch may do.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self.folder = recordings.folder(store.path)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._closing = False
        self._busy: dict[str, asyncio.Task[None]] = {}

    def path(self, recording_id: str) -> Path:
        """The file of a recording."""
        return self.folder / recording_id

    def wake(self) -> None:
        """Has it look for what is due; called when there may be something new."""
        with self._lock:
            if self._closing:
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="zelto-receiver-recordings", daemon=True
                )
                self._thread.start()
            loop = self._loop
        if loop is not None:
            self._tell(loop, self._wake.set)

    def discard(self, ids: list[str]) -> None:
        """Removes the files of recordings that are not known any more."""
        for each in ids:
            with contextlib.suppress(OSError):
                self.path(each).unlink(missing_ok=True)

    def tidy(self, known: set[str]) -> None:
        """Before the first change: removes files that a crash left without a recording.

        What was refused and is allowed now is made due.
        """
        if self._limits.allow_private:
            with contextlib.closing(connect(self._store.path)) as db, db:
                recordings.retry_refused(db, PRIVATE)
        if self.folder.is_dir():
            self.discard([file.name for file in self.folder.iterdir() if file.name not in known])

    def close(self) -> None:
        """Ends the thread at once; what it was fetching is fetched at the next start."""
        with self._lock:
            self._closing = True
            thread, loop = self._thread, self._loop
        if thread is None:
            return
        if loop is not None:
            self._tell(loop, self._cancel)
        thread.join()

    def _tell(self, loop: asyncio.AbstractEventLoop, what: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(what)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._work())

    async def _work(self) -> None:
        self._task = asyncio.current_task()
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self._closing:
                return
        try:
            while True:
                self._wake.clear()
                now = self._store.now()
                self._start_due(now)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause(now))
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def _start_due(self, now: str) -> None:
        found = self._store.read(recordings.due, now, limit=2 * _AT_ONCE)
        for recording in found:
            if recording.id not in self._busy and len(self._busy) < _AT_ONCE:
                self._busy[recording.id] = asyncio.create_task(self._fetch(recording))

    def _pause(self, now: str) -> float | None:
        """Seconds until the next try that waits for its time; None when there is none."""
        # What was due by then is being fetched, or waits for one that is: its end wakes us.
        at = self._store.read(recordings.next_after, now)
        if at is None or len(self._busy) >= _AT_ONCE:
            return None
        return (datetime.fromisoformat(at) - datetime.fromisoformat(now)).total_seconds()

    async def _fetch(self, recording: Recording) -> None:
        try:
            content_type, size = await self._download(recording)
        except FetchError as error:
            await self._note_failure(recording, str(error), final=isinstance(error, Refused))
        except OSError as error:
            why = f"its file could not be written: {error.strerror}"
            await self._note_failure(recording, why, final=False)
        except Exception as error:  # noqa: BLE001 - one strange recording must not stop the others
            why = f"the fetch broke: {type(error).__name__}"
            await self._note_failure(recording, why, final=True)
        else:
            await self._note(
                recording, lambda: self._store.recording_arrived(recording, content_type, size)
            )
        finally:
            self._busy.pop(recording.id, None)
            self._wake.set()

    async def _download(self, recording: Recording) -> tuple[str, int]:
        part = self.path(f"{recording.id}.part")
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            found = await fetch(recording.url, part, self._limits)
            os.replace(part, self.path(recording.id))  # noqa: PTH105 - both names are clear
            return found
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    async def _note_failure(self, recording: Recording, why: str, *, final: bool) -> None:
        backoff = self._limits.backoff
        again = None
        if not final and recording.tries < len(backoff):
            moment = datetime.fromisoformat(self._store.now()).astimezone(UTC)
            later = moment + timedelta(seconds=backoff[recording.tries])
            again = later.isoformat(timespec="microseconds")[:-6] + "Z"
        log.warning(
            "call %s: its recording was not fetched: %s (%s)",
            recording.external_id,
            why,
            "tried again" if again else "not tried again",
        )
        await self._note(recording, lambda: self._store.recording_failed(recording, why, again))

    async def _note(self, recording: Recording, note: Callable[[], Future[None]]) -> None:
        """However long the disk refuses it: what is not noted would be fetched again at once."""
        rest = 0.0
        while True:
            try:
                return await asyncio.wrap_future(note())
            except sqlite3.Error as error:
                if not rest:
                    log.error(
                        "call %s: what became of its recording cannot be noted yet (%s)",
                        recording.external_id,
                        type(error).__name__,
                    )
            rest = min(2 * rest or _REST, _LONGEST_REST)
            await asyncio.sleep(rest)
