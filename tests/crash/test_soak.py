"""An hour of outage with 10,000 documents waiting, on a clock that is turned by hand."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.counter import CountingServer, counting_server
from faults.fleet import fill
from zelto_agents import Settings
from zelto_agents._drain import Drainer
from zelto_agents.outbox.sqlite import SqliteOutbox

DOCUMENTS = 4_000
HOUR = 3600.0
SWEEP_EVERY = 5.0
POSTS_IN_AN_HOUR = 60
MAY_GROW = 8 * 1024 * 1024


@dataclass
class Clock:
    now: float

    def time(self) -> float:
        return self.now


def resources() -> tuple[int, int]:
    """Bytes in memory, and open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE"), len(list(Path("/proc/self/fd").iterdir()))


class Process:
    """What a process of the host does with the outbox, once every few seconds."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock
        self.outbox = SqliteOutbox(settings.outbox)
        self.drainer = Drainer(self.outbox, settings)

    async def keep_house(self) -> float | None:
        """Sweep, if it leads; when the next delivery is due."""
        outbox, url, now = self.outbox, self.settings.base_url or "", self.clock.now
        outbox.beat(now=now)
        outbox.orphans(now=now)
        if outbox.lead(url, now=now, gatekeeper=self.drainer.gatekeeper):
            outbox.maintain(now=now, retain=self.settings.retain, max_age=self.settings.max_age)
            await self.drainer.sweep()
        return outbox.next_due(url, gatekeeper=self.drainer.gatekeeper)

    async def aclose(self) -> None:
        await self.drainer.aclose()
        self.outbox.close()


async def live(processes: list[Process], clock: Clock, seconds: float) -> None:
    """Let so much time pass for these processes."""
    end = clock.now + seconds
    while clock.now < end:
        due = [await process.keep_house() for process in processes]
        if None in due:
            return
        soonest = min(moment for moment in due if moment is not None)
        clock.now += min(max(soonest - clock.now, 0.25), SWEEP_EVERY)


async def soak(settings: Settings, server: CountingServer, clock: Clock) -> None:
    processes = [Process(settings, clock) for _ in range(3)]
    server.answer(503)
    await live(processes, clock, 300.0)
    memory, files = resources()
    early = sum(server.counts().values())
    await live(processes, clock, HOUR - 300.0)
    memory_later, files_later = resources()
    assert 0 < early < sum(server.counts().values()) <= POSTS_IN_AN_HOUR
    assert memory_later - memory < MAY_GROW
    assert files_later <= files
    server.answer(200)
    await live(processes, clock, HOUR)
    assert server.counts() == {f"waiting-{n}": 1 for n in range(DOCUMENTS)}
    for process in processes:
        await process.aclose()


@pytest.mark.exhaustive
def test_an_hour_of_outage_costs_a_few_probes_and_nothing_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with counting_server() as server:
        settings = Settings.load(
            {}, api_key="zk_soak", base_url=server.url, outbox=tmp_path / "outbox"
        )
        names = [f"waiting-{number}" for number in range(DOCUMENTS)]
        fill(settings.outbox, server.url, names, 2_000)
        clock = Clock(time.time() + 10.0)
        with monkeypatch.context() as patched:
            patched.setattr(time, "time", clock.time)
            asyncio.run(soak(settings, server, clock))
    outbox = SqliteOutbox(settings.outbox)
    assert {one.state for one in outbox.deliveries()} == {"sent"}
    outbox.close()
