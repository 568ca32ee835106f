"""What a scripted realtime model answers: streams of text, sound and function calls."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar

from livekit import rtc
from livekit.agents import llm, utils
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.agents.metrics.base import Metadata

from scripted import Reply
from scripted.livekit.answering import CHARACTERS_PER_SECOND, SAMPLE_RATE
from scripted.sound import voice

__all__ = ["BREAK", "FIRST_SOUND", "Response", "known_to"]

BREAK = "\n\n"
"""Between the messages of a reply that has several."""
FIRST_SOUND = 0.35
"""Seconds from a response's creation to its first sound."""
_CHUNK, _SPEED = 0.2, 4.0  # seconds of audio in one frame; how much faster than real time it comes

_T = TypeVar("_T")
_Remember = Callable[[llm.ChatItem], None]


class Response:
    """One answer on its way: messages with text and sound, and perhaps a function call."""

    def __init__(self, reply: Reply, *, speaks: bool, asked: bool) -> None:
        self._reply, self._speaks = reply, speaks
        self.input: tuple[llm.ChatMessage, str] | None = None
        self.task: asyncio.Task[None] | None = None
        self.created, self.cancelled = time.time(), False
        self._messages: utils.aio.Chan[llm.MessageGeneration] = utils.aio.Chan()
        self._functions: utils.aio.Chan[llm.FunctionCall] = utils.aio.Chan()
        self.event = llm.GenerationCreatedEvent(
            message_stream=self._messages,
            function_stream=self._functions,
            user_initiated=asked,
            response_id=utils.shortuuid("resp_"),
        )

    @property
    def seconds(self) -> float:
        """How long its words sound."""
        return len(self._reply.text) / CHARACTERS_PER_SECOND

    def cancel(self) -> None:
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()

    async def stream(self, remember: _Remember) -> None:
        """Send all of it, and end the streams whatever happens."""
        try:
            await asyncio.sleep(FIRST_SOUND)
            for text in filter(None, self._reply.text.split(BREAK)):
                await self._say(text, remember)
            if self._reply.tool:
                call = llm.FunctionCall(
                    call_id=utils.shortuuid("call_"),
                    name=self._reply.tool,
                    arguments=json.dumps(dict(self._reply.arguments)),
                )
                remember(call)
                self._functions.send_nowait(call)
        finally:
            self._messages.close()
            self._functions.close()

    async def _say(self, text: str, remember: _Remember) -> None:
        item = llm.ChatMessage(role="assistant", content=[], id=utils.shortuuid("item_"))
        words: utils.aio.Chan[str] = utils.aio.Chan()
        sound: utils.aio.Chan[rtc.AudioFrame] = utils.aio.Chan()
        modalities: asyncio.Future[list[Literal["text", "audio"]]] = asyncio.Future()
        modalities.set_result(["audio", "text"] if self._speaks else ["text"])
        remember(item)
        self._messages.send_nowait(
            llm.MessageGeneration(
                message_id=item.id, text_stream=words, audio_stream=sound, modalities=modalities
            )
        )
        try:
            for word in re.findall(r"\S+\s*", text):
                words.send_nowait(word)
            if self._speaks:
                for frame in _sound(len(text) / CHARACTERS_PER_SECOND):
                    sound.send_nowait(frame)
                    await asyncio.sleep(frame.duration / _SPEED)
            item.content = [text]
        finally:
            words.close()
            sound.close()

    def metrics(self, model: llm.RealtimeModel) -> RealtimeModelMetrics:
        """What the provider bills: four characters of text to a token, ten tokens a second."""
        text, audio = max(1, len(self._reply.text) // 4), int(10 * self.seconds)
        audio = audio if self._speaks else 0
        return RealtimeModelMetrics(
            label=model.label,
            request_id=self.event.response_id or "",
            timestamp=self.created,
            duration=time.time() - self.created,
            ttft=FIRST_SOUND,
            metadata=Metadata(model_name=model.model, model_provider=model.provider),
            cancelled=self.cancelled,
            output_tokens=text + audio,
            total_tokens=text + audio,
            input_token_details=RealtimeModelMetrics.InputTokenDetails(),
            output_token_details=RealtimeModelMetrics.OutputTokenDetails(
                text_tokens=text, audio_tokens=audio
            ),
        )


def _sound(seconds: float) -> Iterable[rtc.AudioFrame]:
    data, step = voice(seconds, SAMPLE_RATE), 2 * int(_CHUNK * SAMPLE_RATE)
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        yield rtc.AudioFrame(piece, SAMPLE_RATE, 1, len(piece) // 2)


def known_to(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """A dataclass from those values that this version of livekit-agents has a field for."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names})
