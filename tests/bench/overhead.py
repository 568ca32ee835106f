"""What the plugin costs its host: processor, memory, imports, threads and the end of the process.

Each is measured without the plugin and with it in turns, every time in processes of its own, and
the medians are compared: one JSON line a measure, with its limit. ``cpu`` is a call of 200 turns
on a virtual clock: what the plugin's own code took of it (``cpu_own``), which a busy machine does
not blur, and whole processes side by side (``cpu_pairs``), which it does: ``noise`` is how much
those without the plugin differ among each other. ``cpu_real`` is the same call in real time, once
without and once with the plugin side by side: a host that sleeps between turns, as all do.
``memory``, ``threads`` and ``exit`` are of real
jobs. ``thread`` has no limit: it is the part of a job's processor time that the delivery thread
takes while time is real.

python -m bench.overhead [PART_OF_A_MEASURE]   (with PYTHONPATH=tests)
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from zelto_agents.receiver import RunningReceiver, run_in_thread

__all__ = ["main"]

HERE = Path(__file__).parent
CPU_MORE_PERCENT = 2.0
MEMORY_MORE_MB = 12.0
IMPORT_MS = 60.0
# A delivered call is one write and one request, which the end of a job waits for.
EXIT_LATER_S = 0.3
PAIRS_OF_SESSIONS = 5
PAIRS_OF_JOBS = 5
IMPORTS = 9
LIMIT = 900.0
IMPORT = """
import livekit.agents, time
wall, cpu = time.perf_counter(), time.process_time()
import livekit.plugins.zelto
print(time.perf_counter() - wall, time.process_time() - cpu)
"""

Run = dict[str, Any]


def environment(folder: Path, receiver: RunningReceiver, **more: str) -> dict[str, str]:
    """That of a user: bytecode is kept, and settings are those of a healthy account."""
    known = os.environ | {
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "PYTHONHASHSEED": "0",
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(folder / "outbox"),
        "REPORT": str(folder / "report.json"),
    }
    known.pop("PYTHONDONTWRITEBYTECODE", None)
    return known | more


def run(*command: str, env: dict[str, str]) -> str:
    """What a Python process printed last."""
    done = subprocess.run(
        [sys.executable, "-P", *command],  # beside these files is a module named livekit
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()[-1]


def in_turns(pairs: int, one: Callable[[bool], Run]) -> list[tuple[Run, Run]]:
    """Pairs without and with the plugin; every other pair begins with the other half.

    The first pair makes the bytecode, and does not count.
    """
    found: list[tuple[Run, Run]] = []
    for number in range(pairs + 1):
        order = (False, True) if number % 2 else (True, False)
        halves = {plugin: one(plugin) for plugin in order}
        if number:
            found.append((halves[False], halves[True]))
    return found


def medians(pairs: list[tuple[Run, Run]], name: str) -> tuple[float, float, float]:
    """Without the plugin, with it, and the median difference within a pair."""
    without, with_ = ([half[name] for half in halves] for halves in zip(*pairs, strict=True))
    more = [b - a for a, b in zip(without, with_, strict=True)]
    return statistics.median(without), statistics.median(with_), statistics.median(more)


def compared(measure: str, unit: str, pair: tuple[float, float, float], limit: float) -> Run:
    """A line about one figure without and with the plugin."""
    without, with_, more = pair
    return {
        "measure": measure,
        f"without_{unit}": round(without, 3),
        f"with_{unit}": round(with_, 3),
        f"more_{unit}": round(more, 3),
        f"limit_{unit}": limit,
        "met": more < limit,
    }


def _own(without: Run, with_: Run) -> float:
    """Seconds in our listeners and threads; LiveKit has threads of its own."""
    more: float = with_["threads_s"] - without["threads_s"]
    return more + float(with_["listeners_s"])


def cpu(env: dict[str, str]) -> Iterator[Run]:
    """The whole process of a long session."""

    def session(plugin: bool) -> Run:
        script = str(HERE / "overhead_session.py")
        used: Run = json.loads(run(script, *(["with"] if plugin else []), env=env))
        return used

    pairs = in_turns(PAIRS_OF_SESSIONS, session)
    listeners = statistics.median(with_["listeners_s"] for _, with_ in pairs)
    threads = statistics.median(b["threads_s"] - a["threads_s"] for a, b in pairs)
    own = statistics.median(100 * _own(a, b) / (b["cpu_s"] - _own(a, b)) for a, b in pairs)
    yield {
        "measure": "cpu_own",
        "turns": pairs[0][1]["turns"],
        "listeners_s": round(listeners, 3),
        "threads_s": round(threads, 3),
        "more_percent": round(own, 2),
        "limit_percent": CPU_MORE_PERCENT,
        "met": own < CPU_MORE_PERCENT,
    }
    without, with_, _ = medians(pairs, "cpu_s")
    more = statistics.median((b["cpu_s"] / a["cpu_s"] - 1) * 100 for a, b in pairs)
    bare = [half["cpu_s"] for half, _ in pairs]
    noise = (max(bare) / min(bare) - 1) * 100
    yield {
        "measure": "cpu_pairs",
        "without_s": round(without, 2),
        "with_s": round(with_, 2),
        "more_percent": round(more, 2),
        "noise_percent": round(noise, 2),
        "limit_percent": CPU_MORE_PERCENT,
        "met": more < CPU_MORE_PERCENT + noise,
    }


def real(env: dict[str, str]) -> Iterator[Run]:
    """The same call in real time, both at once."""

    def session(plugin: bool) -> Run:
        words = ["real", *(["with"] if plugin else [])]
        used: Run = json.loads(run(str(HERE / "overhead_session.py"), *words, env=env))
        return used

    run(str(HERE / "overhead_session.py"), "with", env=env)  # an agent's bytecode is there
    with ThreadPoolExecutor(2) as both:
        without, with_ = both.map(session, (False, True))
    own = _own(without, with_)
    more = 100 * own / (with_["cpu_s"] - own)
    yield {
        "measure": "cpu_real",
        "turns": with_["turns"],
        "without_s": round(without["cpu_s"], 2),
        "with_s": round(with_["cpu_s"], 2),
        "listeners_s": round(with_["listeners_s"], 3),
        "threads_s": round(with_["threads_s"] - without["threads_s"], 3),
        "more_percent": round(more, 2),
        "limit_percent": CPU_MORE_PERCENT,
        "met": more < CPU_MORE_PERCENT,
    }


def jobs(env: dict[str, str]) -> Iterator[Run]:
    """Memory, threads and the end of real job processes."""

    def job(plugin: bool) -> Run:
        own = env | ({"WITH_PLUGIN": "1"} if plugin else {})
        left: Run = json.loads(run(str(HERE / "overhead_job.py"), env=own))
        return left

    pairs = in_turns(PAIRS_OF_JOBS, job)
    for kind in ("rss", "pss", "peak"):
        yield compared(f"memory_{kind}", "mb", medians(pairs, kind), MEMORY_MORE_MB)
    usual = {name for without, _ in pairs for name in without["threads"]}
    left = sorted({name for _, with_ in pairs for name in with_["threads"]} - usual)
    yield {"measure": "threads", "left": left, "limit": 0, "met": not left}
    codes = {half["exit_code"] for pair in pairs for half in pair}
    ends = compared("exit", "s", medians(pairs, "exit_s"), EXIT_LATER_S)
    yield ends | {"exit_codes": sorted(codes), "met": ends["met"] and codes == {0}}
    used = statistics.median(with_["thread_s"] for _, with_ in pairs)
    whole = statistics.median(with_["cpu_s"] for _, with_ in pairs)
    yield {"measure": "thread", "thread_s": round(used, 3), "job_s": round(whole, 3), "met": None}


def imports(env: dict[str, str]) -> Iterator[Run]:
    """What the plugin adds to a process that has imported livekit-agents.

    The processor's time counts: on a busy machine the other says nothing.
    """
    samples = [tuple(map(float, run("-c", IMPORT, env=env).split())) for _ in range(IMPORTS + 1)][
        1:
    ]
    wall, used = (statistics.median(times) * 1e3 for times in zip(*samples, strict=True))
    yield {
        "measure": "import",
        "cpu_ms": round(used, 1),
        "wall_ms": round(wall, 1),
        "limit_ms": IMPORT_MS,
        "met": used < IMPORT_MS,
    }


MEASURES = {"import": imports, "jobs": jobs, "cpu": cpu, "real": real}


def main(only: str = "") -> None:
    """Print the lines as they come.

    Raises:
        SystemExit: a limit is not met, and which.
    """
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="zelto-overhead-") as folder, run_in_thread() as there:
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
