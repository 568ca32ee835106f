"""A worker whose call takes three seconds; run as a program, it plays one job to its end.

python short_worker.py [KIND] [KIND...]

The kind is the name of the room, and of a function below; ``thread`` runs in a thread of the
worker. Of one job, prints a JSON line: when it was over (seconds since the epoch), and how it
ended. Several are played beside each other.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from livekit.agents import Agent, AgentServer, AgentSession, APIStatusError, JobContext
from livekit.agents.voice import agent_session
from livekit.plugins import zelto

from on_disk import on_disk
from run_job import run_job
from scripted import CallerLine, Reply, Script
from scripted.livekit import ScriptedCall, ScriptedLLM

# Nobody hangs up by the clock: the caller does once greeted, or the agent's side ends the call.
SCRIPT = Script(replies=(Reply(to="greet", text="Hello."),))
# Nothing of it goes to LiveKit's cloud; the first versions know all or nothing.
AUDIO_ONLY: Any = (
    {"audio": True, "traces": False, "logs": False, "transcript": False}
    if hasattr(agent_session, "RecordingOptions")
    else True
)


class Greeter(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Be kind.", **options)

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the caller.")


async def start(
    ctx: JobContext,
    script: Script = SCRIPT,
    agent: Agent | None = None,
    record: Any = None,
    **models: Any,
) -> tuple[ScriptedCall, AgentSession[None]]:
    """Attach, and start the session with the job's room."""
    call = ScriptedCall(script, ctx)
    session: AgentSession[None] = AgentSession(**(call.session_kwargs() | models))
    zelto.attach(session, agent_id="greeter")
    call.connect(session)
    options = {} if record is None else {"record": record}
    await session.start(agent=agent or Greeter(), room=ctx.room, **options)
    return call, session


async def greeted(session: AgentSession[None]) -> None:
    """Wait until the agent's first turn has been committed."""
    heard = asyncio.Event()
    session.on(
        "conversation_item_added",
        lambda event: heard.set() if event.item.type == "message" else None,
    )
    if not any(item.type == "message" for item in session.history.items):
        await heard.wait()


async def answered(ctx: JobContext, record: Any = None) -> ScriptedCall:
    """A call whose caller hangs up once they were greeted."""
    call, session = await start(ctx, record=record)
    await greeted(session)
    call.hang_up(session)
    return call


async def spoiled(ctx: JobContext) -> None:
    """LiveKit cancels every other shutdown callback when one of them raises."""

    async def spoil(_: str) -> None:
        raise RuntimeError("a callback of the user's")

    ctx.add_shutdown_callback(spoil)
    await answered(ctx)


async def unstarted(ctx: JobContext) -> None:
    """The caller is gone before the session starts."""
    zelto.attach(AgentSession[None](), agent_id="greeter")
    ctx.shutdown("gone before the start")


async def failing_start(ctx: JobContext) -> None:
    """``session.start()`` raises, and nobody catches it."""
    call = ScriptedCall(SCRIPT, ctx)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    zelto.attach(session, agent_id="greeter")
    await session.start(agent=Greeter(), room=cast("Any", "no room at all"))


async def crashing(ctx: JobContext) -> None:
    """The entrypoint raises in the middle of the call."""
    _, session = await start(ctx)
    await greeted(session)
    raise RuntimeError("a bug of the user's")


async def shut_down(ctx: JobContext) -> None:
    """The agent's code ends the job, with a reason of its own."""
    _, session = await start(ctx)
    await greeted(session)
    ctx.shutdown("voicemail")


async def ending_tool(ctx: JobContext) -> None:
    """LiveKit's own tool to end a call."""
    from livekit.agents.beta.tools import EndCallTool

    script = Script(
        lines=(CallerLine(1.0, 1.6, "Goodbye."),),
        replies=(
            Reply(to="say goodbye", text="Bye."),
            Reply(to="goodbye", tool="end_call"),
            Reply(to="greet", text="Hello."),
        ),
    )
    await start(ctx, script, Greeter(tools=[EndCallTool(delete_room=False)]))


async def no_model(ctx: JobContext) -> None:
    """The language model fails until LiveKit gives the session up."""

    class Broken(ScriptedLLM):
        def chat(self, **options: Any) -> Any:
            answer: Any = super().chat(**options)

            async def fail() -> None:
                raise APIStatusError("no model", status_code=400, retryable=False)

            answer._run = fail
            return answer

    lines = tuple(CallerLine(i + 0.2, i + 0.5, "Hello?") for i in range(1, 12, 2))
    await start(ctx, replace(SCRIPT, lines=lines), llm=Broken(SCRIPT))


async def tagged(ctx: JobContext) -> None:
    """The user's code gives its verdict, as late as it may."""

    async def judge() -> None:
        ctx.tagger.add("voicemail:false")
        ctx.tagger.success("the caller was greeted")

    call = await answered(ctx)
    await call.ended()
    await judge()


async def two_sessions(ctx: JobContext) -> None:
    """A warm transfer: a second session, beside the first, in the same job."""
    _, first = await start(ctx)
    await greeted(first)
    second = ScriptedCall(SCRIPT)
    session: AgentSession[None] = AgentSession(**second.session_kwargs())
    zelto.attach(session, agent_id="transfer")
    second.connect(session)
    await session.start(agent=Greeter(), room=second.room)
    await greeted(session)
    ctx.shutdown("transferred")


async def killed(ctx: JobContext) -> None:
    """SIGKILL, as the kernel sends it to whoever takes too much memory."""
    _, session = await start(ctx)
    await greeted(session)
    await on_disk("Hello.", ctx.job.id)
    os.kill(os.getpid(), signal.SIGKILL)


async def terminated(ctx: JobContext) -> None:
    """SIGTERM of the job's process, which under forkserver ends it at once."""
    _, session = await start(ctx)
    await greeted(session)
    await on_disk("Hello.", ctx.job.id)
    os.kill(os.getpid(), signal.SIGTERM)


async def recorded(ctx: JobContext) -> None:
    """LiveKit's own recorder writes the session's audio."""
    await answered(ctx, record=AUDIO_ONLY)


KINDS: dict[str, Callable[[JobContext], Awaitable[None]]] = {
    kind.__name__: kind
    for kind in (
        spoiled,
        unstarted,
        failing_start,
        crashing,
        shut_down,
        ending_tool,
        no_model,
        tagged,
        two_sessions,
        killed,
        terminated,
        recorded,
    )
}
server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    await KINDS.get(ctx.job.room.name, answered)(ctx)


async def play(kinds: list[str]) -> None:
    """Give the worker all of these jobs, and wait until they have ended."""
    server.update_options(ws_url="ws://127.0.0.1", api_key="unused", api_secret="unused")
    started = asyncio.Event()
    server.once("worker_started", started.set)
    worker = asyncio.create_task(server.run(devmode=True, unregistered=True))
    await started.wait()
    for kind in kinds:
        await server.simulate_job(kind, fake_job=True)
    await server.drain()
    await server.aclose()
    await worker


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(asyncio.run(play(sys.argv[1:])))
    kind = sys.argv[1] if len(sys.argv) > 1 else "process"
    job = asyncio.run(run_job(server, kind, in_thread=kind == "thread"))
    print(json.dumps({"over": time.time(), "exit_code": job.exit_code, "pid": job.pid}), flush=True)
