"""Conversations whose every trace is written down, with or without the plugin in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from pipecat.frames.frames import EndFrame, StopFrame

import virtual_time
from scripted import CallerLine, Reply, Script

from .acting import (
    Arrange,
    Beside,
    Make,
    do_everything,
    ends_when_broken,
    giving,
    holding,
    parallel,
    play,
    recording,
    say_goodbye,
    text,
    transcribed,
    typed,
)
from .speech import TALE
from .traced import Trace

__all__ = ["CONVERSATIONS", "Beside", "traced"]

# Virtual seconds.
LONGEST = 600.0
EVERYTHING = Script(
    lines=(
        CallerLine(0.6, 0.8, "Book a table."),
        CallerLine(2.2, 2.4, "Tell me a tale."),
        CallerLine(3.8, 4.0, "Stop, wait for it."),
        CallerLine(4.8, 5.0, "Break."),
        CallerLine(6.2, 7.0, "And what was I about to say?"),
    ),
    replies=(
        Reply(to="table", text="Well.", tool="book", arguments={"guests": 4}),
        Reply(to="booked", text="Done."),
        Reply(to="a tale", text=TALE),
        Reply(to="wait for it", tool="wait"),
        Reply(to="in short", text="We have met."),
    ),
    hang_up=6.8,
)
CHAT = Script(
    lines=(CallerLine(0.4, 0.6, "Book a table."), CallerLine(2.4, 2.6, "A tale, please.")),
    replies=EVERYTHING.replies,
    hang_up=3.6,
)
STORY = Script(
    lines=(CallerLine(0.4, 0.6, "Tell me a tale."), CallerLine(2.2, 2.4, "Table, please.")),
    replies=EVERYTHING.replies,
    hang_up=3.4,
)
SHORT = replace(CHAT, lines=CHAT.lines[:1], hang_up=2.0)
CUT = replace(STORY, lines=STORY.lines[:1], hang_up=2.0)
DIES = replace(CUT, lines=(CallerLine(0.4, 0.6, "Die."),))

Conversation = Callable[[Beside], Coroutine[Any, Any, Trace]]


def a_call(script: Script, **options: Any) -> Conversation:
    """A conversation like that; the arguments are those of ``play``."""
    return lambda beside: play(beside, script, **options)


def a_chat(*given: Make, arrange: Arrange = text) -> Conversation:
    """One without a voice."""
    return a_call(CHAT, arrange=arrange, during=giving(*given))


CONVERSATIONS: dict[str, Conversation] = {
    "everything": a_call(
        EVERYTHING,
        arrange=recording,
        during=do_everything,
        worker={"enable_rtvi": False, **ends_when_broken()},
    ),
    "short": a_call(SHORT, worker={"enable_rtvi": False, **ends_when_broken()}),
    "tool": a_call(CHAT),
    "words": a_call(STORY, words=True),
    "interruption": a_call(STORY),
    "without metrics": a_call(SHORT, usage=False),
    "parallel": a_call(SHORT, arrange=parallel),
    "hung up on": a_call(CUT, words=True),
    "ended": a_call(replace(CHAT, lines=CHAT.lines[:1], hang_up=None), during=say_goodbye),
    "broken": a_call(DIES, worker=ends_when_broken()),
    "idle": a_call(Script(), arrange=text, worker={"idle_timeout_secs": 3.0}),
    "typed": a_chat(typed("A table."), typed("Break."), EndFrame),
    "transcribed": a_chat(transcribed("A table."), EndFrame),
    "stopped": a_chat(typed("A tale."), StopFrame),
    "slow to end": a_chat(typed("A tale."), EndFrame, arrange=holding),
}


def traced(name: str, beside: Beside) -> Trace:
    """Play a conversation on a clock of its own."""
    return virtual_time.run(lambda: asyncio.wait_for(CONVERSATIONS[name](beside), LONGEST))
