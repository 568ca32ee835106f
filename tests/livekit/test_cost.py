"""What ``attach`` is told of prices."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from livekit.agents import AgentSession
from livekit.plugins import zelto

from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

SPEECH = {"type": "stt_usage", "provider": "Deepgram", "model": "nova-3", "audio_duration": 90.0}


@pytest.mark.parametrize(
    ("options", "usd"),
    [
        ({}, 0.0072),
        ({"prices": {"deepgram/*": {"per_audio_minute": 0.01}}}, 0.015),
        ({"prices": lambda part: 0.25}, 0.25),
        ({"cost": 0.5}, 0.5),
        ({"cost": "abc"}, 0.0072),
    ],
)
def test_prices_and_cost_are_handed_on(
    options: dict[str, Any], usd: float, settings: Settings, receiver: RunningReceiver
):
    async def session() -> None:
        call = zelto.attach(
            AgentSession(), external_id="conv-1", agent_id="support", zelto=client, **options
        )
        call.turn("user", "Hi", start=0.4, end=1.1)
        call.usage(SPEECH)
        call.end()
        assert await client.aflush(20)

    with Zelto(settings=settings) as client:
        asyncio.run(session())
    receiver.wait_until_ingested()
    body = json.loads(receiver.raw_body(receiver.deliveries("conv-1")[-1]["id"]) or b"")
    assert body["call"]["cost"] == usd
