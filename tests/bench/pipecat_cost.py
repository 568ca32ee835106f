"""What the Pipecat plugin costs its host: frames, a call, and a call of two hours.

One JSON line a measure, with its limits; each is measured without the plugin and with it in the
same run. ``frame`` is an audio frame on its way through eight processors: ours (``processor_us``)
beside one that does nothing (``empty_processor_us``), and our observer (``observer_us``) beside one
that does nothing. The limits hold for frames at full speed; one by one, as in a call, the machinery
of Pipecat wakes for each, which has no limit of its own but is a part of ``call``. That is a call
of a minute in real time: two processes side by side, without and with. ``call_own`` is what is
ours of it, which a busy machine blurs less: the time spent in our handlers, and in the delivery
thread. ``call_loop`` is the event loop's thread, without and with in turns on a virtual clock.
``hours`` is a call of two hours: which of our containers grow, and how long queues became.

python -m bench.pipecat_cost [PART_OF_A_MEASURE]   (with PYTHONPATH=tests)
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.overhead import HERE, Run, environment, medians
from zelto_agents.receiver import run_in_thread

__all__ = ["main"]

PROCESSOR_US = 15.0
OBSERVER_US = 60.0
CALL_PERCENT = 1.0
PAIRS = 5
# Two hours of a virtual clock are minutes of a real one, on a busy machine many.
LIMIT = 3600.0
QUEUED = 1_000
# What comes and goes may be a few longer when it is looked at.
BY_CHANCE = 5
# Of the delivery thread: the facts of a call that goes on.
OF_THE_CALL = {"CallFacts.facts"}


def told(script: str, *arguments: str, env: dict[str, str]) -> Any:
    """What one of the scripts beside this one found."""
    command = [sys.executable, "-P", str(HERE / script), *arguments]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def frame(env: dict[str, str]) -> Iterator[Run]:
    """An audio frame on its way."""
    found: dict[str, dict[str, list[float]]] = told("pipecat_frames.py", env=env)
    for kind, costs in found.items():
        pipeline, load = kind.split()
        line: Run = {"measure": "frame", "pipeline": pipeline, "load": load}
        line |= {f"{name}_us": median for name, (_, median, _) in costs.items()}
        for name in ("processor", "observer"):
            line[f"{name}_quartiles_us"] = costs[name][::2]
        if load == "full_speed":
            line |= {"limit_processor_us": PROCESSOR_US, "limit_observer_us": OBSERVER_US}
            met = line["processor_us"] < PROCESSOR_US and line["observer_us"] < OBSERVER_US
        else:
            met = None
        yield line | {"met": met}


def call(env: dict[str, str]) -> Iterator[Run]:
    """A minute in real time, without and with side by side."""

    def play(plugin: bool) -> Run:
        used: Run = told("pipecat_call.py", *(["with"] if plugin else []), env=env)
        return used

    with ThreadPoolExecutor(2) as pool:
        pairs = [tuple(pool.map(play, (False, True))) for _ in range(PAIRS)]
    yield compared(pairs)
    yield own([with_ for _, with_ in pairs])


def compared(pairs: list[Any]) -> Run:
    """Whole processes."""
    seconds = pairs[0][0]["seconds"]
    percent = 100 / seconds
    without, with_, more = (value * percent for value in medians(pairs, "call_s"))
    each = [(b["call_s"] - a["call_s"]) * percent for a, b in pairs]
    _, _, start = medians(pairs, "start_s")
    return {
        "measure": "call",
        "seconds": seconds,
        "pairs": len(pairs),
        "without_percent": round(without, 2),
        "with_percent": round(with_, 2),
        "more_percent": round(more, 2),
        "lowest_percent": round(min(each), 2),
        "highest_percent": round(max(each), 2),
        "limit_percent": CALL_PERCENT,
        "start_more_s": round(start, 3),
        "met": more < CALL_PERCENT,
    }


def own(runs: list[Run]) -> Run:
    """What is ours of a process."""
    percent = 100 / runs[0]["seconds"]
    handlers, thread = (
        statistics.median(one[name] for one in runs) * percent
        for name in ("handlers_s", "thread_s")
    )
    return {
        "measure": "call_own",
        "handlers_percent": round(handlers, 3),
        "thread_percent": round(thread, 3),
        "limit_percent": CALL_PERCENT,
        "met": handlers + thread < CALL_PERCENT,
    }


def loop(env: dict[str, str]) -> Iterator[Run]:
    """The event loop's thread in short calls on a virtual clock."""
    pairs: list[list[float]] = told("pipecat_call.py", "loop", env=env)
    more = [with_ - without for without, with_ in pairs]
    low, median, high = statistics.quantiles(more)
    yield {
        "measure": "call_loop",
        "pairs": len(pairs),
        "without_percent": round(statistics.median(pair[0] for pair in pairs), 2),
        "more_percent": round(median, 2),
        "quartiles_percent": [round(low, 2), round(high, 2)],
        "limit_percent": CALL_PERCENT,
        "met": median < CALL_PERCENT,
    }


def hours(env: dict[str, str]) -> Iterator[Run]:
    """Two hours on a virtual clock."""
    moments: list[Run] = told("pipecat_hours.py", env=env)
    first, middle, last = moments
    names = {name for name in last["held"] if name not in OF_THE_CALL}
    grown = {
        name: [moment["held"].get(name, 0) for moment in moments]
        for name in sorted(names)
        if last["held"][name] > middle["held"].get(name, 0) + BY_CHANCE
    }
    yield {
        "measure": "hours",
        "minutes": [moment["minutes"] for moment in moments],
        "longest": [max(moment["held"].get(name, 0) for name in names) for moment in moments],
        "held_kb": [round(moment["bytes"] / 1024) for moment in moments],
        "grown": grown,
        "of_the_call": {name: last["held"].get(name) for name in sorted(OF_THE_CALL)},
        "facts_waiting": [first["waiting"], last["waiting"]],
        "limit_queue": QUEUED,
        "met": not grown and last["waiting"] < QUEUED,
    }


MEASURES = {"frame": frame, "call": call, "call_loop": loop, "hours": hours}


def main(only: str = "") -> None:
    """Print the lines as they come.

    Raises:
        SystemExit: a limit is not met, and which.
    """
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="zelto-cost-") as folder, run_in_thread() as there:
        env = environment(Path(folder), there)
        for name, measure in MEASURES.items():
            for line in measure(env) if only in name else ():
                print(json.dumps(line), flush=True)
                if line["met"] is False:
                    wrong.append(json.dumps(line))
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
