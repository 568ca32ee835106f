"""Everything that the host of a session can notice, in order, each with its virtual time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_args

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.events import EventTypes
from pydantic import BaseModel

__all__ = ["Seconds", "Trace"]

# Seconds since the epoch have no more digits than that in a float, and sums of them even less.
GRAIN = 1e-5
_RANDOM = re.compile(r"\b[a-zA-Z]+_[0-9a-f]{8,}|\b[0-9a-f]{8}-[0-9a-f-]{27}|\b0x[0-9a-f]+")
# Five a second; what they come to is noted at the end.
_FREQUENT = ("metrics_collected", "session_usage_updated")
_PROBE = rtc.EventEmitter[str]()
_PROBE.on("any", lambda: None)
# Before livekit-agents 1.8, listeners are called in no particular order.
_ORDERED = isinstance(_PROBE._events["any"], dict)
_EVENTS_OF_A_ROOM = (
    "participant_connected",
    "participant_attributes_changed",
    "participant_disconnected",
    "disconnected",
)


@dataclass(frozen=True, eq=False)
class Seconds:
    """A time of a trace, from its start; equal within the grain of the clock."""

    value: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seconds) and abs(self.value - other.value) < GRAIN

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.value:.3f}s"


@dataclass
class Trace:
    """What happened; two traces of the same conversation are equal but for random ids.

    Args:
        began: seconds since the epoch.
    """

    began: float
    lines: list[tuple[Seconds, str, Any]] = field(default_factory=list)
    held: float = 0.0
    """Virtual seconds that the shutdown of a job took; no part of what is compared."""
    _ids: dict[str, str] = field(default_factory=dict)

    def note(self, what: str, value: object = None) -> None:
        """Something happened now."""
        at = Seconds(asyncio.get_running_loop().time())
        self.lines.append((at, what, self.plain(value)))

    def listen(self, session: AgentSession[Any], place: str, *, whole: bool = True) -> None:
        """Note every event of a session.

        Args:
            session: the one.
            place: which of its listeners this is.
            whole: whether to note all of them, and what they hold.
        """
        if not (whole or _ORDERED):
            return
        for name in get_args(EventTypes):

            def heard(event: object, name: str = name) -> None:
                self.note(f"{place} {name}", event if whole and name not in _FREQUENT else None)

            if whole or name not in _FREQUENT:
                session.on(name, heard)

    def listen_to_room(self, room: rtc.EventEmitter[Any]) -> None:
        """Note that participants come and go."""
        for name in _EVENTS_OF_A_ROOM:

            def heard(*told: object, what: str = f"room {name}") -> None:
                self.note(what, [getattr(one, "__dict__", one) for one in told])

            room.on(name, heard)

    def listen_to_speaker(self, speaker: Any) -> None:
        """Note every frame that is played, and every caption."""
        play, caption = speaker.capture_frame, speaker.captions.capture_text

        async def capture_frame(frame: rtc.AudioFrame) -> None:
            self.note("frame", frame.duration)
            await play(frame)

        async def capture_text(text: str) -> None:
            self.note("caption", text)
            await caption(text)

        speaker.capture_frame, speaker.captions.capture_text = capture_frame, capture_text
        for name in ("playback_started", "playback_finished"):

            def heard(event: object, what: str = name) -> None:
                self.note(what, vars(event))

            speaker.on(name, heard)

    def plain(self, value: object) -> Any:
        """A value that compares: times from the start, random ids by their order of appearance."""
        if isinstance(value, BaseModel):
            names = [n for n, one in type(value).model_fields.items() if not one.deprecated]
            return [type(value).__name__, self.plain({n: getattr(value, n) for n in names})]
        if is_dataclass(value) and not isinstance(value, type):
            return self.plain({one.name: getattr(value, one.name) for one in fields(value)})
        if isinstance(value, Mapping):
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.plain(item) for item in value]
        if isinstance(value, float):
            return Seconds(value - self.began if value > 1e9 else float(value))
        if isinstance(value, str):
            return _RANDOM.sub(lambda found: self._named(found[0]), value)
        return value if value is None or isinstance(value, int) else type(value).__name__

    def _named(self, random: str) -> str:
        return self._ids.setdefault(random, f"<{len(self._ids)}>")
