"""Scripted voice activity detection and speech-to-text, on the base classes of livekit-agents."""

from __future__ import annotations

from livekit import rtc
from livekit.agents import LanguageCode, stt, utils, vad
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)

from scripted.script import CallerLine

from .audio import heard_line, is_loud

MIN_SPEECH = 0.06
"""Seconds of sound that make a start of speech."""
MIN_SILENCE = 0.4
"""Seconds of silence that make an end of speech."""
FINAL_DELAY = 0.2
"""Seconds from the last sound to the final transcript."""


class ScriptedVAD(vad.VAD):
    """Hears speech wherever the audio is not silent."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.1))

    def stream(self) -> vad.VADStream:
        """Return a detector for one stream of frames."""
        return _VADStream(self)


class _VADStream(vad.VADStream):
    _speaking = False
    _samples = 0
    # seconds of sound and of silence without a break, and of the speech so far
    _sound = _silence = _speech = 0.0

    async def _main_task(self) -> None:
        async for frame in self._input_ch:
            if isinstance(frame, rtc.AudioFrame):
                self._hear(frame)
            else:  # a flush: what follows is a new segment
                self._speaking, self._sound, self._silence, self._speech = False, 0.0, 0.0, 0.0

    def _hear(self, frame: rtc.AudioFrame) -> None:
        self._samples += frame.samples_per_channel
        if is_loud(frame):
            self._sound, self._silence = self._sound + frame.duration, 0.0
        else:
            self._sound, self._silence = 0.0, self._silence + frame.duration
        if self._speaking:
            self._speech += frame.duration
        self._send(vad.VADEventType.INFERENCE_DONE, frame)
        if not self._speaking and self._sound >= MIN_SPEECH:
            self._speaking, self._speech = True, self._sound
            self._send(vad.VADEventType.START_OF_SPEECH, frame)
        elif self._speaking and self._silence >= MIN_SILENCE:
            self._speaking, self._speech = False, self._speech - self._silence
            self._send(vad.VADEventType.END_OF_SPEECH, frame)
            self._speech = 0.0

    def _send(self, kind: vad.VADEventType, frame: rtc.AudioFrame) -> None:
        # the session takes both durations off the clock, and so finds the true start and end
        event = vad.VADEvent(
            type=kind,
            samples_index=self._samples,
            timestamp=self._samples / frame.sample_rate,
            speech_duration=self._speech,
            silence_duration=self._silence,
            frames=[frame],
            probability=1.0 if self._sound else 0.0,
            speaking=self._speaking,
            raw_accumulated_silence=self._silence,
            raw_accumulated_speech=self._sound,
        )
        self._event_ch.send_nowait(event)


class ScriptedSTT(stt.STT[str]):
    """Reads the words that the caller's frames carry: what never reaches it, it does not hear.

    Args:
        provider: The provider that metrics and usage name.
        model: The model that metrics and usage name.
    """

    def __init__(self, *, provider: str = "scripted", model: str = "scripted-stt") -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self._provider, self._model = provider, model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        raise NotImplementedError("the scripted speech-to-text only streams")

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        """Return a recogniser for one stream of frames."""
        return _STTStream(stt=self, conn_options=conn_options)


class _STTStream(stt.RecognizeStream):
    _line: CallerLine | None = None
    _text = ""
    # seconds of silence since the line, and of audio since the last final
    _silence = _unbilled = 0.0

    async def _run(self) -> None:
        async for frame in self._input_ch:
            if isinstance(frame, rtc.AudioFrame):
                self._hear(frame)

    def _hear(self, frame: rtc.AudioFrame) -> None:
        self._unbilled += frame.duration
        line, position = heard_line(frame)
        if line is not None:
            if line is not self._line:
                self._finish()
                self._line = line
            self._silence = 0.0
            if (text := line.heard(position)) != self._text:
                self._text = text
                self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT)
        elif self._line is not None:
            self._silence += frame.duration
            if self._silence >= FINAL_DELAY:
                self._finish()

    def _finish(self) -> None:
        if self._line is not None and self._text:
            self._send(stt.SpeechEventType.FINAL_TRANSCRIPT)
            usage = stt.RecognitionUsage(audio_duration=self._unbilled)
            kind = stt.SpeechEventType.RECOGNITION_USAGE
            self._event_ch.send_nowait(stt.SpeechEvent(kind, recognition_usage=usage))
            self._unbilled = 0.0
        self._line, self._text = None, ""

    def _send(self, kind: stt.SpeechEventType) -> None:
        heard = stt.SpeechData(language=LanguageCode("en"), text=self._text, confidence=0.98)
        self._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=[heard]))
