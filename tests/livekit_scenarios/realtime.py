"""Realtime models: a server finds the turns, and tells the caller's words long after the answer."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import agent_activity

from demo_scripts import GREETING, STORY
from scripted.livekit import ScriptedTTS

from .realtime_answer import BREAK
from .realtime_hearing import CALL, HEARING, KIND, Greeter, converse, without_words
from .realtime_model import Server
from .stage import CallerLine, Play, Reply, Script, Stage

# Before, a handoff closed the connection to the provider, and late words were lost with it.
KEEPS_CONNECTION = hasattr(agent_activity, "_ReusableResources")


async def realtime_call(stage: Stage) -> None:
    """A greeting, and two questions whose words come when the answer is under way."""
    await converse(stage, CALL, Greeter())


class Clerk(Agent):
    """Knows where parcels are."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(instructions=KIND)
        self._stage = stage

    @function_tool
    async def find_parcel(self, number: int) -> str:
        """Look for a parcel."""
        with self._stage.tool("find_parcel", number=number) as ran:
            await asyncio.sleep(0.3)
            ran.outcome = {"result": "on its way"}
        return "on its way"


ASKED = CallerLine(1.0, 2.2, "Where is parcel seven?")
FOUND = Reply(to="on its way", text="Your parcel is on its way.")


async def realtime_tool(stage: Stage) -> None:
    """A function call in the middle; the words that asked for it come after it ran."""
    look = Reply(to="parcel seven", tool="find_parcel", arguments={"number": 7})
    thanks = CallerLine(7.0, 7.8, "Thank you.")
    script = Script((ASKED, thanks), (look, FOUND, *CALL.replies), hang_up=11.0)
    await converse(stage, script, Clerk(stage))


async def realtime_announced_tool(stage: Stage) -> None:
    """The model says that it looks, and calls the tool in the same response."""
    text, arguments = "Let me look for it.", {"number": 7}
    look = Reply(to="parcel seven", text=text, tool="find_parcel", arguments=arguments)
    await converse(stage, Script((ASKED,), (look, FOUND), hang_up=9.0), Clerk(stage))


async def realtime_interrupted(stage: Stage) -> None:
    """The caller cuts the agent short; the server drops what nobody heard."""
    script = Script(
        lines=(CallerLine(1.0, 2.0, "Tell me a story."), CallerLine(6.0, 7.0, "Stop, thank you.")),
        replies=(
            Reply(to="story", text=STORY),
            Reply(to="thank you", text="You are very welcome."),
        ),
        hang_up=11.0,
    )
    model = await converse(stage, script, Agent(instructions=KIND))
    stage.notes["truncated"] = model.truncated


async def realtime_two_messages(stage: Stage) -> None:
    """One response with two messages, played one after the other."""
    text = f"One moment, please.{BREAK}The station is behind the market."
    script = Script(CALL.lines[:1], (GREETING, Reply(to="station", text=text)), hang_up=11.0)
    await converse(stage, script, Greeter())


async def realtime_two_messages_cut(stage: Stage) -> None:
    """The caller cuts the second of two messages short."""
    text = f"One moment, please.{BREAK}{STORY}"
    script = Script(
        lines=(CallerLine(1.0, 2.0, "Tell me a story."), CallerLine(7.0, 8.0, "Stop, thank you.")),
        replies=(
            Reply(to="story", text=text),
            Reply(to="thank you", text="You are very welcome."),
        ),
        hang_up=12.0,
    )
    await converse(stage, script, Agent(instructions=KIND))


async def realtime_spoken_by_tts(stage: Stage) -> None:
    """The realtime model only listens and writes; a text-to-speech has the voice."""
    await converse(stage, CALL, Greeter(), Server(speaks=False), tts=ScriptedTTS())


async def realtime_typed(stage: Stage) -> None:
    """Something typed between two spoken turns stays at its moment."""

    async def type_something(session: AgentSession[Any]) -> None:
        await asyncio.sleep(8.5)
        await session.generate_reply(user_input=stage.typed("I am at gate 12."))

    lines = (CALL.lines[0], CallerLine(11.0, 11.8, "Thank you."))
    gate = Reply(to="gate", text="Gate twelve.")
    script = Script(lines, (*CALL.replies, gate), hang_up=15.0)
    await converse(stage, script, Greeter(), during=type_something)


async def realtime_silent_handoff(stage: Stage) -> None:
    """Another agent takes over without a word, while the words that asked for it are written."""

    class Desk(Agent):
        @function_tool
        async def pass_on(self) -> Agent:
            """Hand the caller over."""
            with stage.tool("pass_on") as ran:
                ran.outcome = {"result": ""}
            return Greeter()

    script = Script(
        lines=(CallerLine(1.0, 2.0, "I have a question about my bill."), CALL.lines[1]),
        replies=(GREETING, Reply(to="bill", tool="pass_on"), *CALL.replies[1:]),
        hang_up=13.0,
    )
    await converse(stage, script, Desk(instructions=KIND))
    if not KEEPS_CONNECTION:
        without_words(stage, script.lines[0])


async def realtime_transcript_while_closing(stage: Stage) -> None:
    """The last words come while the session lets the agent finish its goodbye."""
    script = Script(
        lines=(CallerLine(1.0, 1.8, "Goodbye then."),),
        replies=(Reply(to="goodbye", text="Goodbye, and have a very nice day!"),),
    )

    async def hang_up_politely(session: AgentSession[Any]) -> None:
        await asyncio.sleep(2.4)
        session.shutdown(drain=True)

    await converse(stage, script, Agent(instructions=KIND), during=hang_up_politely)


REALTIME: dict[str, Play] = {
    play.__name__: play
    for play in (
        realtime_call,
        realtime_tool,
        realtime_announced_tool,
        realtime_interrupted,
        realtime_two_messages,
        realtime_two_messages_cut,
        realtime_spoken_by_tts,
        realtime_typed,
        realtime_silent_handoff,
        realtime_transcript_while_closing,
    )
} | HEARING
