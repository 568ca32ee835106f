"""The calls of the fault table as bots of Pipecat make them: a whole pipeline in each process.

Those that end, or are killed, are on a virtual clock; their delivery thread, their outbox and the
end of their process are not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from faults.calls import TURNS, Callers, Job, environment, note_held
from faults.judge import said, until

if TYPE_CHECKING:  # whoever starts these processes needs no pipecat
    from pipecat.pipeline.worker import PipelineWorker

    from scripted import Script

__all__ = ["PIPECAT"]

PATIENCE = 150.0
# Seconds from one of the caller's turns to the next: the bot, who speaks quickly, takes two.
PERIOD = 4.0
CHARACTERS_PER_SECOND = 70.0
# Real seconds that a whole call takes at least: those on a virtual clock leave other threads little
# time, while in a real call of minutes the delivery thread is long ready when the end comes.
READY = 0.5

During = Callable[["PipelineWorker"], Awaitable[None]]


def _script(external_id: str, turns: int, *, hangs_up: bool) -> Script:
    from scripted import CallerLine, Reply, Script

    words = [said(external_id, number)[1] for number in range(turns)]
    asked, answered = words[::2], words[1::2]
    times = [0.5 + n * PERIOD for n in range(len(asked))]
    return Script(
        tuple(CallerLine(t, t + 1.0, text) for t, text in zip(times, asked, strict=True)),
        tuple(Reply(to=to, text=text) for to, text in zip(asked, answered, strict=False)),
        hang_up=len(asked) * PERIOD if hangs_up else None,
    )


async def _play(
    job: Job, external_id: str, script: Script, *, during: During | None = None
) -> float:
    """A bot's whole life; when its pipeline had come to its end, on the real clock."""
    os.environ |= environment(job)
    from loguru import logger

    from pipecat_zelto import ZeltoProcessor
    from scripted.pipecat import ScriptedCall, answering

    logger.remove()
    answering.CHARACTERS_PER_SECOND = CHARACTERS_PER_SECOND
    call = ScriptedCall(script)
    zelto = ZeltoProcessor(agent_id="proof", external_id=external_id)
    worker = call.worker([*call.processors, zelto])
    beside: list[asyncio.Future[None]] = []
    over: list[float] = []

    async def connected(*_: object) -> None:
        if during is not None:
            beside.append(asyncio.ensure_future(during(worker)))

    async def finished(*_: object) -> None:
        over.append(_real())

    call.transport.add_event_handler("on_client_connected", connected)
    worker.add_event_handler("on_pipeline_finished", finished)
    await call.run(worker)
    await asyncio.gather(*beside)
    return over[0]


def _real() -> float:
    """Seconds of a clock that is never virtual."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def run_bot(job: Job, external_id: str) -> None:
    """A call of six turns to its end, which is that of the process; how long this was held."""
    import virtual_time

    over: list[float] = []

    def ended() -> None:
        note_held(job, external_id, _real() - over[0])

    async def wait(worker: PipelineWorker) -> None:
        await asyncio.to_thread(time.sleep, READY)

    # What is registered first is called last: once the plugin has given way.
    threading._register_atexit(ended)  # type: ignore[attr-defined]
    script = _script(external_id, TURNS, hangs_up=True)
    over.append(virtual_time.run(lambda: _play(job, external_id, script, during=wait)))


def run_bot_killed(job: Job, external_id: str, turns: int, *, ends: bool, after: float) -> None:
    """A call that SIGKILL cuts off: so long after its end, or after its last turn."""
    import virtual_time

    script = _script(external_id, turns, hangs_up=ends)

    def die() -> None:
        time.sleep(after)  # what the scenario says
        os.kill(os.getpid(), signal.SIGKILL)

    async def die_in_mid_call(worker: PipelineWorker) -> None:
        await asyncio.sleep(len(script.lines) * PERIOD)
        die()

    during = None if ends else die_in_mid_call
    virtual_time.run(lambda: _play(job, external_id, script, during=during))
    die()


def run_bot_until(job: Job, external_id: str, stop: str) -> None:
    """A later process, in real time: a call of its own that lasts until a file appears."""
    script = _script(external_id, 1, hangs_up=False)

    async def wait(worker: PipelineWorker) -> None:
        await asyncio.to_thread(until, Path(stop).exists, PATIENCE)
        await worker.cancel()

    asyncio.run(_play(job, external_id, script, during=wait))


PIPECAT = Callers(
    whole=run_bot,
    killed=run_bot_killed,
    until=run_bot_until,
    timed=False,
    preloaded=("virtual_time", "scripted.pipecat", "pipecat_zelto", "openai"),
)
"""Bots of Pipecat."""
