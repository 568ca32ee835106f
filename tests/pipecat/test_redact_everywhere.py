"""With ZELTO_REDACT, what is personal in a Pipecat call is found nowhere."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pipecat.frames.frames import LLMUpdateSettingsFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.runner.types import CallData, WebSocketRunnerArguments
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.settings import LLMSettings

import virtual_time
from pipecat_scenarios.stage import after
from pipecat_zelto import ZeltoProcessor
from scripted import CallerLine, Reply, Script
from scripted.pipecat import ScriptedCall
from secret_words import (
    BARE,
    CARD,
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
        CallerLine(9.0, 10.0, "Goodbye."),
    ),
    replies=(
        Reply(
            to="my number", tool="look_up", arguments={"number": SAID, "more": [{"mail": EMAIL}]}
        ),
        Reply(to="found", text=f"I have {SAID} here for you."),
        Reply(to="goodbye", text=f"Write to {EMAIL}."),
    ),
    hang_up=14.0,
)


async def look_up(params: FunctionCallParams) -> None:
    """Look a caller up."""
    await params.result_callback({"found": [dict(params.arguments)]})


def play(settings: Settings) -> str:
    """The call; what was on the disk when it was over."""
    told = CallData(call_id="CA1", stream_id="MZ1", from_number=BARE, to_number="+14155552675")
    arguments = WebSocketRunnerArguments(
        websocket=None, transport_type="twilio", call_data=told, body={"mail": EMAIL}
    )

    async def one(client: Zelto) -> None:
        parts = ScriptedCall(SCRIPT, prompt=f"Callers reach you at {SAID} or {EMAIL}.")
        parts.llm.register_function("look_up", look_up)
        options: dict[str, Any] = {"metadata": {"tags": [SAID, CARD]}, "customer": {"name": EMAIL}}
        processor = ZeltoProcessor(
            arguments, external_id="conv-1", agent_id="desk", zelto=client, **options
        )
        worker: PipelineWorker = parts.worker([*parts.processors, processor])
        anew = LLMSettings(system_instruction=f"ada dot byron at example dot com, {EMAIL}, {SAID}")

        async def connected(transport: object, client: object) -> None:
            await after(6.0, worker, LLMUpdateSettingsFrame(delta=anew))

        parts.transport.add_event_handler("on_client_connected", connected)
        await parts.run(worker)

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
    ours = [r.getMessage() for r in caplog.records if "zelto" in r.name]  # Pipecat logs words
    assert needles_in(seen, received(receiver), *ours) == set()
    sent = document(receiver)
    assert sent["systemPrompt"] == "Callers reach you at [phone] or [email]."
