"""Processes that have calls and may be killed; a ledger says what each had handed over, and when.

A line of the ledger is appended after the hand-over returned, by one ``write`` with ``O_APPEND``,
so that it survives the process as the calls have to. Times are of the monotonic clock, which all
processes of a machine share.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.calls import Job
from faults.judge import arrived, said
from zelto_agents import Call, Zelto

__all__ = ["GRACE", "Account", "Plan", "read_ledger", "write_calls"]

TURNS = 6
ENDED = "customer-ended-call"
SHUT_DOWN = "worker-shutdown"
DIED = "agent-process-died"
GRACE = 0.5
"""Seconds after which what was handed over has to survive any signal."""


class Ledger:
    """An append-only file of small lines."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, name: str, what: str) -> None:
        """This happened to this call, just now."""
        line = json.dumps({"call": name, "what": what, "at": time.monotonic()})
        os.write(self._file, line.encode() + b"\n")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a writer does: calls side by side, at a seeded pace.

    ``graceful`` installs a handler of SIGTERM that exits the interpreter, as servers have; without
    it, SIGTERM ends the process where it stands. ``closes`` flushes after each end.
    """

    ledger: str
    names: tuple[str, ...]
    seed: int
    graceful: bool = False
    closes: bool = False


def write_calls(job: Job, plan: Plan) -> None:
    """Have the calls, turn by turn in a random order, and leave it to the exit to flush."""
    if plan.graceful:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ledger = Ledger(plan.ledger)
    zelto = job.zelto()
    calls: dict[str, Call] = {}
    try:
        calls |= {name: zelto.call(name, agent_id="proof") for name in plan.names}
        _talk(zelto, calls, plan, ledger)
    except SystemExit:
        for name, call in calls.items():
            call.end(SHUT_DOWN)
            ledger.note(name, "end")
        raise


def _talk(zelto: Zelto, calls: dict[str, Call], plan: Plan, ledger: Ledger) -> None:
    chance = random.Random(plan.seed)
    said_so_far = dict.fromkeys(plan.names, 0)
    while calls:
        name = chance.choice(list(calls))
        if said_so_far[name] < TURNS:
            _say(calls[name], said_so_far[name])
            ledger.note(name, "turn")
            said_so_far[name] += 1
            time.sleep(chance.uniform(0.0, 0.07))  # the pace of the calls
            continue
        calls.pop(name).end(ENDED)
        ledger.note(name, "end")
        if plan.closes and zelto.flush(GRACE):
            ledger.note(name, "durable")


def _say(call: Call, number: int) -> None:
    role, words, start, end = said(call.external_id, number)
    call.turn(role, words, start=start, end=end)


@dataclass(slots=True)
class Account:
    """What is owed of one call: at least so many turns, and whether its end."""

    name: str
    turns: list[float] = field(default_factory=list[float])
    ended: float | None = None
    durable: bool = False

    def owed(self, killed: float | None) -> int:
        """How many turns have to arrive, if the process was killed at this time (or never)."""
        if killed is None or self.must_have_ended(killed):
            return len(self.turns)
        return sum(at <= killed - GRACE for at in self.turns)

    def must_have_ended(self, killed: float | None) -> bool:
        """Whether the end has to have survived."""
        if self.ended is None:
            return False
        return killed is None or self.durable or self.ended <= killed - GRACE

    def complaint(self, conversation: Mapping[str, Any] | None, killed: float | None) -> str:
        """What is wrong with what arrived of the call; empty if nothing is."""
        owed = self.owed(killed)
        if conversation is None:
            return f"{self.name}: lost, with {owed} turns" if owed else ""
        turns = arrived(conversation)
        if turns != [said(self.name, number) for number in range(len(turns))]:
            return f"{self.name}: not what was said"
        if len(turns) < owed:
            return f"{self.name}: {len(turns)} turns, and {owed} had to survive"
        reasons = {ENDED, SHUT_DOWN} | (set() if self.must_have_ended(killed) else {DIED})
        if conversation["endedReason"] not in reasons:
            return f"{self.name}: ended with {conversation['endedReason']}"
        return ""


def read_ledger(path: Path) -> Iterable[Account]:
    """The accounts of a writer's calls; of none that it had said nothing in."""
    accounts: dict[str, Account] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        entry = json.loads(line)
        account = accounts.setdefault(entry["call"], Account(entry["call"]))
        if entry["what"] == "turn":
            account.turns.append(entry["at"])
        elif entry["what"] == "end":
            account.ended = entry["at"]
        else:
            account.durable = True
    return accounts.values()
