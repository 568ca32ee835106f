"""The recordings of this process's own calls: written, kept, and looked for at once."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from zelto_agents._audio import Sounds
from zelto_agents._enrich import Enricher, recordings_of
from zelto_agents._house import guarded
from zelto_agents._items import EgressOver, Sound
from zelto_agents._trouble import Trouble
from zelto_agents.outbox import Outbox, Pending
from zelto_agents.settings import Settings

__all__ = ["Recordings"]

logger = logging.getLogger("zelto_agents")


class Recordings:
    """What the delivery thread does with recordings; on its event loop.

    Args:
        outbox: where what is awaited is remembered.
        settings: where recordings go.
        trouble: says what goes wrong.
        on_enriched: is told of each call whose recording was found, with its revision.
        on_kept: is told when a file that somebody may delete is safe.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: Settings,
        trouble: Trouble,
        on_enriched: Callable[[str, int], None],
        on_kept: Callable[[], None],
    ) -> None:
        self.group: TaskGroup
        self.on_written: Callable[[int], None] = lambda _: None
        """Is told how many bytes of audio are on disk, or were given up."""
        self._outbox = outbox
        self._trouble = trouble
        self._on_kept = on_kept
        self._enricher = Enricher(outbox, settings, trouble, on_enriched)
        self._sounds = Sounds(recordings_of(settings))
        self._keeping = 0
        self._unwritten: list[Sound] = []
        self._writing = False
        self._written: anyio.Event

    @property
    def keeping(self) -> bool:
        """Whether something is being brought to safety, which the end of the process waits for."""
        return self._keeping > 0 or self._writing

    def _guarded(self, what: str) -> contextlib.AbstractContextManager[None]:
        return guarded(self._trouble, what)

    def write(self, sound: Sound) -> None:
        """Append to a call's audio, beside everything else: the disk may be slow."""
        self._unwritten.append(sound)
        if not self._writing:
            self._writing, self._written = True, anyio.Event()
            self.group.start_soon(self._write)

    async def _write(self) -> None:
        try:
            while self._unwritten:
                batch, self._unwritten = self._unwritten, []
                with self._guarded("writing audio"):
                    await anyio.to_thread.run_sync(self._sounds.write, batch)
                self.on_written(sum(len(sound.samples) for sound in batch))
        finally:
            self._writing = False
            self._written.set()
            self._on_kept()

    def await_live(self, awaited: Sequence[Pending]) -> None:
        """A live call will have a recording: others look for it, should this process die."""
        for one in awaited:
            self._outbox.expect(one, now=time.time(), live=True)

    def expect(self, awaited: Sequence[Pending]) -> None:
        """Remember what a call awaits, and look for it at once, in the background."""
        # Nobody takes up audio before its last samples are written.
        new = [
            one
            for one in awaited
            if self._outbox.expect(one, now=time.time(), live=one.kind == "audio")
            or one.kind == "audio"
        ]
        if new:
            self._keeping += 1
            self.group.start_soon(self._find, new)

    async def _find(self, awaited: Sequence[Pending]) -> None:
        """Keep the files before their makers delete them, then upload them."""
        try:
            with self._guarded("keeping a recording"):
                await self._end_sounds([one for one in awaited if one.kind == "audio"])
                for one in awaited:
                    if one.kind == "file":
                        await anyio.to_thread.run_sync(self._enricher.keep, one)
        finally:
            with self._guarded("keeping a recording"):
                for one in awaited:
                    if one.kind == "audio":
                        self._outbox.expect(one, now=time.time())
            self._keeping -= 1
            self._on_kept()
        await self.look()

    async def _end_sounds(self, awaited: Sequence[Pending]) -> None:
        for one in awaited:
            while self._writing:
                await self._written.wait()
            await anyio.to_thread.run_sync(self._sounds.end, one.reference)

    def drop(self, awaited: Sequence[Pending]) -> None:
        """The call is not wanted, and neither is its audio."""
        self.group.start_soon(self._drop, [one for one in awaited if one.kind == "audio"])

    async def _drop(self, awaited: Sequence[Pending]) -> None:
        with self._guarded("dropping a recording"):
            await self._end_sounds(awaited)
            for one in awaited:
                await anyio.to_thread.run_sync(self._sounds.drop, one.reference)

    def egress_over(self, over: EgressOver) -> None:
        """LiveKit says that an egress has ended."""
        self.group.start_soon(self._find_egress, over)

    async def _find_egress(self, over: EgressOver) -> None:
        with self._guarded("looking for a recording"):
            if not self._enricher.hurry(over):
                logger.warning("no call awaits the egress %s", over.egress_id)
        await self.look()

    async def look(self) -> None:
        """Look for everything that is due."""
        with self._guarded("looking for a recording"):
            await self._enricher.look()

    async def aclose(self) -> None:
        """End the files and close the connections."""
        with self._guarded("writing audio"):
            self._sounds.write(self._unwritten)
        self._sounds.close()
        await self._enricher.aclose()
