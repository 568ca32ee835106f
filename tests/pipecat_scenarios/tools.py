"""Tools: one, several at once, failing, cut off, too slow, beside the talk."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from typing import Any

from pipecat.frames.frames import (
    FunctionCallCancelFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
)
from pipecat.services.llm_service import FunctionCallParams

from scripted.pipecat import ScriptedCall

from .stage import CallerLine, Play, Reply, Script, Stage, UnsupportedError

BOOK = CallerLine(1.0, 2.0, "Book a table.")
BOOKED = Reply(to="booked", text="It is booked.")


def script(
    *replies: Reply, hang_up: float = 8.0, lines: tuple[CallerLine, ...] = (BOOK,)
) -> Script:
    """A call about a table."""
    return Script(lines=lines, replies=replies, hang_up=hang_up)


class Waiter:
    """Has every kind of tool, each of which notes how it ran."""

    def __init__(self, stage: Stage, call: ScriptedCall, **options: Any) -> None:
        self._stage = stage
        for name in ("book", "see_menu", "pay", "seat"):
            call.llm.register_function(name, getattr(self, name), **options)

    async def book(self, params: FunctionCallParams) -> None:
        """Book a table."""
        with self._stage.tool("book", **params.arguments) as ran:
            await asyncio.sleep(0.7)
            ran.outcome = {"result": "booked"}
        await params.result_callback("booked")

    async def see_menu(self, params: FunctionCallParams) -> None:
        """Look at the menu."""
        with self._stage.tool("see_menu", **params.arguments) as ran:
            await asyncio.sleep(0.3)
            ran.outcome = {"result": {"soup": 4.5}}
        await params.result_callback({"soup": 4.5})

    async def pay(self, params: FunctionCallParams) -> None:
        """Pay; the till is out of order."""
        with self._stage.tool("pay", **params.arguments) as ran:
            await asyncio.sleep(0.2)
            ran.outcome = {"error": "RuntimeError: the till is out of order"}
            raise RuntimeError("the till is out of order")

    async def seat(self, params: FunctionCallParams) -> None:
        """Take a long time, and tell how it goes."""
        with self._stage.tool("seat", **params.arguments) as ran:
            ran.outcome = {"error": "cancelled"}
            await asyncio.sleep(1.5)
            if params.arguments.get("tells"):
                await params.result_callback(
                    "soon", properties=FunctionCallResultProperties(is_final=False)
                )
            await asyncio.sleep(1.5)
            ran.outcome = {"result": "seated"}
        await params.result_callback("seated")


async def play(stage: Stage, said: Script, **options: Any) -> ScriptedCall:
    """Play it with every tool at hand."""
    call = ScriptedCall(said, prompt="Be kind.")
    Waiter(stage, call, **options)
    return await stage.voice(said, call=call)


async def tool(stage: Stage) -> None:
    """One tool, with arguments, and words before it."""
    asked = Reply(to="table", text="Let me see.", tool="book", arguments={"guests": 4})
    await play(stage, script(asked, BOOKED))


async def several_tools(stage: Stage) -> None:
    """Two at once."""
    await play(stage, script(Reply(to="table", tool="book see_menu"), BOOKED))


async def failing_tool(stage: Stage) -> None:
    """One that raises."""
    if not hasattr(FunctionCallResultFrame, "error"):
        raise UnsupportedError("frames do not tell that a tool failed")
    said = script(Reply(to="table", tool="pay"), Reply(to="pay", text="It failed."))
    await play(stage, said)


async def interrupted_tool(stage: Stage) -> None:
    """The caller speaks, which cancels it."""
    lines = (BOOK, CallerLine(3.8, 4.6, "Never mind."))
    replies = (Reply(to="table", tool="seat"), Reply(to="never mind", text="All right."))
    await play(stage, script(*replies, lines=lines))


async def slow_tool(stage: Stage) -> None:
    """One that takes longer than it may."""
    if "run_llm" not in {known.name for known in fields(FunctionCallCancelFrame)}:
        raise UnsupportedError("a tool that takes too long goes on")
    said = script(Reply(to="table", tool="seat"), Reply(to="", text="It takes too long."))
    await play(stage, said, timeout_secs=1.0)
    stage.tools[0].outcome = {"error": "timed out"}


async def tool_beside_the_talk(stage: Stage) -> None:
    """One that goes on while they talk, and tells how it goes."""
    lines = (BOOK, CallerLine(3.8, 4.6, "And who are you?"))
    replies = (
        Reply(to="who are you", text="A voice."),
        Reply(to="table", tool="seat", arguments={"tells": True}),
        Reply(to="seated", text="You are seated."),
        Reply(to="soon", text="It is soon."),
        Reply(to="running", text="It is under way."),
    )
    await play(stage, script(*replies, lines=lines, hang_up=12.0), cancel_on_interruption=False)


async def tool_after_the_end(stage: Stage) -> None:
    """One that the hang-up cuts off."""
    await play(stage, script(Reply(to="table", tool="seat"), hang_up=4.0))
    (ran,) = stage.tools
    stage.tools = [replace(ran, outcome={}, end=None)]  # some versions cancel it later still


TOOLS: dict[str, Play] = {
    play.__name__: play
    for play in (
        tool,
        several_tools,
        failing_tool,
        interrupted_tool,
        slow_tool,
        tool_beside_the_talk,
        tool_after_the_end,
    )
}
