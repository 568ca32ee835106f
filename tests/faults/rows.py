"""One row of the fault table: its calls, each in a process of its own, and what became of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from faults.calls import PLAIN, TURNS, Callers, Job, environment, held
from faults.door import Door, Network
from faults.judge import Truth, score, until
from faults.processes import finish, start, watching
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver

__all__ = ["AT_ONCE", "Row", "Scale", "Stage"]

AT_ONCE = 8
PATIENCE = 150.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How many calls a row has, and how much of each outage's length is played."""

    calls: int = 20
    time: float = 1.0

    def seconds(self, full: float) -> float:
        """An outage of this length, as it is played; at least a second of it."""
        return max(1.0, full * self.time)


@dataclass(slots=True)
class Stage:
    """What the rows share: one receiver, one network, and the calls of one row at a time.

    Rows wait side by side, but their calls do not compete for the processor, so that how long a
    shutdown was held tells of the product, and not of the harness.
    """

    receiver: RunningReceiver
    network: Network
    folder: Path
    scale: Scale
    callers: Callers = PLAIN
    calling: threading.Lock = field(default_factory=threading.Lock)


class Row:
    """One scenario under way: a door of its own, an outbox of its own, and its calls."""

    def __init__(self, stage: Stage, number: int, scenario: str) -> None:
        self.stage = stage
        self.scenario = scenario
        self._drainers = contextlib.ExitStack()
        self.door: Door = stage.network.door(stage.receiver.url)
        folder = stage.folder / f"row-{number}"
        folder.mkdir()
        self.job = Job(
            url=self.door.url,
            key=stage.receiver.key or "",
            outbox=str(folder / "outbox"),
            notes=str(folder / "notes"),
        )
        self.names = [f"row{number}-call{n}" for n in range(stage.scale.calls)]
        timed = stage.callers.timed
        self._truths = [Truth(n, TURNS, "customer-ended-call", timed) for n in self.names]

    def expect(self, turns: int, ended_reason: str) -> None:
        """What the conversations have to look like, if not six turns and a proper end."""
        self._truths = [replace(t, turns=turns, ended_reason=ended_reason) for t in self._truths]

    def make_calls(
        self,
        target: Callable[..., None] | None = None,
        *arguments: object,
        watched: bool = True,
        at_once: int = AT_ONCE,
        code: int = 0,
        first: Callable[[], None] = lambda: None,
        **named: Any,
    ) -> None:
        """Every call in a process of its own.

        Args:
            target: what a process runs, with the job, the name of the call and ``arguments``; a
                whole call by default.
            arguments: more of them, as ``named``.
            watched: whether ``drain --watch`` runs beside them.
            at_once: how many processes there are at a time.
            code: how every process has to end.
            first: is called when it is this row's turn.
            named: more arguments, by name.
        """

        runs = target or self.stage.callers.whole

        def one(name: str) -> int:
            return finish(start(runs, self.job, name, *arguments, **named))

        with self.stage.calling, ThreadPoolExecutor(at_once) as pool:
            if watched:
                self.watch()
            first()
            ended = list(pool.map(one, self.names))
        assert set(ended) == {code}, f"{self.scenario}: the processes ended with {ended}"

    def watch(self) -> None:
        """Start ``drain --watch``, with the settings of now, in the place of the one before."""
        self._drainers.close()
        self._drainers.enter_context(watching(environment(self.job)))

    def with_key(self, key: str) -> None:
        """Another key from now on."""
        self.job = replace(self.job, key=key)

    def end(self) -> None:
        """End the drainer, whatever became of the row."""
        self._drainers.close()

    def wait_until_delivered(self) -> None:
        """Until all calls are at the receiver and acknowledged, or patience is over."""
        until(lambda: self._states() == dict.fromkeys(self.names, "sent"), PATIENCE, every=0.25)

    def _states(self) -> dict[str, str]:
        outbox = SqliteOutbox(Path(self.job.outbox))
        try:
            states = {one.external_id: one.state for one in outbox.deliveries()}
        finally:
            outbox.close()
        return {name: states[name] for name in self.names if name in states}

    def result(self) -> dict[str, Any]:
        """The row as it is printed."""
        self.stage.receiver.wait_until_ingested()
        judged = score(self.stage.receiver, self._truths)
        return {
            "scenario": self.scenario,
            "delivered": judged.delivered,
            "expected": len(self.names),
            "whole": judged.whole,
            "duplicates": judged.duplicates,
            "held_s": round(held(self.job), 3),
        }
