"""A scripted realtime model: it hears frames, finds the turns itself, and answers with sound.

It does what a provider's server does, in the order in which LiveKit's own plugins tell it, and
works with every supported livekit-agents: what a version does not know yet is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from livekit import rtc
from livekit.agents import llm, utils
from livekit.agents.types import NOT_GIVEN, NotGivenOr

from scripted import CallerLine, Reply, Script
from scripted.livekit.audio import heard_line, is_loud

from .realtime_answer import Response, known_to

__all__ = ["ScriptedRealtimeModel", "Server"]

LATENCY = 0.05
"""Seconds from a request to the server's acknowledgement."""
MIN_SPEECH = 0.06
"""Seconds of sound that make a start of speech."""


@dataclass(frozen=True)
class Server:
    """How the provider behaves; all times are seconds.

    Attributes:
        silence: How much of it ends a turn of the caller.
        transcript_after: From the end of a turn to its transcript; None for no transcripts.
        lost: Lines whose transcription fails.
        tells_start: Whether a transcript says when its turn began.
        final_first: Whether the transcript comes before the end of the turn (GPT Live).
        generations: Whether the caller's turn is told as part of the answer to it (Gemini): its
            start is the answer's creation, its end and its transcript come when the provider
            thinks that the answer has been heard.
        speaks: Whether replies have sound; else they are text, for a text-to-speech.
        nods: What it says over the caller, as soon as it hears them.
    """

    silence: float = 0.08
    transcript_after: float | None = 0.9
    lost: tuple[str, ...] = ()
    tells_start: bool = False
    final_first: bool = False
    generations: bool = False
    speaks: bool = True
    nods: str = ""


class ScriptedRealtimeModel(llm.RealtimeModel):
    """Answers by the script, on the newest input that it hears or is shown."""

    def __init__(self, script: Script, server: Server | None = None) -> None:
        self.script, self.server = script, server or Server()
        self.truncated: list[tuple[str, float]] = []
        """What was cut of the assistant's messages: the words that stay, the seconds heard."""
        can = {
            "message_truncation": True,
            "turn_detection": True,
            "user_transcription": self.server.transcript_after is not None,
            "auto_tool_reply_generation": False,
            "audio_output": self.server.speaks,
            "manual_function_calls": True,
            "supports_overlapping_speech": bool(self.server.nods),
            "mutable_chat_context": True,
            "mutable_instructions": True,
            "mutable_tools": True,
            "per_response_tool_choice": False,
        }
        super().__init__(capabilities=known_to(llm.RealtimeCapabilities, can))

    @property
    def model(self) -> str:
        """The name that metrics and usage have."""
        return "scripted-realtime"

    @property
    def provider(self) -> str:
        """The provider that metrics and usage name."""
        return "scripted"

    def session(self, *, turn_detection_disabled: bool = False) -> _Session:
        """Return a connection to the provider."""
        return _Session(self)

    async def aclose(self) -> None:
        """Nothing is open but the sessions."""


