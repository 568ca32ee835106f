"""Models that listen and speak by themselves, whose transcripts come late."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from pipecat.frames import frames
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies

from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall, ScriptedLLM
from scripted.pipecat.answering import CHARACTERS_PER_SECOND, SAMPLE_RATE, Utterance
from scripted.pipecat.marks import marked, marks

from .speech import CHAT, STORY
from .stage import Play, Script, Stage

# Since 1.8 a service proposes turns; before, it decides.
PROPOSES = hasattr(frames, "ProposedUserStartedSpeakingFrame")
STARTED, STOPPED = (
    getattr(frames, f"{'Proposed' if PROPOSES else ''}User{what}SpeakingFrame")
    for what in ("Started", "Stopped")
)
THINKS = 0.4
TRANSCRIBES = 0.9
"""Seconds after the caller's last sound; by then the model has begun to answer."""


class ScriptedRealtime(ScriptedLLM):
    """Speech in, speech out.

    Args:
        script: what is said.
        ears: whether it tells when the caller speaks.
    """

    def __init__(self, script: Script, *, ears: bool) -> None:
        super().__init__(script)
        self.utterances: list[Utterance] = []
        self._ears = ears
        self._line: int | None = None
        self._answer: asyncio.Task[None] | None = None

    def service_metadata_frame(self) -> Any:
        """What kind of model it is."""
        return frames.LLMServiceMetadataFrame(service_name=self.name, is_realtime_service=True)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Listen."""
        if isinstance(frame, LLMContextFrame):
            await super(ScriptedLLM, self).process_frame(frame, direction)
            return
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            for number, _ in marks(frame.audio):
                if number != self._line:
                    await self._line_changes(number)
        elif isinstance(frame, InterruptionFrame):
            await self._hush()

    async def _line_changes(self, number: int | None) -> None:
        ended, self._line = self._line, number
        if ended is not None:
            if self._ears:
                await self.broadcast_frame(STOPPED)
            self.create_task(self._transcribe(self.script.lines[ended].text))
            self._answer = self.create_task(self._say(self.script.lines[ended].text))
        elif self._ears:
            await self.broadcast_frame(STARTED)
        if number is not None and not (self._ears and PROPOSES):
            await self.broadcast_interruption()

    async def _hush(self) -> None:
        if self._answer is not None:
            answer, self._answer = self._answer, None
            await self.cancel_task(answer)

    async def _transcribe(self, text: str) -> None:
        await asyncio.sleep(TRANSCRIBES)
        heard = TranscriptionFrame(text, "", "")
        await self.push_frame(heard, FrameDirection.UPSTREAM)

    async def _say(self, asked: str) -> None:
        await asyncio.sleep(THINKS)
        text = self.script.reply_to(asked).text
        number, seconds = len(self.utterances), len(text) / CHARACTERS_PER_SECOND
        self.utterances.append(Utterance(str(number), text, seconds))
        await self.push_frame(LLMFullResponseStartFrame())
        await self.push_frame(TTSStartedFrame())
        for word in re.finditer(r"\S+\s*", text):
            samples = int(len(word.group()) / CHARACTERS_PER_SECOND * SAMPLE_RATE)
            await self.push_frame(TTSAudioRawFrame(marked(number, samples), SAMPLE_RATE, 1))
            told = TTSTextFrame(word.group(), "sentence")
            told.includes_inter_frame_spaces = True
            await self.push_frame(told)
            await asyncio.sleep(0.01)
        await self.push_frame(TTSStoppedFrame())
        await self.push_frame(LLMFullResponseEndFrame())
        self._answer = None

    async def cleanup(self) -> None:
        """Say no more."""
        await super().cleanup()
        await self._hush()


async def _play(stage: Stage, script: Script, *, ears: bool) -> None:
    model = ScriptedRealtime(script, ears=ears)
    user = {"user_turn_strategies": ExternalUserTurnStrategies(), "vad_analyzer": None}
    call = ScriptedCall(script, words=True, llm=model, tts=model, user=user, realtime=True)

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        line = call.transport
        return [line.input(), call.user, call.llm, line.output(), call.assistant, zelto]

    await stage.voice(script, call=call, arrange=arrange)


async def realtime(stage: Stage) -> None:
    """One that tells when the caller speaks."""
    await _play(stage, CHAT, ears=True)


async def realtime_interrupted(stage: Stage) -> None:
    """One that is cut short."""
    await _play(stage, STORY, ears=True)


async def realtime_without_ears(stage: Stage) -> None:
    """One that tells words alone, after it began to answer."""
    await _play(stage, CHAT, ears=False)
    for turn in stage.truth:
        if turn.role == "user":
            turn.start = turn.end = None


REALTIME: dict[str, Play] = {
    play.__name__: play for play in (realtime, realtime_interrupted, realtime_without_ears)
}
