"""What a process of one call does: the job of a voice agent, as short as it can be."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faults.judge import said
from zelto_agents import Call, Settings, Zelto

__all__ = [
    "PLAIN",
    "TURNS",
    "Callers",
    "Job",
    "environment",
    "held",
    "note_held",
    "run_call",
    "run_call_killed",
    "run_until",
]

TURNS = 6
PACE = 0.02


@dataclass(frozen=True, slots=True)
class Job:
    """The settings of a process; ``notes`` is a file in which it writes down what it measured."""

    url: str
    key: str
    outbox: str
    notes: str

    def zelto(self) -> Zelto:
        """A client of the process's own."""
        return Zelto(
            settings=Settings.load({}, api_key=self.key, base_url=self.url, outbox=self.outbox)
        )


@dataclass(frozen=True, slots=True)
class Callers:
    """What the processes of calls run, all with a job and the name of a call.

    Attributes:
        whole: a call to its end.
        killed: one that SIGKILL cuts off after so many turns.
        until: one that lasts until a file appears.
        timed: whether their turns have the times of ``said``, and not just its words.
        preloaded: modules that they need, and that take their time to import.
    """

    whole: Callable[..., None]
    killed: Callable[..., None]
    until: Callable[..., None]
    timed: bool = True
    preloaded: tuple[str, ...] = ()


def environment(job: Job) -> dict[str, str]:
    """The same settings for the command line."""
    return {"ZELTO_API_KEY": job.key, "ZELTO_BASE_URL": job.url, "ZELTO_OUTBOX": job.outbox}


def _begin(zelto: Zelto, external_id: str, turns: int) -> Call:
    call = zelto.call(external_id, agent_id="proof")
    for number in range(turns):
        role, words, start, end = said(external_id, number)
        call.turn(role, words, start=start, end=end)
        time.sleep(PACE)  # the pace of the call
    return call


def run_call(job: Job, external_id: str) -> None:
    """A call of six turns, its end, and the shutdown of the job; how long that was held."""
    zelto = job.zelto()
    call = _begin(zelto, external_id, TURNS)
    before = time.monotonic()
    call.end("customer-ended-call")
    zelto.close()
    note_held(job, external_id, time.monotonic() - before)


def run_call_killed(job: Job, external_id: str, turns: int, *, ends: bool, after: float) -> None:
    """A call that SIGKILL cuts off: so long after its end, or after its last turn."""
    zelto = job.zelto()
    call = _begin(zelto, external_id, turns)
    if ends:
        call.end("customer-ended-call")
    time.sleep(after)  # what the scenario says
    os.kill(os.getpid(), signal.SIGKILL)


def run_until(job: Job, external_id: str, stop: str) -> None:
    """A later process: a call of its own that lasts until a file appears."""
    zelto = job.zelto()
    call = _begin(zelto, external_id, 1)
    while not Path(stop).exists():
        time.sleep(0.05)
    call.end("customer-ended-call")
    zelto.close()


PLAIN = Callers(whole=run_call, killed=run_call_killed, until=run_until)
"""Calls without a framework."""


def note_held(job: Job, external_id: str, seconds: float) -> None:
    """Write down how long the shutdown of a job was held."""
    with Path(job.notes).open("a") as notes:
        notes.write(json.dumps({"call": external_id, "held_s": seconds}) + "\n")


def held(job: Job) -> float:
    """The longest that a shutdown was held, as the processes measured it; 0 if none was."""
    path = Path(job.notes)
    lines = path.read_text().splitlines() if path.exists() else []
    return max((float(json.loads(line)["held_s"]) for line in lines), default=0.0)
