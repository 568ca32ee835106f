"""Scripted voice detection and speech-to-text, on the base classes of pipecat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState
from pipecat.frames.frames import Frame, InterimTranscriptionFrame, TranscriptionFrame
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.utils.time import time_now_iso8601

from scripted.script import Script

from .line import FRAME
from .marks import marks

FINAL_DELAY = 0.15
"""Seconds from the last sound of a line to its transcript."""
LATEST_FINAL = 0.35
"""What the pipeline is told that a transcript may take."""
INTERIM_EVERY = 0.4


class ScriptedVAD(VADAnalyzer):
    """Hears every line of a script, and nothing else."""

    def __init__(self) -> None:
        super().__init__(params=VADParams(min_volume=0.0))

    def num_frames_required(self) -> int:
        """Return the samples of one decision."""
        return int(self.sample_rate * FRAME)

    def voice_confidence(self, buffer: bytes) -> float:
        """Return 1 for sound, 0 for silence."""
        return float(any(number is not None for number, _ in marks(buffer)))

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """Decide at once: a scripted ear needs no thread."""
        return self._run_analyzer(buffer)


class ScriptedSTT(STTService):
    """Knows the words of every line that it hears.

    Args:
        script: The caller's lines.
        final_delay: Seconds from the last sound of a line to its transcript.
        interims: Whether words are told while they are spoken.
    """

    def __init__(
        self, script: Script, *, final_delay: float = FINAL_DELAY, interims: bool = True
    ) -> None:
        super().__init__(
            ttfs_p99_latency=LATEST_FINAL,
            settings=STTSettings(model="scripted-stt", language=None),
        )
        self.script = script
        self._final_delay = final_delay
        self._interims = interims
        self._line: int | None = None
        self._seconds = self._told = 0.0
        self._finals: set[asyncio.Task[None]] = set()

    def can_generate_metrics(self) -> bool:
        """Usage is told."""
        return True

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Follow the line that is spoken."""
        for number, samples in self._heard(audio):
            if number != self._line:
                self._end_line()
                self._line, self._seconds, self._told = number, 0.0, 0.0
            self._seconds += samples / self.sample_rate
            if number is not None and self._interims:
                await self._tell_interim(number)
        yield None

    def _heard(self, audio: bytes) -> Iterator[tuple[int | None, int]]:
        return marks(audio)

    async def _tell_interim(self, number: int) -> None:
        if self._seconds - self._told < INTERIM_EVERY:
            return
        self._told = self._seconds
        text = self.script.lines[number].heard(self._seconds)
        if text:
            await self.push_frame(InterimTranscriptionFrame(text, "caller", time_now_iso8601()))

    def _end_line(self) -> None:
        if self._line is not None and self.script.lines[self._line].text:
            task = self.create_task(self._tell_final(self.script.lines[self._line].text))
            self._finals.add(task)
            task.add_done_callback(self._finals.discard)

    async def _tell_final(self, text: str) -> None:
        await asyncio.sleep(self._final_delay)
        await self.push_frame(TranscriptionFrame(text, "caller", time_now_iso8601()))

    async def cleanup(self) -> None:
        """Tell no more."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        for task in list(self._finals):
            await self.cancel_task(task)


class TelephoneSTT(ScriptedSTT):
    """Knows the lines of a script by their order: a telephone blurs what marks them."""

    _begun = 0

    def _heard(self, audio: bytes) -> Iterator[tuple[int | None, int]]:
        number = None
        if any(mark is not None for mark, _ in marks(audio)):
            if self._line is None:
                self._begun = min(self._begun + 1, len(self.script.lines))
            number = self._begun - 1
        yield number, len(audio) // 2
