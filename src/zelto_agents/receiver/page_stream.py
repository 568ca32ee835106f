"""Live updates of the page: what changed since a change number, as server-sent lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio.to_thread

from zelto_agents.receiver import page_reads
from zelto_agents.receiver.store import Store

__all__ = ["MAX_CHANGES", "Streams", "updates"]

# More changes than this in one update, and the page asks for its list again instead.
MAX_CHANGES = 100
# A stream that says nothing for this long (seconds) is taken for dead by some proxies.
PING_SECONDS = 15.0
# At most this often (seconds) is a page told, however much arrives.
PACE_SECONDS = 0.1


class Streams:
    """The open live updates of one app, so that a stopping server can end them at once."""

    def __init__(self) -> None:
        self.stopping = False
        self._wakes: set[asyncio.Event] = set()

    @contextmanager
    def open(self, wake: asyncio.Event) -> Iterator[None]:
        """Counts a stream in for as long as it is open."""
        self._wakes.add(wake)
        try:
            yield
        finally:
            self._wakes.discard(wake)

    def stop(self) -> None:
        """Ends all of them; to be called on their event loop."""
        self.stopping = True
        for wake in self._wakes:
            wake.set()


async def updates(store: Store, streams: Streams, since: int) -> AsyncIterator[str]:
    """One update at once, and another one after every change, until the server stops."""
    loop, wake = asyncio.get_running_loop(), asyncio.Event()

    def changed() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody looks any more
            loop.call_soon_threadsafe(wake.set)

    with store.listening(changed), streams.open(wake):
        while not streams.stopping:
            update = await anyio.to_thread.run_sync(_update, store, since)
            since = update["counts"]["touched"]
            yield f"data: {json.dumps(update)}\n\n"
            while not wake.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), PING_SECONDS)
                if not wake.is_set():
                    yield ": still here\n\n"
            await asyncio.sleep(0 if streams.stopping else PACE_SECONDS)
            if not streams.stopping:
                wake.clear()


def _update(store: Store, since: int) -> dict[str, Any]:
    # Counts first: what arrives in between is told again with the next update, never skipped.
    counts = store.read(page_reads.counts)
    changed = store.read(page_reads.touched_since, since, limit=MAX_CHANGES + 1)
    if len(changed) > MAX_CHANGES:
        return {"counts": counts, "reload": True, "data": []}
    return {"counts": counts, "reload": False, "data": changed}
