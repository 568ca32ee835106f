"""Several agents, tasks within agents, and sessions one after and beside the other."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import (
    Agent,
    AgentSession,
    AgentTask,
    ChatMessage,
    __version__,
    function_tool,
)

from demo_scripts import STORY, WEATHER
from scripted.livekit import ScriptedCall

from .speech import KIND, SAID
from .stage import (
    CallerLine,
    Play,
    Reply,
    Script,
    Stage,
    Truth,
    UnsupportedError,
    needs_prompts_in_history,
)


class Consent(AgentTask[bool]):
    """Asks whether the call may be recorded, and ends with the answer."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(instructions="Ask for consent.")
        self._stage = stage

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="ask for consent")

    @function_tool
    async def agree(self) -> None:
        """The caller agrees."""
        with self._stage.tool("agree") as ran:
            ran.outcome = {"result": ""}
            self.complete(True)


class Reception(Agent):
    """Begins with a task."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(instructions=KIND)
        self._stage = stage

    async def on_enter(self) -> None:
        self._stage.notes["consent"] = await Consent(self._stage)
        self.session.generate_reply(instructions="carry on")


async def agent_task(stage: Stage) -> None:
    """A task asks a question and gives the call back."""
    if __version__ in ("1.5.0", "1.5.1"):
        raise UnsupportedError("after a task, the model is asked twice")
    script = Script(
        lines=(CallerLine(3.0, 3.8, "Yes, of course."),),
        replies=(
            Reply(to="ask for consent", text="May I record this?"),
            Reply(to="yes, of course", tool="agree"),
            Reply(to="carry on", text="Thank you. What is it about?"),
        ),
        hang_up=9.0,
    )
    await stage.voice(script, Reception(stage))


async def agent_replaced(stage: Stage) -> None:
    """``session.update_agent`` from outside."""

    async def replace(session: AgentSession[Any]) -> None:
        await asyncio.sleep(0.5)
        session.update_agent(Agent(instructions="Be brief.", id="brief"))

    await stage.voice(SAID, Agent(instructions=KIND, id="kind"), during=replace)


async def prompt_changed(stage: Stage) -> None:
    """``update_instructions`` in the middle of the call."""
    agent = Agent(instructions=KIND)

    async def change(session: AgentSession[Any]) -> None:
        await asyncio.sleep(0.5)
        needs_prompts_in_history(session)
        await agent.update_instructions("Be brief.")

    await stage.voice(SAID, agent, during=change)


async def restarted(stage: Stage) -> None:
    """One session object, started twice: two calls, the second with an id of its own."""
    call = ScriptedCall(WEATHER)
    session: AgentSession[None] = AgentSession(llm=call.session_kwargs()["llm"])
    stage.attach(session)
    said = {KIND: "Please tell me a story.", "Be brief.": "What is the weather in Paris?"}
    for prompt, text in said.items():
        await session.start(agent=Agent(instructions=prompt))
        await session.run(user_input=text)
        await session.aclose()
    stage.truth = [Truth("user", "Please tell me a story."), Truth("assistant", STORY)]


async def told_after_the_close(stage: Stage) -> None:
    """Somebody's code adds a turn when the session has closed: it belongs to what has ended."""
    session = await stage.voice(SAID, Agent(instructions=KIND))
    await asyncio.sleep(1)
    item = ChatMessage(role="assistant", content=["Noted."], id="noted")
    session._conversation_item_added(item)
    stage.truth.append(Truth("assistant", "Noted."))


async def long_call(stage: Stage) -> None:
    """Two hundred turns in twenty minutes."""
    lines = tuple(CallerLine(6.0 * i + 1, 6.0 * i + 2, f"Question {i}.") for i in range(100))
    script = Script(lines=lines, replies=(Reply(to="question", text="Answer."),), hang_up=606.0)
    await stage.voice(script, Agent(instructions=KIND))


AGENTS: dict[str, Play] = {
    play.__name__: play
    for play in (
        agent_task,
        agent_replaced,
        prompt_changed,
        restarted,
        told_after_the_close,
        long_call,
    )
}
