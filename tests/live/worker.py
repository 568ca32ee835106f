"""The worker that is called: ``python worker.py start``, or ``dev --no-reload``.

The metadata of a dispatch say how its call goes; see `Plan`. `LIVE_FOLDER` is where it tells the
tests that it is registered, and what its jobs do.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    RunContext,
    cli,
    function_tool,
    room_io,
)
from livekit.agents.beta.tools import EndCallTool
from livekit.plugins import zelto

from live.hearing import LineSTT
from scripted import Reply, Script
from scripted.livekit import ScriptedCall

FOLDER = Path(os.environ["LIVE_FOLDER"])
GOODBYE = "Goodbye, and thank you for calling."
REPLIES = (
    Reply(to="greet", text="Hello, how can I help you?"),
    Reply(to="weather", text="It is sunny and warm in Paris."),
    Reply(to="say goodbye", text=GOODBYE),  # what LiveKit's own tool asks for
)
OWN_TOOL, LIVEKITS_TOOL = Reply("bye", GOODBYE, tool="hang_up"), Reply("bye", tool="end_call")


@dataclass(frozen=True)
class Plan:
    """What the test wants of one call.

    Attributes:
        lines: What the caller is going to say.
        greets: Whether the agent speaks first.
        hang_up: How the agent ends the call once it is told "bye": by ``delete_room``, by
            ``aclose`` of its session alone, by LiveKit's ``EndCallTool``, or else by a shutdown
            of the job with this reason.
        stays: Whether the agent waits for a caller who has left.
    """

    lines: list[str] = field(default_factory=list)
    greets: bool = True
    hang_up: str = ""
    stays: bool = False


class Host(Agent):
    def __init__(self, ctx: JobContext, plan: Plan) -> None:
        tools = [EndCallTool()] if plan.hang_up == "EndCallTool" else []
        super().__init__(instructions="Be kind.", tools=tools)
        self._ctx, self._plan = ctx, plan

    async def on_enter(self) -> None:
        if self._plan.greets:
            self.session.generate_reply(instructions="Greet the caller.")

    @function_tool
    async def hang_up(self, context: RunContext[None]) -> None:
        """End the call."""
        await context.wait_for_playout()
        if self._plan.hang_up == "delete_room":
            await self._ctx.delete_room()
        elif self._plan.hang_up == "aclose":
            self._closing = asyncio.create_task(self.session.aclose())
        else:
            self._ctx.shutdown(self._plan.hang_up)


def note(ctx: JobContext, about: str, text: str) -> None:
    """Tell the tests something about a job."""
    (FOLDER / f"{ctx.job.room.name}.{about}").write_text(text)


server = AgentServer(
    port=0,
    num_idle_processes=1,
    # A busy machine takes calls as well.
    load_fnc=lambda *_: 0.0,
    load_threshold=float("inf"),
)
if os.environ["LIVE_INSTALL"]:
    zelto.install(server)


@server.rtc_session(agent_name=os.environ["LIVE_AGENT"])
async def entrypoint(ctx: JobContext) -> None:
    plan = Plan(**json.loads(ctx.job.metadata))
    note(ctx, "pid", str(os.getpid()))
    goodbye = LIVEKITS_TOOL if plan.hang_up == "EndCallTool" else OWN_TOOL
    models = ScriptedCall(Script(replies=(*REPLIES, goodbye))).session_kwargs()
    session: AgentSession[None] = AgentSession(**models | {"stt": LineSTT(plan.lines)})
    zelto.attach(session)
    options = room_io.RoomOptions(close_on_disconnect=not plan.stays)
    await session.start(agent=Host(ctx, plan), room=ctx.room, room_options=options)
    note(ctx, "started", "yes")


if __name__ == "__main__":
    server.on("worker_registered", lambda *_: (FOLDER / "registered").touch())
    cli.run_app(server)
