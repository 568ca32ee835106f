"""The fault table: every scenario with an outbox of its own, all of them side by side."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from faults.behaviours import (
    answers,
    during,
    first_of_each,
    hangs,
    loses_the_answer,
    passes,
    resets,
)
from faults.calls import PLAIN, Callers, environment
from faults.door import Fault, Network
from faults.judge import until
from faults.processes import command, finish, preloaded, start
from faults.rows import AT_ONCE, PATIENCE, Row, Scale, Stage
from zelto_agents.receiver import run_in_thread

__all__ = ["HEALTHY", "play"]

HEALTHY = "healthy"

Play = Callable[[Row], None]


def _behind(fault: Fault, *, at_once: int = AT_ONCE) -> Play:
    """Calls behind a door with this fault, and a drainer beside them."""

    def play(row: Row) -> None:
        row.door.fault = fault
        row.make_calls(at_once=at_once)
        row.wait_until_delivered()

    return play


def _down(seconds: float) -> Play:
    """Connections are refused from before the first call until so many seconds later."""

    def play(row: Row) -> None:
        row.door.shut()
        up = threading.Timer(seconds, row.door.open)
        row.make_calls(first=up.start)
        up.join()
        row.wait_until_delivered()

    return play


def _new_key(row: Row) -> None:
    """The receiver refuses the key; then a drainer comes that has another."""
    good = row.job.key
    row.with_key("zk_revoked")
    row.make_calls()
    row.with_key(good)
    row.watch()
    row.wait_until_delivered()


def _killed_after_the_end(row: Row) -> None:
    """SIGKILL 0.2 s after the end while down; then it is up, and the next process has a call."""
    row.door.shut()
    callers, code = row.stage.callers, -signal.SIGKILL
    row.make_calls(callers.killed, 6, ends=True, after=0.2, code=code, watched=False)
    row.door.open()
    stop = Path(row.job.notes).with_name("stop")
    later = start(callers.until, row.job, f"{row.names[0]}-later", str(stop))
    row.wait_until_delivered()
    stop.touch()
    finish(later)


def _killed_in_mid_call(row: Row) -> None:
    """SIGKILL half a second after the fourth of six turns; nobody ever ends these calls."""
    row.expect(turns=4, ended_reason="agent-process-died")
    callers, code = row.stage.callers, -signal.SIGKILL
    row.make_calls(callers.killed, 4, ends=False, after=0.5, code=code)
    row.wait_until_delivered()


def _refused(row: Row) -> None:
    """The receiver refuses the documents for good; then it accepts them."""
    row.door.fault = answers(400, '{"error":"Validation failed","details":[]}')
    row.make_calls()
    assert until(lambda: _dead(row) == set(row.names), PATIENCE, every=0.5), _dead(row)
    row.end()
    row.door.fault = passes
    _run(row, "outbox", "retry", "--all-dead")
    _run(row, "drain")
    row.wait_until_delivered()


def _run(row: Row, *arguments: str) -> str:
    process = command(*arguments, environment=environment(row.job))
    out, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, f"{arguments}: {process.returncode}, {out}{complaint}"
    return out


def _dead(row: Row) -> set[str]:
    """The dead letters, as an operator sees them."""
    listed = json.loads(_run(row, "outbox", "list", "--json"))
    return {one["external_id"] for one in listed["deliveries"] if one["state"] == "dead"}


def _scenarios(scale: Scale) -> dict[str, Play]:
    """In the order of starting: the long ones early."""
    s = scale.seconds
    hold = {"Retry_After": f"{s(5):.0f}"}
    return {
        HEALTHY: _behind(passes, at_once=2),
        f"down {s(30):g} s": _down(s(30)),
        f"hang of {s(20):g} s": _behind(hangs(s(20))),
        f"500 for {s(15):g} s": _behind(during(s(15), answers(500))),
        "answer lost after acceptance": _behind(first_of_each(loses_the_answer)),
        f"429 with Retry-After {s(5):.0f}": _behind(during(s(5), answers(429, **hold))),
        f"down {s(5):g} s": _down(s(5)),
        f"500 for {s(3):g} s": _behind(during(s(3), answers(500))),
        "connection reset": _behind(during(s(3), resets)),
        "SIGKILL in mid-call": _killed_in_mid_call,
        "SIGKILL 0.2 s after the end while down, then a new process": _killed_after_the_end,
        "401 then a new key": _new_key,
        "400, then outbox retry": _refused,
    }


def play(
    folder: Path, scale: Scale, only: str = "", callers: Callers = PLAIN
) -> Iterator[dict[str, Any]]:
    """Play the rows whose scenario contains ``only``, and give each as soon as it is known.

    Args:
        folder: an empty folder for outboxes and notes.
        scale: how many calls, and how long the outages are.
        only: a part of a scenario's name.
        callers: who makes the calls.
    """
    scenarios = {name: play for name, play in _scenarios(scale).items() if only in name}
    with preloaded(*callers.preloaded), run_in_thread() as receiver, Network() as doors:
        stage = Stage(receiver, doors, folder, scale, callers)

        def one(number: int, scenario: str) -> dict[str, Any]:
            row = Row(stage, number, scenario)
            try:
                scenarios[scenario](row)
                return row.result()
            finally:
                row.end()

        with ThreadPoolExecutor(len(scenarios)) as pool:
            rows: list[Future[dict[str, Any]]] = []
            for number, scenario in enumerate(scenarios):
                rows.append(pool.submit(one, number, scenario))
                if scenario == HEALTHY:
                    yield rows.pop().result()  # alone, as its times are the strictest
            for row in rows:
                yield row.result()
