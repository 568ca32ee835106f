"""A worker with ``zelto.install``, run by LiveKit's own command line without a LiveKit server.

python installed_worker.py start      # or dev; CALL_SECONDS=2 gives it one call, of 2 seconds
python installed_worker.py thread     # one call in a thread of this process, then it ends

Each job prints a JSON line: its process and the threads in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins import zelto

from run_job import run_job
from scripted import Script
from scripted.livekit import ScriptedCall

SECONDS = float(os.environ.get("CALL_SECONDS", "0"))
# Nobody listens there: the worker goes on trying to register.
server = AgentServer(
    ws_url="ws://127.0.0.1:9", api_key="key", api_secret="s" * 32, port=0, num_idle_processes=0
)
zelto.install(server)
zelto.install(server)


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    names = [thread.name for thread in threading.enumerate()]
    # One write: the worker's log is in the same stream.
    sys.stdout.write(json.dumps({"pid": os.getpid(), "threads": names}) + "\n")
    sys.stdout.flush()
    call = ScriptedCall(Script(hang_up=SECONDS), ctx)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    zelto.attach(session, agent_id="quiet")
    call.connect(session)
    await session.start(agent=Agent(instructions="Listen."), room=ctx.room)


jobs: set[asyncio.Task[None]] = set()


def call_in() -> None:
    if SECONDS:
        job = server.simulate_job("room", fake_job=True)
        jobs.add(asyncio.get_running_loop().create_task(job))


if __name__ == "__main__":
    if sys.argv[1] == "thread":
        asyncio.run(run_job(server, in_thread=True))
    else:
        server.on("worker_started", call_in)
        cli.run_app(server)
