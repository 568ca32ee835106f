"""How a call ended, in one word, from what LiveKit says about it in three places."""

from __future__ import annotations

from typing import Any, Self

from zelto_agents._frozen import frozen

from ._room import RoomWatch

__all__ = ["Close", "ended_reason"]

_BY_DISCONNECT = {
    "CLIENT_INITIATED": "customer-ended-call",
    "USER_REJECTED": "customer-did-not-answer",
    "USER_UNAVAILABLE": "customer-did-not-answer",
    "SIP_TRUNK_FAILURE": "sip-error",
    "ROOM_DELETED": "room-deleted",
    "ROOM_CLOSED": "room-disconnected",
    "PARTICIPANT_REMOVED": "agent-ended-call",
}
# The words with which livekit-agents ends a job (ipc/job_proc_lazy_main.py).
_BY_SHUTDOWN = {
    "parent process shutdown": "worker-shutdown",
    "room disconnected": "room-disconnected",
    "job crashed": "agent-error",
    "user requested": "agent-ended-call",
}
_BY_CLOSE = {
    "error": "agent-error",
    "participant_disconnected": "customer-ended-call",
    "task_completed": "task-completed",
    "job_shutdown": "worker-shutdown",
    "user_initiated": "agent-ended-call",
}


@frozen
class Close:
    """How a session closed, with what the room had told by then."""

    reason: str
    at: float
    """Seconds since the epoch: when the caller left, else when the session closed."""
    disconnect: str | None
    room_gone: bool
    error: str | None

    @classmethod
    def now(cls, reason: str, at: float, room: RoomWatch, error: Any = None) -> Self:
        """What is known at this moment; what the room tells later has followed the close."""
        kind = None if error is None else getattr(error, "type", type(error).__name__)
        left_at = at if room.left_at is None else room.left_at
        return cls(reason, left_at, room.disconnect_reason, room.room_gone, kind)


def ended_reason(
    close: str | None, *, shutdown: str | None = None, disconnect: str | None = None
) -> str | None:
    """The disposition of the call.

    Args:
        close: the session's ``CloseReason``; alone it is nearly useless, for a hang-up, a
            worker's shutdown and a crash all give ``user_initiated``.
        shutdown: the reason that the job's shutdown callback was given.
        disconnect: the name of the caller's ``DisconnectReason``.
    """
    crashed = shutdown == "job crashed" and close != "participant_disconnected"
    if close == "error" or crashed:
        return "agent-error"
    if disconnect:
        return _BY_DISCONNECT.get(disconnect, "customer-ended-call")
    if shutdown and close in (None, "", "user_initiated", "job_shutdown"):
        # Some of LiveKit's own tools end the job with the close reason of its session.
        return _BY_SHUTDOWN.get(shutdown) or _BY_CLOSE.get(shutdown, shutdown)
    return _BY_CLOSE.get(close, close) if close else None
