"""One real job, a call of twelve seconds; prints what its process used, and what was left of it.

python overhead_job.py      # WITH_PLUGIN=1 for the plugin, its settings from the environment

The extras are not installed here, as they are not with the plugin alone.

The JSON line holds megabytes (``rss``, ``pss``, and the most there ever was, ``peak``), the
threads that were alive when the process ended, the processor's seconds of our thread and of all,
and the seconds from the close of the session to the end of all exit handlers.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))

from livekit.agents import Agent, AgentServer, AgentSession, JobContext

from run_job import run_job
from scripted import CallerLine, Reply, Script
from scripted.livekit import ScriptedCall

sys.modules["genai_prices"] = None  # type: ignore[assignment] # the extra ``cost``
PLUGIN = bool(os.environ.get("WITH_PLUGIN"))
if PLUGIN:
    from livekit.plugins import zelto

SCRIPT = Script(
    lines=tuple(CallerLine(1 + n * 3, 2 + n * 3, f"Question {n}, please.") for n in range(4)),
    replies=(Reply(to="question", text="The answer to that is simple."),),
    hang_up=12.0,
)
# Seconds in which a thread may come to its end.
GRACE = 1.0
server = AgentServer()


def report(seen: dict[str, Any]) -> None:
    """The last that the process does: what is registered first is called last."""
    seen["ended"] = time.time()
    seen["cpu_s"] = time.process_time()
    deadline = time.monotonic() + GRACE
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    seen["threads"] = [thread.name for thread in threading.enumerate()]
    seen["peak"] = _kilobytes("status", "VmHWM") / 1024
    Path(os.environ["REPORT"]).write_text(json.dumps(seen))


def _kilobytes(file: str, name: str) -> int:
    lines = Path("/proc/self", file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def look(seen: dict[str, Any]) -> None:
    """At the end of the call."""
    seen["closed"] = time.time()
    seen["rss"] = _kilobytes("smaps_rollup", "Rss") / 1024
    seen["pss"] = _kilobytes("smaps_rollup", "Pss") / 1024
    for thread in threading.enumerate():
        if thread.name == "zelto-delivery":
            used = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
            seen["thread_s"] = int(used.split()[0]) / 1e9


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    """Answer the call."""
    seen: dict[str, Any] = {}
    threading._register_atexit(report, seen)  # type: ignore[attr-defined]
    call = ScriptedCall(SCRIPT, ctx)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    if PLUGIN:
        zelto.attach(session, agent_id="overhead")
    session.on("close", lambda _: look(seen))
    call.connect(session)
    await session.start(agent=Agent(instructions="Be kind."), room=ctx.room)


if __name__ == "__main__":
    job = asyncio.run(run_job(server))
    seen = json.loads(Path(os.environ["REPORT"]).read_text())
    seen |= {"exit_s": seen.pop("ended") - seen.pop("closed"), "exit_code": job.exit_code}
    print(json.dumps(seen), flush=True)
