"""Turns that LiveKit's own history loses, changes or never sees."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import Agent, AgentSession, StopResponse, __version__, llm, tts

from scripted.livekit import ScriptedLLM, ScriptedTTS

from .speech import KIND, SAID, STORY, TALE
from .stage import CallerLine, Play, Reply, Script, Stage

TWICE = Script(
    lines=(CallerLine(1.0, 2.0, "First question."), CallerLine(4.0, 5.0, "Second question.")),
    replies=(Reply(to="question", text="An answer."),),
    hang_up=8.0,
)


class Hooked(Agent):
    """An agent whose hook does something to each turn of the caller's."""

    def __init__(self, hook: Any) -> None:
        super().__init__(instructions=KIND)
        self._hook = hook

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        self._hook(turn_ctx, new_message)


async def stopped_response(stage: Stage) -> None:
    """``StopResponse``: the turn is in no history."""

    def stop(_: object, message: llm.ChatMessage) -> None:
        if "First" in (message.text_content or ""):
            raise StopResponse

    await stage.voice(TWICE, Hooked(stop))


async def failing_hook(stage: Stage) -> None:
    """The user's own hook raises."""

    def fail(_: object, message: llm.ChatMessage) -> None:
        if "First" in (message.text_content or ""):
            raise RuntimeError("a hook of the user's")

    await stage.voice(TWICE, Hooked(fail))


async def edited_by_hook(stage: Stage) -> None:
    """The user's hook rewrites what was heard; the edited turn is the turn, and not two."""

    def edit(_: object, message: llm.ChatMessage) -> None:
        message.content = [(message.text_content or "").replace("question", "wish")]

    await stage.voice(TWICE, Hooked(edit))
    for turn in stage.truth:
        if turn.role == "user":
            turn.text = turn.text.replace("question", "wish")


async def truncated_history(stage: Stage) -> None:
    """The user's code shortens ``session.history`` in the middle of the call."""

    async def shorten(session: AgentSession[Any]) -> None:
        await asyncio.sleep(3.9)
        session.history.truncate(max_items=1)

    await stage.voice(TWICE, Agent(instructions=KIND), during=shorten)


async def spoken_over_uninterruptible(stage: Stage) -> None:
    """The caller speaks over a ``say`` that may not be interrupted."""

    async def insist(session: AgentSession[Any]) -> None:
        await session.say(
            "This call is recorded for the training of our agents.", allow_interruptions=False
        )

    # By default LiveKit does not even hear such speech: then there is nothing to keep.
    heard = {"mode": "vad", "discard_audio_if_uninterruptible": False}
    await stage.voice(
        SAID,
        Agent(instructions=KIND),
        during=insist,
        turn_handling={"turn_detection": "vad", "interruption": heard},
    )


async def without_model(stage: Stage) -> None:
    """A session that only listens."""
    await stage.voice(TWICE, Agent(instructions=KIND), llm=None, tts=None)


async def failing_voice(stage: Stage) -> None:
    """The text-to-speech breaks in the middle of the answer."""

    class Broken(ScriptedTTS):
        def synthesize(self, text: str, **options: Any) -> tts.ChunkedStream:
            if "louder" in text:
                raise RuntimeError("no voice left")
            return super().synthesize(text, **options)

    await stage.voice(
        Script(STORY.lines[:1], STORY.replies, hang_up=9.0), Agent(instructions=KIND), tts=Broken()
    )
    if __version__ >= "1.8":  # before, LiveKit took the rest for spoken
        stage.truth[-1].text = TALE.split(".")[0] + "."
    else:
        stage.truth[-1].text = TALE


async def failing_model(stage: Stage) -> None:
    """The language model never answers: the session closes with an error."""

    class Broken(ScriptedLLM):
        def chat(self, **_: Any) -> Any:
            raise RuntimeError("no model")

    await stage.voice(TWICE, Agent(instructions=KIND), llm=Broken(TWICE))


LOST: dict[str, Play] = {
    play.__name__: play
    for play in (
        stopped_response,
        failing_hook,
        edited_by_hook,
        truncated_history,
        spoken_over_uninterruptible,
        without_model,
        failing_voice,
        failing_model,
    )
}
