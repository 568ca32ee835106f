"""Scripted language model and text-to-speech, on the base classes of pipecat."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipecat.frames.frames import (
    Frame,
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.utils.text.base_text_aggregator import Aggregation, BaseTextAggregator

from scripted.script import Reply, Script

from .marks import marked

CHARACTERS_PER_SECOND = 14.0
"""How fast the scripted voice speaks."""
FIRST_TOKEN = 0.15
"""Seconds until the language model begins to answer."""
FIRST_SOUND = 0.1
"""Seconds until the voice begins to speak."""
PER_WORD = 0.01
SAMPLE_RATE = 24_000
_CHUNK = 0.2


class ScriptedLLM(LLMService):
    """Answers by the script, on the newest input that it is shown.

    Args:
        script: Where the replies come from.
        prompt: The system prompt.
        model: The model that metrics and usage name.
    """

    def __init__(
        self, script: Script, *, prompt: str | None = None, model: str = "scripted-llm"
    ) -> None:
        known: dict[str, Any] = {one.name: None for one in fields(LLMSettings)}
        known |= {"model": model, "system_instruction": prompt, "extra": {}}
        super().__init__(settings=LLMSettings(**known))
        self.script = script

    def can_generate_metrics(self) -> bool:
        """Usage is told."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer a context; pass everything else on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            await self.answer(frame.context)
        except Exception as fault:  # noqa: BLE001 - any service reports what failed
            await self.push_error(error_msg=f"no answer: {fault}", exception=fault)
        finally:
            await self.push_frame(LLMFullResponseEndFrame())

    async def answer(self, context: LLMContext) -> None:
        """Say the reply, word by word, and call its tool."""
        reply = self.script.reply_to(newest_input(context))
        await asyncio.sleep(FIRST_TOKEN)
        for word in re.findall(r"\S+\s*", reply.text):
            await self.push_frame(LLMTextFrame(word))
            await asyncio.sleep(PER_WORD)
        await self.start_llm_usage_metrics(_usage(context, reply))
        calls = [
            FunctionCallFromLLM(
                function_name=name,
                tool_call_id=f"call_{uuid.uuid4().hex[:8]}",
                arguments=dict(reply.arguments),
                context=context,
            )
            for name in reply.tool.split()
        ]
        await self.run_function_calls(calls)


def newest_input(context: LLMContext) -> str:
    """What the model has not answered yet: a caller's words, instructions, or a tool's result."""
    for message in reversed(context.get_messages()):
        if isinstance(message, Mapping) and message.get("role") != "assistant":
            content: Any = message.get("content")
            return content if isinstance(content, str) else json.dumps(content)
    return ""


def _usage(context: LLMContext, reply: Reply) -> LLMTokenUsage:
    # four characters to a token, the usual estimate
    shown = sum(
        len(str(m.get("content"))) for m in context.get_messages() if isinstance(m, Mapping)
    )
    said = len(reply.text) + len(json.dumps(dict(reply.arguments)))
    prompt, completion = max(1, shown // 4), max(1, said // 4)
    return LLMTokenUsage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )


@dataclass
class Utterance:
    """What the voice made of one text.

    Attributes:
        context: The TTS context that it is a part of.
        text: The words.
        seconds: How long it takes to say them.
    """

    context: str
    text: str
    seconds: float

    def heard(self, seconds: float) -> str:
        """Return the words that `seconds` are enough for, the one being spoken included."""
        share = seconds / self.seconds + 1e-6
        said = len(self.text) * min(share, 1.0)
        words = [m.group() for m in re.finditer(r"\S+", self.text) if m.start() < said - 1e-6]
        return " ".join(words)


class ScriptedTTS(TTSService):
    """Makes a sound for as long as the words would take.

    Args:
        words: Whether it says when each word is spoken, as Cartesia and ElevenLabs do.
    """

    def __init__(self, *, words: bool = False, model: str = "scripted-tts") -> None:
        super().__init__(
            sample_rate=SAMPLE_RATE,
            push_start_frame=True,
            push_stop_frames=True,
            push_text_frames=not words,
            settings=TTSSettings(model=model, voice="scripted", language=None),
        )
        self.utterances: list[Utterance] = []
        """All that it was given to say, in order."""
        self._words = words
        self._text_aggregator: Any = Sentences()  # pipecat's own needs a download before 1.12

    def can_generate_metrics(self) -> bool:
        """Usage is told."""
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the sound of one sentence."""
        number = len(self.utterances)
        before = sum(u.seconds for u in self.utterances if u.context == context_id)
        utterance = Utterance(context_id, text.strip(), len(text.strip()) / CHARACTERS_PER_SECOND)
        self.utterances.append(utterance)
        await self.start_tts_usage_metrics(text)
        await asyncio.sleep(FIRST_SOUND)
        if self._words:
            times = [
                (match.group(), before + match.start() / CHARACTERS_PER_SECOND)
                for match in re.finditer(r"\S+", utterance.text)
            ]
            await self.add_word_timestamps(times, context_id)
        left = int(utterance.seconds * SAMPLE_RATE)
        while left > 0:
            samples = min(left, int(_CHUNK * SAMPLE_RATE))
            left -= samples
            yield TTSAudioRawFrame(marked(number, samples), SAMPLE_RATE, 1, context_id=context_id)


class Sentences(BaseTextAggregator):
    """Cuts text after each full stop, exclamation mark or question mark."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._text = ""

    @property
    def text(self) -> Aggregation:
        """What is not a whole sentence yet."""
        return Aggregation(text=self._text, type="sentence")

    async def aggregate(self, text: str) -> AsyncGenerator[Aggregation, None]:
        """Yield what has become whole."""
        self._text += text
        while match := re.match(r"\s*(.+?[.!?])(?=\s)", self._text, re.DOTALL):
            self._text = self._text[match.end() :]
            yield Aggregation(text=match.group(1), type="sentence")

    async def flush(self) -> Aggregation | None:
        """Return the rest."""
        rest, self._text = self._text.strip(), ""
        return Aggregation(text=rest, type="sentence") if rest else None

    async def handle_interruption(self) -> None:
        """Forget the rest."""
        self._text = ""

    async def reset(self) -> None:
        """Forget the rest."""
        self._text = ""
