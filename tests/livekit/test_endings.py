"""How a call ended, from LiveKit's three places in one word."""

from __future__ import annotations

import pytest
from livekit.plugins.zelto._endings import ended_reason


@pytest.mark.parametrize(
    ("close", "shutdown", "disconnect", "expected"),
    [
        (
            "participant_disconnected",
            "room disconnected",
            "CLIENT_INITIATED",
            "customer-ended-call",
        ),
        ("participant_disconnected", None, None, "customer-ended-call"),
        ("participant_disconnected", None, "USER_REJECTED", "customer-did-not-answer"),
        ("participant_disconnected", None, "ROOM_DELETED", "room-deleted"),
        ("user_initiated", None, None, "agent-ended-call"),
        ("user_initiated", "", None, "agent-ended-call"),
        ("user_initiated", "parent process shutdown", None, "worker-shutdown"),
        ("user_initiated", "room disconnected", None, "room-disconnected"),
        ("user_initiated", "room disconnected", "CLIENT_INITIATED", "customer-ended-call"),
        ("user_initiated", "job crashed", None, "agent-error"),
        ("user_initiated", "user requested", None, "agent-ended-call"),
        ("user_initiated", "parent process shutdown", "ROOM_CLOSED", "room-disconnected"),
        ("participant_disconnected", None, "PARTICIPANT_REMOVED", "agent-ended-call"),
        ("user_initiated", "transferred", None, "transferred"),
        ("error", "room disconnected", "CLIENT_INITIATED", "agent-error"),
        ("task_completed", None, None, "task-completed"),
        ("job_shutdown", None, None, "worker-shutdown"),
        ("something_new", None, None, "something_new"),
        ("participant_disconnected", "job crashed", "CLIENT_INITIATED", "customer-ended-call"),
        ("user_initiated", "user_initiated", None, "agent-ended-call"),
        (None, "parent process shutdown", None, "worker-shutdown"),
        (None, None, None, None),
    ],
)
def test_the_table_of_endings(
    close: str | None, shutdown: str | None, disconnect: str | None, expected: str | None
):
    assert ended_reason(close, shutdown=shutdown, disconnect=disconnect) == expected