class _Session(llm.RealtimeSession[Literal["scripted"]]):
    def __init__(self, model: ScriptedRealtimeModel) -> None:
        super().__init__(model)
        self._model, self._script, self._server = model, model.script, model.server
        self._chat_ctx, self._tools = llm.ChatContext.empty(), llm.ToolContext.empty()
        self._running: set[asyncio.Task[None]] = set()
        self._response: Response | None = None
        self._forget()

    def _forget(self) -> None:
        """Wait for the next turn of the caller."""
        self._began: float | None = None  # epoch seconds
        self._sound = self._quiet = 0.0  # seconds without a break
        self._heard: dict[CallerLine, str] = {}

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._chat_ctx.copy()

    @property
    def tools(self) -> llm.ToolContext:
        return self._tools.copy()

    async def update_instructions(self, instructions: str) -> None:
        await asyncio.sleep(LATENCY)

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        await asyncio.sleep(LATENCY)
        self._chat_ctx = chat_ctx.copy()

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._tools = llm.ToolContext(tools)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        pass

    # what the caller says

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        line, position = heard_line(frame)
        if is_loud(frame):
            self._sound, self._quiet = self._sound + frame.duration, 0.0
            if line is not None:
                self._heard[line] = line.heard(position)
            if self._began is None and self._sound >= MIN_SPEECH:
                self._began = time.time()
                self._on_start()
        elif self._began is not None:
            self._sound, self._quiet = 0.0, self._quiet + frame.duration
            if self._quiet >= self._server.silence:
                text, began = " ".join(filter(None, self._heard.values())), self._began
                self._forget()
                self._on_end(text, began)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        pass

    def commit_audio(self) -> None:
        pass

    def clear_audio(self) -> None:
        self._forget()

    def _on_start(self) -> None:
        answering = self._response is not None
        if answering or not self._server.generations:
            self.emit("input_speech_started", llm.InputSpeechStartedEvent())
        self.interrupt()
        if self._server.nods:
            self._respond(Reply(to="", text=self._server.nods), asked=False)

    def _on_end(self, text: str, began: float) -> None:
        item = llm.ChatMessage(role="user", content=[], id=utils.shortuuid("item_"))
        self._remember(item)
        if self._server.generations:
            if text:
                self.emit("input_speech_started", llm.InputSpeechStartedEvent())
                self._respond(self._script.reply_to(text), asked=False).input = (item, text)
            return
        if not self._server.final_first:
            self._stop()
        if self._server.transcript_after is not None and text not in self._server.lost:
            self._run(self._transcribe(item, text, began, self._server.transcript_after))
        if text:  # a provider may answer a noise too; this one does not
            self._respond(self._script.reply_to(text), asked=False)

    def _stop(self) -> None:
        transcribes = self._model.capabilities.user_transcription and not self._server.generations
        event = llm.InputSpeechStoppedEvent(user_transcription_enabled=transcribes)
        self.emit("input_speech_stopped", event)

    async def _transcribe(
        self, item: llm.ChatMessage, text: str, began: float, after: float
    ) -> None:
        await asyncio.sleep(after)
        known = began if self._server.tells_start else None
        for heard, is_final in ((text.partition(" ")[0], False), (text, True)):
            self._tell(item, heard, known, is_final=is_final)
        if self._server.final_first:
            self._stop()

    def _tell(
        self, item: llm.ChatMessage, text: str, began: float | None, *, is_final: bool
    ) -> None:
        if is_final:
            item.content = [text]
        values = {"item_id": item.id, "transcript": text, "is_final": is_final}
        event = known_to(llm.InputTranscriptionCompleted, values | {"turn_started_at": began})
        self.emit("input_audio_transcription_completed", event)

    # what the model says

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[llm.GenerationCreatedEvent]:
        created: asyncio.Future[llm.GenerationCreatedEvent] = asyncio.Future()
        newest = instructions if isinstance(instructions, str) else _newest(self._chat_ctx)

        async def create() -> None:
            await asyncio.sleep(LATENCY)
            if not created.done():
                created.set_result(self._respond(self._script.reply_to(newest), asked=True).event)

        self._run(create())
        return created

    def interrupt(self) -> None:
        if self._response is not None:
            self._response.cancel()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        text = audio_transcript if isinstance(audio_transcript, str) else ""
        self._model.truncated.append((text, audio_end_ms / 1000))

    async def aclose(self) -> None:
        await utils.aio.cancel_and_wait(*self._running)

    def _respond(self, reply: Reply, *, asked: bool) -> Response:
        self.interrupt()
        self._response = response = Response(reply, speaks=self._server.speaks, asked=asked)
        response.task = self._run(self._play(response))
        self.emit("generation_created", response.event)
        return response

    async def _play(self, response: Response) -> None:
        try:
            await response.stream(self._remember)
            if response.input is not None:
                await asyncio.sleep(response.seconds)  # as if it had heard it itself
        finally:
            self._response = None if self._response is response else self._response
            if response.input is not None:
                item, text = response.input
                self._stop()
                known = response.created if self._server.tells_start else None
                self._tell(item, text, known, is_final=True)
            self.emit("metrics_collected", response.metrics(self._model))

    def _remember(self, item: llm.ChatItem) -> None:
        items = self._chat_ctx.items
        previous = items[-1].id if items else None
        items.append(item)
        event = llm.RemoteItemAddedEvent(previous_item_id=previous, item=item)
        self.emit("remote_item_added", event)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _newest(chat_ctx: llm.ChatContext) -> str:
    for item in reversed(chat_ctx.items):
        if item.type == "function_call_output":
            return item.output
        if item.type == "message" and item.role != "assistant":
            return item.text_content or ""
    return ""
