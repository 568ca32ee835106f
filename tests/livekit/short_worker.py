"""A worker whose call takes three seconds; run as a program, it plays one job to its end.

python short_worker.py [process|thread|spoiled|unstarted]

Prints one JSON line: when the job was over (seconds since the epoch), and how it ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))

from livekit.agents import Agent, AgentServer, AgentSession, JobContext
from livekit.plugins import zelto

from run_job import run_job
from scripted import Reply, Script, ScriptedCall

SCRIPT = Script(replies=(Reply(to="greet", text="Hello."),), hang_up=2.0)
server = AgentServer()


class Greeter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the caller.")


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    call = ScriptedCall(SCRIPT, ctx)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    if ctx.job.room.name == "spoiled":
        # LiveKit cancels every other shutdown callback when one of them raises.
        async def spoil(_: str) -> None:
            raise RuntimeError("a callback of the user's")

        ctx.add_shutdown_callback(spoil)
    zelto.attach(session, agent_id="greeter")
    if ctx.job.room.name == "unstarted":
        ctx.shutdown("gone before the start")
        return
    call.connect(session)
    await session.start(agent=Greeter(), room=ctx.room)


if __name__ == "__main__":
    kind = sys.argv[1] if len(sys.argv) > 1 else "process"
    job = asyncio.run(run_job(server, kind, in_thread=kind == "thread"))
    print(json.dumps({"over": time.time(), "exit_code": job.exit_code, "pid": job.pid}), flush=True)
