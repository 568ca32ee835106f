"""A scripted call: what a session needs to live through a script, and the truth afterwards."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from typing import Any, cast

from livekit import rtc
from livekit.agents import AgentSession, CloseEvent, JobContext
from livekit.agents.voice.transcription import TranscriptSynchronizer

from scripted.script import Script, Spoken

from .answering import ScriptedLLM, ScriptedTTS
from .audio import Loudspeaker, Microphone
from .hearing import ScriptedSTT, ScriptedVAD
from .room import ScriptedRoom


class ScriptedCall:
    """One caller and one set of scripted models, for one session.

        call = ScriptedCall(script, ctx)
        session = AgentSession(**call.session_kwargs())
        call.connect(session)
        await session.start(agent=Support(), room=call.room)
        await call.ended()

    Args:
        script: What happens.
        ctx: The job, if there is one. The mock room of a fake job is replaced by `room`, and the
            job is shut down after the session has closed, as when the server closes a room that
            everybody has left. Make the call before anything listens to `ctx.room`.
        pauses: Whether the agent's audio can be paused, as in a LiveKit room; see `Loudspeaker`.
    """

    def __init__(
        self, script: Script, ctx: JobContext | None = None, *, pauses: bool = False
    ) -> None:
        self.script = script
        self._ctx = ctx
        self._pauses = pauses
        self._room = ScriptedRoom(ctx.job.room.name if ctx else "scripted", script.caller)
        if ctx is not None and ctx.is_fake_job():
            ctx._room = self.room  # noqa: SLF001 - there is no public way to give a job a room
        self._speaker = Loudspeaker(pauses=pauses)
        self._ended = asyncio.Event()
        self._hanging_up: asyncio.Task[None] | None = None
        self._closed_after = math.inf
        self.started_at = 0.0
        """When the clock of the script started, epoch seconds."""

    @property
    def room(self) -> rtc.Room:
        """The room to start the session with: it brings the caller, and the hang-up."""
        return cast("rtc.Room", self._room)

    @property
    def truth(self) -> list[Spoken]:
        """What was really heard so far, by start; epoch seconds."""
        hang_up = math.inf if self.script.hang_up is None else self.script.hang_up
        until = min(time.time() - self.started_at, self._closed_after, hang_up)
        said = [
            Spoken(
                "user",
                line.heard(min(line.end, until) - line.start),
                self.started_at + line.start,
                self.started_at + min(line.end, until),
            )
            for line in self.script.lines
            if line.text and line.start < until
        ]
        return sorted(said + self._speaker.spoken, key=lambda spoken: spoken.started)

    def session_kwargs(self) -> dict[str, Any]:
        """Return the arguments of `AgentSession`: the models, and turns that need no network."""
        interruption = {"mode": "vad", "resume_false_interruption": self._pauses}
        wanted = {
            "stt": ScriptedSTT(),
            "llm": ScriptedLLM(self.script),
            "tts": ScriptedTTS(),
            "vad": ScriptedVAD(),
            "turn_handling": {"turn_detection": "vad", "interruption": interruption},
            # no echo to learn, and no transcript that could still be on its way at the end
            "aec_warmup_duration": None,
            "session_close_transcript_timeout": 0.1,
        }
        known = inspect.signature(AgentSession).parameters  # older versions lack some
        return {name: value for name, value in wanted.items() if name in known}

    def connect(self, session: AgentSession[Any]) -> None:
        """Put the caller on the line; the clock of the script starts here.

        To be called right before `session.start`.
        """
        self.started_at = time.time()
        began = time.perf_counter()
        lines = self.script.lines
        session.input.audio = Microphone(lines, lambda: time.perf_counter() - began)
        heard = TranscriptSynchronizer(
            next_in_chain_audio=self._speaker, next_in_chain_text=self._speaker.captions
        )
        session.output.audio = heard.audio_output
        session.output.transcription = heard.text_output
        session.on("close", self._on_close)
        if self.script.hang_up is not None:
            self._hanging_up = asyncio.create_task(self._hang_up_at(self.script.hang_up, session))

    async def ended(self) -> None:
        """Wait until the session has closed, whoever ended it."""
        await self._ended.wait()

    def hang_up(self, session: AgentSession[Any]) -> None:
        """Let the caller hang up now, for a script that does not say when."""
        self._room.hang_up(rtc.DisconnectReason.CLIENT_INITIATED)
        session.shutdown(drain=False)  # for a session that does not watch the scripted room

    async def _hang_up_at(self, seconds: float, session: AgentSession[Any]) -> None:
        await asyncio.sleep(seconds)
        self.hang_up(session)

    def _on_close(self, _: CloseEvent) -> None:
        self._closed_after = time.time() - self.started_at
        self._ended.set()
        if self._hanging_up is not None:
            self._hanging_up.cancel()
        if self._ctx is not None:
            self._ctx.shutdown(reason="room disconnected")
