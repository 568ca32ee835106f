"""A caller: someone in a room with a microphone, a loudspeaker and a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from livekit import rtc

from live.server import LiveServer
from scripted.livekit.audio import is_loud
from scripted.sound import voice

RATE = 48_000
FRAME = 0.02
LEAD = 0.1
"""Seconds that the microphone is ahead, so that a busy machine does not tear a line apart."""
PAUSE = 0.35
"""Seconds of silence that end what somebody says; between two sentences there is less."""
PATIENCE = 60.0
"""Seconds; what takes longer on a busy machine is not going to happen."""


async def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until it is so.

    Raises:
        TimeoutError: it is not so within `seconds`; the message says `what` is missing.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.01)


class Caller:
    """Joins a room, speaks, listens and leaves; times are seconds since the epoch.

    Args:
        server: where the room is.
        room: its name.
        identity: who this is; the same identity is the same caller.
        name: how they are shown.
        sip: the attributes that LiveKit gives a caller on the telephone; None without one.

    Attributes:
        said: when they spoke, first and last sound of each line.
        left_at: when they began to leave, or were put out.
        late: how long the machine kept them waiting at most, in seconds.
    """

    def __init__(
        self,
        server: LiveServer,
        room: str,
        identity: str = "ada",
        *,
        name: str = "Ada Example",
        sip: dict[str, str] | None = None,
    ) -> None:
        self.said: list[tuple[float, float]] = []
        self.left_at = self.late = 0.0
        self._url, self._token = server.url, server.token(room, identity, name=name, sip=sip)
        self._room = rtc.Room()
        self._room.on("track_subscribed", self._on_track)
        self._room.on("participant_attributes_changed", self._on_state)
        self._room.on("disconnected", lambda _reason: self._put_out.set())
        self._put_out = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._sounds = (0.0, 0.0)
        self._speaks = self._has_spoken = False
        self._to_say = 0.0
        self._line_said = asyncio.Event()

    async def join(self) -> None:
        """Enter the room with an open microphone."""
        self._put_out.clear()
        await self._room.connect(self._url, self._token)
        source = rtc.AudioSource(RATE, 1, queue_size_ms=int(LEAD * 1000))
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._speak(source)))

    async def say(self, seconds: float = 1.2) -> None:
        """Speak for this long."""
        self._line_said.clear()
        self._to_say = seconds
        await asyncio.wait_for(self._line_said.wait(), PATIENCE)
        self._listen_anew()  # what sounded late of the turn before is no answer

    async def write(self, text: str) -> None:
        """Type something, as into the chat of a web page."""
        self._listen_anew()
        await self._room.local_participant.send_text(text, topic="lk.chat")

    async def hears(self) -> tuple[float, float]:
        """Wait until the agent has spoken and is silent again; its first and last sound."""
        await until(self._heard_out, "the agent did not speak, or did not stop")
        heard = self._sounds
        self._listen_anew()
        return heard

    async def hears_part(self, seconds: float = 0.8) -> None:
        """Wait until the agent has spoken for so long."""
        await until(
            lambda: self._sounds[1] - self._sounds[0] > seconds, "the agent does not speak long"
        )

    def _heard_out(self) -> bool:
        silent = bool(self._sounds[0]) and time.time() - self._sounds[1] > PAUSE
        return silent and (self._has_spoken or self._alone())

    def _listen_anew(self) -> None:
        self._sounds, self._has_spoken = (0.0, 0.0), False

    async def is_alone(self) -> None:
        """Wait until nobody else is in the room, or the room is gone."""
        await until(self._alone, "somebody stays")

    def _alone(self) -> bool:
        return self._put_out.is_set() or not self._room.remote_participants

    async def is_put_out(self) -> None:
        """Wait until the server has ended it for us."""
        await asyncio.wait_for(self._put_out.wait(), PATIENCE)
        await self.hang_up()

    async def hang_up(self) -> None:
        """Leave; to be called in any case, and harmless when done before."""
        self.left_at = self.left_at or time.time()
        await self._room.disconnect()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_track(self, track: rtc.Track, _publication: object, _participant: object) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=16_000, num_channels=1)
        try:
            async for event in stream:
                if is_loud(event.frame):
                    self._note(time.time())
        finally:
            await stream.aclose()

    def _note(self, now: float) -> None:
        self._sounds = (self._sounds[0] or now, now)

    def _on_state(self, _changed: object, agent: rtc.Participant) -> None:
        """The agent says of itself whether it is speaking; a pause is not yet the end of it."""
        before, self._speaks = self._speaks, agent.attributes.get("lk.agent.state") == "speaking"
        self._has_spoken = self._has_spoken or (before and not self._speaks)

    async def _speak(self, source: rtc.AudioSource) -> None:
        """Sends frame after frame, silence too; the queue of the source sets the pace."""
        samples = int(RATE * FRAME)
        sound: dict[bool, Any] = {True: voice(FRAME, RATE), False: bytes(2 * samples)}
        before = time.monotonic()
        while True:
            loud = self._to_say > 0
            if loud:
                self._sounded(time.time() + source.queued_duration)
            await source.capture_frame(rtc.AudioFrame(sound[loud], RATE, 1, samples))
            now = time.monotonic()
            before, self.late = now, max(self.late, now - before - FRAME)

    def _sounded(self, now: float) -> None:
        if self.said and now - self.said[-1][1] < PAUSE:
            self.said[-1] = (self.said[-1][0], now + FRAME)
        else:
            self.said.append((now, now + FRAME))
        self._to_say -= FRAME
        if self._to_say <= 0:
            self._line_said.set()
