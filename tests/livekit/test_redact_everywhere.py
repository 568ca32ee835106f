"""With ZELTO_REDACT, what is personal in a LiveKit session is found nowhere."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, function_tool
from livekit.plugins import zelto

import virtual_time
from scripted import Caller, CallerLine, Reply, Script
from scripted.livekit import ScriptedCall
from secret_words import (
    BARE,
    EMAIL,
    NEEDLES,
    SAID,
    arrived,
    document,
    needles_in,
    on_disk,
    received,
    redacting,
)
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

SCRIPT = Script(
    lines=(
        CallerLine(1.0, 3.0, f"My number is {SAID} and I am {EMAIL}."),
        CallerLine(9.0, 10.0, "Put me through."),
        CallerLine(14.0, 15.0, "Goodbye."),
    ),
    replies=(
        Reply(
            to="my number", tool="look_up", arguments={"number": SAID, "more": [{"mail": EMAIL}]}
        ),
        Reply(to="found", text=f"I have {SAID}, and 4111 1111 1111 1111."),
        Reply(to="put me through", tool="put_through"),
        Reply(to="goodbye", text=f"Write to {EMAIL}."),
    ),
    hang_up=19.0,
    caller=Caller(identity=f"sip_{BARE}", name=EMAIL, phone=BARE, trunk="+14155552675"),
)


class Desk(Agent):
    """Knows callers by their number."""

    def __init__(self) -> None:
        super().__init__(instructions=f"Callers reach you at {SAID} or {EMAIL}.")

    @function_tool
    async def look_up(self, number: str, more: list[dict[str, str]]) -> dict[str, Any]:
        """Look a caller up."""
        return {"found": [{"number": number, "mail": more}]}

    @function_tool
    async def put_through(self) -> tuple[Agent, str]:
        """Put the caller through."""
        return Other(), f"to {SAID}"


class Other(Agent):
    """Takes over."""

    def __init__(self) -> None:
        super().__init__(
            instructions=f"Card 4111 1111 1111 1111, ada dot byron at example dot com: {EMAIL}, {SAID}."
        )


def play(settings: Settings) -> str:
    """The session; what was on the disk when it was over."""

    async def one(client: Zelto) -> None:
        call = ScriptedCall(SCRIPT)
        session: AgentSession[None] = AgentSession(**call.session_kwargs())
        metadata = {"livekit": {"tags": [EMAIL]}, "tags": [SAID]}
        zelto.attach(
            session, external_id="conv-1", agent_id="desk", metadata=metadata, zelto=client
        )
        call.connect(session)
        await session.start(agent=Desk(), room=call.room)
        await call.ended()

    with Zelto(settings=settings) as client:
        virtual_time.run(lambda: one(client))
        assert arrived(client)
        client.enrich("conv-1", metadata={"later": EMAIL}, customer={"name": SAID})
        assert arrived(client)
        return on_disk(settings.outbox)


def test_without_it_all_of_it_is_found(settings: Settings, receiver: RunningReceiver):
    told = {*NEEDLES} - {"555 267", "11111111"}
    assert needles_in(play(settings)) == told
    assert needles_in(received(receiver)) == told


def test_with_it_nothing_is_found_on_the_disk_in_our_logs_or_at_the_receiver(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        seen = play(redacting(settings))
    ours = [r.getMessage() for r in caplog.records if "zelto" in r.name]  # LiveKit logs words
    assert needles_in(seen, received(receiver), *ours) == set()
    sent = document(receiver)
    assert sent["transcript"]["turns"][0]["content"] == "My number is [phone] and I am [email]."
    assert sent["systemPrompt"] == "Callers reach you at [phone] or [email]."
