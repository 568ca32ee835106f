"""Sessions outside of jobs that never start, and arguments that are none."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import AgentSession
from livekit.plugins import zelto

from commands import environment, states
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

NEVER_STARTED = """
import asyncio
from livekit.agents import AgentSession
from livekit.plugins import zelto

async def main():
    session = AgentSession()
    zelto.attach(session, external_id="conv-1", agent_id="support")
    await session.aclose()

asyncio.run(main())
"""


def test_a_session_that_never_started_has_not_died(receiver: RunningReceiver, tmp_path: Path):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    subprocess.run([sys.executable, "-c", NEVER_STARTED], env=env, check=True, timeout=60)
    assert states(tmp_path / "outbox") == {"conv-1": "sent"}
    (delivery,) = receiver.deliveries("conv-1")
    document = json.loads(receiver.raw_body(delivery["id"]) or b"")
    assert "endedReason" not in document["call"]


@pytest.mark.parametrize("session", [None, "session"])
def test_what_is_no_session_is_told(
    session: Any, settings: Settings, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as client:
        call = zelto.attach(session, external_id="conv-1", zelto=client)
        call.end()
    assert call.external_id == "conv-1"
    assert [r.getMessage() for r in caplog.records] == [
        f"session must be an AgentSession, not {type(session).__name__}: this call is not collected"
    ]


def test_what_is_no_job_is_left_out(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    odd: Any = "room"

    async def main(client: Zelto) -> None:
        session = AgentSession[None]()
        with zelto.attach(session, odd, external_id="conv-1", agent_id="a", zelto=client) as call:
            call.turn("user", "Hi")
        await session.aclose()

    with Zelto(settings=settings) as client:
        asyncio.run(main(client))
        assert client.flush()
    assert receiver.wait_for("conv-1")
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "ctx must be a JobContext, not str: left out"
    ]
