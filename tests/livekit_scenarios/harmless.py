"""Conversations whose every trace is written down, with or without the plugin beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import livekit.agents.job as jobs
from livekit import rtc
from livekit.agents import Agent, AgentSession, JobContext, JobProcess, function_tool
from livekit.protocol import agent as protocol
from livekit.protocol import models

import virtual_time
from agent import Support
from demo_scripts import BILLING, WEATHER
from scripted import CallerLine, Reply, Script
from scripted.livekit import ScriptedCall

from .trace import Trace

__all__ = ["CONVERSATIONS", "Beside", "in_job", "traced"]

# Virtual seconds.
LONGEST = 600.0
SHORT = Script(
    lines=(
        CallerLine(0.8, 1.2, "Weather please."),
        CallerLine(2.3, 2.6, "Tell a story."),
        CallerLine(3.5, 4.1, "Stop. My bill please."),
    ),
    replies=(
        Reply(to="greet", text="Hello."),
        Reply(to="weather", tool="weather"),
        Reply(to="sunny", text="Sunny."),
        Reply(to="story", text="Once upon a time there was a fox who could count to ten."),
        Reply(to="bill please", text="Well.", tool="billing"),
        Reply(to="transferred"),
        Reply(to="take over", text="Billing here."),
    ),
    hang_up=5.6,
)


class Beside:
    """What is done to a session from outside; nothing, without the plugin."""

    def attached(self, session: AgentSession[Any]) -> None:
        """Before its start."""

    def started(self, session: AgentSession[Any]) -> None:
        """While it runs."""

    def closed(self, session: AgentSession[Any]) -> None:
        """After its end."""


class Front(Agent):
    """Knows the weather, and hands bills over."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.", id="front")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="greet")

    @function_tool
    async def weather(self) -> str:
        """The weather of today."""
        await asyncio.sleep(0.1)
        return "sunny"

    @function_tool
    async def billing(self) -> tuple[Agent, str]:
        """Hand over."""
        return Back(), "transferred"


class Back(Agent):
    """Knows bills."""

    def __init__(self) -> None:
        super().__init__(instructions="Know bills.", id="back")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="take over")


async def play(
    beside: Beside,
    script: Script,
    agent: Agent,
    *,
    ctx: JobContext | None = None,
    pauses: bool = False,
) -> Trace:
    """One call from the first word to its close."""
    trace = Trace(time.time())
    call = ScriptedCall(script, ctx, pauses=pauses)
    known = call.session_kwargs()
    known["turn_handling"]["endpointing"] = {"min_delay": 0.1}
    session: AgentSession[None] = AgentSession(**known)
    trace.listen(session, "first", whole=False)
    beside.attached(session)
    trace.listen(session, "last")
    trace.listen_to_room(call.room)
    trace.listen_to_speaker(call._speaker)
    call.connect(session)
    await session.start(agent=agent, room=call.room)
    beside.started(session)
    await call.ended()
    beside.closed(session)
    trace.note("history", session.history.items)
    trace.note("usage", session.usage.model_usage)
    trace.note("truth", [(one.role, one.text, one.started, one.stopped) for one in call.truth])
    return trace


async def in_job(beside: Beside) -> Trace:
    """All at once, in a job: a tool, an interruption, a handoff, guests, a hang-up, a shutdown."""
    over: asyncio.Queue[str] = asyncio.Queue()
    ctx = _job(over.put_nowait)
    token = jobs._JobContextVar.set(ctx)
    try:
        ended: list[tuple[float, str]] = []
        user = _user_callback(ended)
        ctx.add_shutdown_callback(user)
        guest = asyncio.create_task(_visit(ctx))
        trace = await play(beside, SHORT, Front(), ctx=ctx)
        await guest
        ctx.add_shutdown_callback(user)
        # As LiveKit does: the first that raises cancels the others.
        reason = await over.get()
        began = time.monotonic()
        await asyncio.gather(*(asyncio.create_task(c(reason)) for c in ctx._shutdown_callbacks))
        trace.held = time.monotonic() - began
        trace.lines += [(trace.plain(at), "shutdown", told) for at, told in ended]
        return trace
    finally:
        jobs._JobContextVar.reset(token)
        ctx._tempdir.cleanup()


def _user_callback(ended: list[tuple[float, str]]) -> Callable[[str], Coroutine[None, None, None]]:
    async def callback(reason: str) -> None:
        await asyncio.sleep(0.5)
        ended.append((asyncio.get_running_loop().time(), reason))

    return callback


async def _visit(ctx: JobContext) -> None:
    """Somebody joins the caller, tells more of themselves, and leaves; then the room goes."""
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
    guest = SimpleNamespace(identity="guest", name="Guest", kind=kind, attributes={"a": "b"})
    guest.disconnect_reason = rtc.DisconnectReason.CLIENT_INITIATED
    for name, told in (
        ("participant_connected", [guest]),
        ("participant_attributes_changed", [{"a": "b"}, guest]),
        ("participant_disconnected", [guest]),
    ):
        await asyncio.sleep(1)
        cast("Any", ctx.room).emit(name, *told)
    await asyncio.sleep(2.4)
    cast("Any", ctx.room).emit("disconnected", rtc.DisconnectReason.ROOM_DELETED)


def _job(on_shutdown: Callable[[str], None]) -> JobContext:
    room = models.Room(name="harmless", sid="RM_harmless")
    info = jobs.RunningJobInfo(
        accept_arguments=jobs.JobAcceptArguments(name="", identity="agent", metadata=""),
        job=protocol.Job(id="AJ_harmless", room=room, agent_name="front"),
        url="",
        token="",
        worker_id="worker",
        fake_job=True,
    )
    return JobContext(
        proc=JobProcess(
            executor_type=jobs.JobExecutorType.PROCESS, user_arguments=None, http_proxy=None
        ),
        info=info,
        room=cast("rtc.Room", rtc.EventEmitter[str]()),
        on_connect=lambda: None,
        on_shutdown=on_shutdown,
        inference_executor=cast("Any", None),
    )


CONVERSATIONS: dict[str, Callable[[Beside], Coroutine[Any, Any, Trace]]] = {
    "pausing": lambda beside: play(beside, SHORT, Front(), pauses=True),
    "weather": lambda beside: play(beside, WEATHER, Support()),
    "billing": lambda beside: play(beside, BILLING, Support()),
    "job": in_job,
}


def traced(name: str, beside: Beside) -> Trace:
    """Play a conversation on a clock of its own."""
    return virtual_time.run(lambda: asyncio.wait_for(CONVERSATIONS[name](beside), LONGEST))
