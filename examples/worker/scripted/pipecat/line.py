"""The two ends of the line: the caller's microphone and the caller's loudspeaker."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    ClientConnectedFrame,
    EndFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from scripted.script import Script

from .marks import marked, marks

SAMPLE_RATE = 16_000
FRAME = 0.02
"""Seconds of audio in one frame of the caller."""
_SAMPLES = int(SAMPLE_RATE * FRAME)


@dataclass
class Heard:
    """A stretch of one utterance that was played.

    Attributes:
        number: The utterance.
        started: Epoch seconds.
        stopped: Epoch seconds.
    """

    number: int
    started: float
    stopped: float


class ScriptedTransport(BaseTransport):
    """A telephone line on which a caller says the lines of a script.

    Event handlers available:

    - on_client_connected(transport, client): the caller is there
    - on_client_disconnected(transport, client): the caller hung up

    Args:
        script: What the caller says, and when they hang up.
    """

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script
        self.started_at = 0.0
        """When the caller was there, epoch seconds."""
        self.hung_up_at: float | None = None
        self._input = _Microphone(self)
        self._output = _Loudspeaker(self)
        self._register_event_handler("on_client_connected")
        self._register_event_handler("on_client_disconnected")

    def input(self) -> BaseInputTransport:
        """Return the caller's microphone."""
        return self._input

    def output(self) -> BaseOutputTransport:
        """Return the caller's loudspeaker."""
        return self._output

    @property
    def heard(self) -> list[Heard]:
        """What the loudspeaker played."""
        return self._output.heard

    async def connect(self) -> None:
        """The caller is there."""
        self.started_at = time.time()
        await self._call_event_handler("on_client_connected", self.script.caller)

    async def hang_up(self) -> None:
        """The caller is gone: nothing is heard any more."""
        if self.hung_up_at is None:
            self.hung_up_at = time.time()
            await self._call_event_handler("on_client_disconnected", self.script.caller)


class _Microphone(BaseInputTransport):
    def __init__(self, line: ScriptedTransport) -> None:
        super().__init__(
            TransportParams(audio_in_enabled=True, audio_in_sample_rate=SAMPLE_RATE),
            name="ScriptedMicrophone",
        )
        self._transport = line
        self._speaking: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        """Let the caller in."""
        await super().start(frame)
        await self.set_transport_ready(frame)
        await self._transport.connect()
        await self.push_frame(ClientConnectedFrame())
        if self._speaking is None:
            self._speaking = self.create_task(self._speak())

    async def stop(self, frame: EndFrame) -> None:
        """Stop listening."""
        await super().stop(frame)
        await self._silence()

    async def cancel(self, frame: CancelFrame) -> None:
        """Stop listening."""
        await super().cancel(frame)
        await self._silence()

    async def cleanup(self) -> None:
        """Stop listening."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._silence()

    async def _silence(self) -> None:
        if self._speaking is not None:
            await self.cancel_task(self._speaking)
            self._speaking = None

    async def _speak(self) -> None:
        script = self._transport.script
        frames = 0
        began = asyncio.get_running_loop().time() - (time.time() - self._transport.started_at)
        while script.hang_up is None or frames * FRAME < script.hang_up:
            start, frames = frames * FRAME, frames + 1
            await asyncio.sleep(began + frames * FRAME - asyncio.get_running_loop().time())
            await self.push_audio_frame(self._frame(script, start, frames * FRAME))
        await self._transport.hang_up()

    def _frame(self, script: Script, start: float, end: float) -> InputAudioRawFrame:
        lines = enumerate(script.lines)
        number = next(
            (i for i, ln in lines if ln.start < end - 1e-6 and start < ln.end - 1e-6), None
        )
        sound = bytes(2 * _SAMPLES) if number is None else marked(number, _SAMPLES)
        return InputAudioRawFrame(audio=sound, sample_rate=SAMPLE_RATE, num_channels=1)


class _Loudspeaker(BaseOutputTransport):
    def __init__(self, line: ScriptedTransport) -> None:
        params = TransportParams(audio_out_enabled=True, audio_out_end_silence_secs=0)
        super().__init__(params, name="ScriptedLoudspeaker")
        self._transport = line
        self.heard: list[Heard] = []
        self._free_at = 0.0

    async def start(self, frame: StartFrame) -> None:
        """Be ready to play."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Any, direction: FrameDirection) -> None:
        """Forget what is played, after an interruption."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._free_at = 0.0

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Play in real time, as a telephone does, and write down what is heard."""
        loop = asyncio.get_running_loop()
        self._free_at = max(self._free_at, loop.time())
        at = time.time() + self._free_at - loop.time()
        for number, samples in marks(frame.audio):
            seconds = samples / frame.sample_rate
            if number is not None and self._transport.hung_up_at is None:
                self._hear(number, at, at + seconds)
            at += seconds
        self._free_at += len(frame.audio) / 2 / frame.sample_rate
        await asyncio.sleep(self._free_at - loop.time())
        return True

    def _hear(self, number: int, started: float, stopped: float) -> None:
        last = self.heard[-1] if self.heard else None
        if last is not None and last.number == number and started - last.stopped < FRAME:
            last.stopped = stopped
        else:
            self.heard.append(Heard(number, started, stopped))
