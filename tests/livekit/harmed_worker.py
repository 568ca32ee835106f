"""A worker whose plugin is broken in every place; run as a program, it plays one job to its end.

What the user's own code lived to see is in the file that SEEN names, a line each. Prints one JSON
line in the end: the exit code of the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from livekit.agents import Agent, AgentServer, AgentSession, JobContext
from livekit.plugins import zelto
from livekit.plugins.zelto import _install, _worker

from harming import functions_of, hanging, hurt, plugin_modules, raising
from run_job import run_job
from scripted import CallerLine, Reply, Script
from scripted.livekit import ScriptedCall
from zelto_agents._work import Work

SCRIPT = Script(
    lines=(CallerLine(1.0, 1.5, "Hello?"),),
    replies=(Reply(to="hello", text="Hello."),),
    hang_up=4.0,
)
SHUTDOWN = "_session.SessionWatch._on_shutdown"
FAULTS = (TypeError, ValueError, RuntimeError)
server = AgentServer()
zelto.install(server)
# What is hurt stays so until its process ends.
for_good = contextlib.ExitStack()


def harm() -> None:
    """Every listener raises, and the thread that the shutdown waits for hangs."""
    ours = functions_of(*plugin_modules())
    listeners = [
        function for name, function in ours.items() if "._on_" in name and name != SHUTDOWN
    ]
    for_good.enter_context(hurt(listeners, raising(*FAULTS)))
    for_good.enter_context(hurt([Work.commit], hanging(threading.Event())))


def seen(what: object) -> None:
    with Path(os.environ["SEEN"]).open("a") as file:
        file.write(f"{what}\n")


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    async def shut_down(reason: str) -> None:
        await asyncio.sleep(0.5)
        seen(f"shut down: {reason}")

    call = ScriptedCall(SCRIPT, ctx)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    ctx.add_shutdown_callback(shut_down)
    zelto.attach(session, agent_id="harmed")
    harm()
    ctx.add_shutdown_callback(shut_down)
    session.on("close", lambda event: seen(f"closed: {event.reason.value}"))
    session.on("conversation_item_added", lambda event: seen(event.item.type))
    call.connect(session)
    await session.start(agent=Agent(instructions="Be kind."), room=ctx.room)


if __name__ == "__main__":
    for_good.enter_context(hurt(functions_of(_install, _worker).values(), raising(*FAULTS)))
    job = asyncio.run(run_job(server))
    print(json.dumps({"exit_code": job.exit_code}), flush=True)
