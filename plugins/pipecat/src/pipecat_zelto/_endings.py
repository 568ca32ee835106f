"""How a call ended, in one word, from the frame that ended it and from what came before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Ending"]

# Pipecat's own words (pipeline/worker.py, workers/runner.py); all others are the user's.
_OWN = {
    "runner exiting": "agent-ended-call",
    "idle timeout": "silence-timed-out",
    "interrupt signal": "worker-shutdown",
}
_FAULTS = ("fatal error", "can no longer do its job")
# Seconds within which an error that lasts is the reason for the end.
JUST_BEFORE = 2.0


@dataclass(slots=True)
class Ending:
    """What is known of the end so far; times are seconds since the epoch."""

    frame: str = ""
    said: str = ""
    """The reason that the frame gives."""
    at: float | None = None
    left: str = ""
    """The transport's event with which the other side left."""
    left_at: float | None = None
    broken_at: float | None = None
    """When a processor last failed for good."""

    def frame_seen(self, frame: Any, at: float) -> bool:
        """The first of the frames that end a pipeline counts; whether this is the first."""
        if self.at is not None:
            return False
        self.at, self.frame = at, type(frame).__name__
        said = getattr(frame, "reason", None)
        self.said = "" if said is None else str(said)
        return True

    def client_left(self, event: str, at: float) -> None:
        """The other side left; after the end it is no news."""
        if self.at is None and self.left_at is None:
            self.left, self.left_at = event, at

    def client_back(self) -> None:
        """Somebody is there again."""
        if self.at is None:
            self.left, self.left_at = "", None

    def error_seen(self, frame: Any, at: float) -> None:
        """An error; only one that lasts can end a call."""
        usable = getattr(frame.processor, "is_usable", True)
        if frame.fatal or usable is False:
            self.broken_at = at

    @property
    def reason(self) -> str:
        """The disposition of the call."""
        if self.at is None and self.left_at is None:
            return "agent-error"  # a pipeline that never came about, or was torn down
        if self.left:
            timed_out = self.left == "on_session_timeout"
            return "session-timed-out" if timed_out else "customer-ended-call"
        if any(words in self.said for words in _FAULTS):
            return "agent-error"
        broken = self.broken_at is not None and (self.at or 0) - self.broken_at < JUST_BEFORE
        if broken and not self.said:
            return "agent-error"
        return _OWN.get(self.said, self.said) or "agent-ended-call"

    @property
    def ended_at(self) -> float | None:
        """When the other side left, else when the pipeline was told to end."""
        return self.left_at if self.left_at is not None else self.at

    @property
    def raw(self) -> dict[str, str]:
        """Pipecat's own words."""
        known = {"endFrame": self.frame, "endReason": self.said, "disconnect": self.left}
        return {name: word for name, word in known.items() if word}
