"""The two ends of the line: the caller's microphone and the caller's loudspeaker."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from livekit import rtc
from livekit.agents.voice import io

from scripted.script import CallerLine, Spoken
from scripted.sound import voice

SAMPLE_RATE = 16_000
FRAME = 0.02
"""Seconds of audio in one frame of the caller."""
_SAMPLES = int(SAMPLE_RATE * FRAME)
_LOUD = 500
_LINE, _POSITION = "scripted.line", "scripted.position"


@lru_cache(maxsize=2)
def _sound(*, loud: bool) -> bytes:
    return voice(FRAME, SAMPLE_RATE) if loud else bytes(2 * _SAMPLES)


def is_loud(frame: rtc.AudioFrame) -> bool:
    """Return whether there is sound in a frame."""
    return max(frame.data, default=0) > _LOUD


def heard_line(frame: rtc.AudioFrame) -> tuple[CallerLine | None, float]:
    """Return the caller's line that a frame is part of, and the seconds of it up to here."""
    return frame.userdata.get(_LINE), frame.userdata.get(_POSITION, 0.0)


class Microphone(io.AudioInput):
    """Plays the caller's lines in real time; every frame carries the line that it is part of.

    Args:
        lines: What the caller says.
        elapsed: The clock of the call: seconds since its start.
    """

    def __init__(self, lines: Sequence[CallerLine], elapsed: Callable[[], float]) -> None:
        super().__init__(label="ScriptedMicrophone")
        self._lines = lines
        self._elapsed = elapsed
        self._frames = 0

    async def __anext__(self) -> rtc.AudioFrame:
        """Return the next frame once its last sample has been spoken."""
        began, self._frames = self._frames * FRAME, self._frames + 1
        ended = self._frames * FRAME
        await asyncio.sleep(max(0.0, ended - self._elapsed()))
        line = next((ln for ln in self._lines if ln.start < ended and began < ln.end), None)
        frame = rtc.AudioFrame(_sound(loud=line is not None), SAMPLE_RATE, 1, _SAMPLES)
        if line is not None:
            frame.userdata.update({_LINE: line, _POSITION: ended - line.start})
        return frame


class Loudspeaker(io.AudioOutput):
    """Plays the agent in real time and writes down when it was heard.

    Args:
        pauses: Whether the framework may pause it, as it may a LiveKit room. Then the agent
            falls silent at once when the caller begins, but the interruption is final, and the
            turn recorded, only with the caller's transcript.
    """

    def __init__(self, *, pauses: bool) -> None:
        super().__init__(
            label="ScriptedLoudspeaker", capabilities=io.AudioOutputCapabilities(pause=pauses)
        )
        self.captions = Captions()
        self._spoken: list[Spoken] = []
        self._paused_at: float | None = None
        self._new_segment()

    def _new_segment(self) -> None:
        self._played = self._pushed = 0.0  # seconds
        self._started: float | None = None  # this and the next two: epoch seconds
        self._running_since: float | None = None
        self._cleared_at: float | None = None
        self._flushed = False
        self._end: asyncio.TimerHandle | None = None

    @property
    def spoken(self) -> list[Spoken]:
        """What was heard of the agent, with the words that had been played by then."""
        starts = [segment.started for segment in self._spoken] + [math.inf]
        return [
            replace(segment, text=self.captions.between(segment.started, following))
            for segment, following in zip(self._spoken, starts[1:], strict=True)
        ]

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a frame of the current segment; the first one starts the playback."""
        await super().capture_frame(frame)
        if self._cleared_at is None:
            self._advance()
            self._pushed += frame.duration
            self._run()

    def flush(self) -> None:
        """End the segment: it is over when all of it has been played, or at once if cleared."""
        super().flush()
        if self._pushed:
            self._flushed = True
            self._schedule_end()

    def clear_buffer(self) -> None:
        """Fall silent: the rest of the segment is never heard."""
        if self._pushed and self._cleared_at is None:
            self._advance()
            self._cleared_at = time.time() if self._paused_at is None else self._paused_at
            if self._flushed:
                self._finish()

    def pause(self) -> None:
        """Stop the playback where it is."""
        super().pause()
        if self._paused_at is None:
            self._advance()
            self._running_since, self._paused_at = None, time.time()
            if self._end:
                self._end.cancel()

    def resume(self) -> None:
        """Go on where the playback was paused."""
        super().resume()
        self._paused_at = None
        if self._pushed and self._cleared_at is None:
            self._run()
            if self._flushed:
                self._schedule_end()

    def _run(self) -> None:
        if self._paused_at is None and self._running_since is None:
            self._running_since = time.time()
            if self._started is None:
                self._started = self._running_since
                self.on_playback_started(created_at=self._started)

    def _advance(self) -> None:
        """Bring the playhead up to now; a dry buffer waits for more."""
        if self._running_since is not None:
            now = time.time()
            self._played = min(self._pushed, self._played + now - self._running_since)
            self._running_since = now

    def _schedule_end(self) -> None:
        if self._cleared_at is not None:
            self._finish()
        elif self._running_since is not None:
            self._advance()
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(self._pushed - self._played, self._finish)

    def _finish(self) -> None:
        started, cleared_at = self._started, self._cleared_at
        interrupted = cleared_at is not None
        position = self._played if interrupted else self._pushed
        if started is not None:
            stopped = time.time() if cleared_at is None else cleared_at
            self._spoken.append(Spoken("assistant", "", started, stopped, interrupted))
        if self._end:
            self._end.cancel()
        self._new_segment()
        self.on_playback_finished(playback_position=position, interrupted=interrupted)


class Captions(io.TextOutput):
    """Takes down the agent's words as they are spoken."""

    def __init__(self) -> None:
        super().__init__(label="ScriptedCaptions", next_in_chain=None)
        self._words: list[tuple[float, str]] = []

    async def capture_text(self, text: str) -> None:
        """Take the next words."""
        self._words.append((time.time(), text))

    def flush(self) -> None:
        """Nothing is held back."""

    def between(self, start: float, end: float) -> str:
        """Return the words that came between two moments, epoch seconds."""
        return "".join(word for at, word in self._words if start <= at < end).strip()
