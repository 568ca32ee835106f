"""A scripted speech-to-text for real audio, which carries no words: it hears that there is sound.

Every stretch of speech is the next line of its script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from livekit import rtc
from livekit.agents import LanguageCode, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from scripted.livekit import ScriptedSTT
from scripted.livekit.audio import is_loud
from scripted.livekit.hearing import FINAL_DELAY, MIN_SPEECH


class LineSTT(ScriptedSTT):
    """Hears its lines one after the other.

    Args:
        lines: what the caller is going to say.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__()
        self._lines = iter(lines)

    def stream(self, **options: Any) -> stt.RecognizeStream:
        """Return a recogniser for one stream of frames; the script goes on where it was."""
        conn_options = options.get("conn_options", DEFAULT_API_CONNECT_OPTIONS)
        return _LineStream(self._lines, stt=self, conn_options=conn_options)


class _LineStream(stt.RecognizeStream):
    def __init__(self, lines: Iterator[str], **options: Any) -> None:
        self._lines = lines
        self._line: str | None = None
        self._sound = self._silence = 0.0  # seconds of either, without a break
        super().__init__(**options)

    async def _run(self) -> None:
        async for frame in self._input_ch:
            if isinstance(frame, rtc.AudioFrame):
                self._hear(frame)

    def _hear(self, frame: rtc.AudioFrame) -> None:
        if is_loud(frame):
            self._sound, self._silence = self._sound + frame.duration, 0.0
        else:
            self._sound, self._silence = 0.0, self._silence + frame.duration
        if self._line is None and self._sound >= MIN_SPEECH:
            self._line = next(self._lines, "")
            self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT)
        elif self._line is not None and self._silence >= FINAL_DELAY:
            self._send(stt.SpeechEventType.FINAL_TRANSCRIPT)
            self._line = None

    def _send(self, kind: stt.SpeechEventType) -> None:
        heard = stt.SpeechData(language=LanguageCode("en"), text=self._line or "", confidence=0.98)
        self._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=[heard]))
