"""Tools: several at once, failing, slow, asynchronous, cut off."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import Agent, RunContext, ToolError, function_tool, llm

from scripted.livekit import ScriptedLLM

from .stage import CallerLine, Play, Ran, Reply, Script, Stage, UnsupportedError

KIND = "Be kind."
BOOK = CallerLine(1.0, 2.0, "Book a table.")


class Waiter(Agent):
    """Has every kind of tool, each of which notes how it ran."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(instructions=KIND)
        self._stage = stage

    @function_tool
    async def book(self, guests: int) -> str:
        """Book a table."""
        with self._stage.tool("book", guests=guests) as ran:
            await asyncio.sleep(0.7)
            ran.outcome = {"result": "booked"}
        return "booked"

    @function_tool
    async def see_menu(self, course: str) -> dict[str, Any]:
        """Look at the menu."""
        with self._stage.tool("see_menu", course=course) as ran:
            await asyncio.sleep(0.3)
            ran.outcome = {"result": "{'soup': 4.5}"}
        return {"soup": 4.5}

    @function_tool
    async def pay(self) -> str:
        """Pay; the till is out of order."""
        with self._stage.tool("pay") as ran:
            ran.outcome = {"error": "An internal error occurred"}
            await asyncio.sleep(0.2)
            raise RuntimeError("the till is out of order")

    @function_tool
    async def refuse(self) -> str:
        """Say no, as a tool may."""
        with self._stage.tool("refuse") as ran:
            ran.outcome = {"error": "no dogs allowed"}
            raise ToolError("no dogs allowed")

    @function_tool
    async def note(self) -> None:
        """Write something down, without a result."""
        with self._stage.tool("note") as ran:
            await asyncio.sleep(0.1)
            ran.outcome = {"result": ""}

    @function_tool
    async def cook(self, ctx: RunContext[None]) -> str:
        """Cook for a long time, and say so in between."""
        with self._stage.tool("cook") as ran:
            await asyncio.sleep(0.3)
            await ctx.update("It takes a moment.")
            await asyncio.sleep(4)
            ran.outcome = {"result": "dinner is ready"}
        return "dinner is ready"

    @function_tool
    async def deliberate(self) -> str:
        """Take longer than the caller's patience."""
        with self._stage.tool("deliberate") as ran:
            await asyncio.sleep(5)
            ran.outcome = {"result": "yes"}
        return "yes"


def asking(tool: str, *more: Reply, hang_up: float = 7.0, **arguments: Any) -> Script:
    """The caller asks for a table, and the model calls ``tool``."""
    call = Reply(to="book a table", tool=tool, arguments=arguments)
    return Script(lines=(BOOK,), replies=(call, *more), hang_up=hang_up, otherwise="Anything else?")


async def tool_spoken_over(stage: Stage) -> None:
    """The caller goes on while a tool runs."""
    script = Script(
        lines=(BOOK, CallerLine(3.0, 3.8, "By the window.")),
        replies=(
            Reply(to="book a table", tool="book", arguments={"guests": 2}),
            Reply(to="window", text="By the window it is."),
            Reply(to="booked", text="It is booked."),
        ),
        hang_up=9.0,
    )
    await stage.voice(script, Waiter(stage))


class TwoAtOnce(ScriptedLLM):
    """A model that calls a second tool beside the one of the script."""

    def chat(self, **options: Any) -> Any:
        answer: Any = super().chat(**options)
        send = answer._send

        def send_two(request_id: str, delta: llm.ChoiceDelta) -> None:
            if delta.tool_calls:
                menu = llm.FunctionToolCall(
                    name="see_menu", arguments='{"course": "first"}', call_id="call_menu"
                )
                delta.tool_calls.append(menu)
            send(request_id, delta)

        answer._send = send_two
        return answer


async def tools_at_once(stage: Stage) -> None:
    """Two tools in one answer, the second done first."""
    script = asking("book", guests=2)
    await stage.voice(script, Waiter(stage), llm=TwoAtOnce(script))


async def tool_failing(stage: Stage) -> None:
    """A tool raises: the model is told of an internal error, and so is the reader."""
    await stage.voice(asking("pay"), Waiter(stage))


async def tool_refusing(stage: Stage) -> None:
    """A tool raises what the model should see."""
    await stage.voice(asking("refuse"), Waiter(stage))


async def tool_without_result(stage: Stage) -> None:
    """A tool returns None: no answer follows it."""
    await stage.voice(asking("note"), Waiter(stage))


async def tool_unknown(stage: Stage) -> None:
    """The model makes a tool up: it reads what it was told of that."""

    class Listening(ScriptedLLM):
        def chat(self, *, chat_ctx: llm.ChatContext, **options: Any) -> Any:
            outputs = [item for item in chat_ctx.items if item.type == "function_call_output"]
            told.extend(item.output for item in outputs)
            return super().chat(chat_ctx=chat_ctx, **options)

    told: list[str] = []
    await stage.voice(asking("fly"), Waiter(stage), llm=Listening(asking("fly")))
    # It starts when the model asked for it, while the session still waited for the turn's end.
    asked, turn = stage.truth[0].end or 0, (stage.truth[0].end or 0) + 0.5
    stage.tools.append(Ran("fly", {}, {"error": told[0]}, start=asked + 0.37, end=turn))


async def tool_asynchronous(stage: Stage) -> None:
    """A tool reports in between, and gives its result long after."""
    if not hasattr(RunContext, "update"):
        raise UnsupportedError("tools cannot report in between")
    script = asking(
        "cook",
        Reply(to="it takes a moment", text="Please wait."),
        Reply(to="dinner is ready", text="Dinner is served."),
        hang_up=12.0,
    )
    await stage.voice(script, Waiter(stage))


async def tool_cut_off(stage: Stage) -> None:
    """The caller hangs up while a tool runs."""
    await stage.voice(asking("deliberate", hang_up=4.0), Waiter(stage))


TOOLS: dict[str, Play] = {
    play.__name__: play
    for play in (
        tool_spoken_over,
        tools_at_once,
        tool_failing,
        tool_refusing,
        tool_without_result,
        tool_unknown,
        tool_asynchronous,
        tool_cut_off,
    )
}
