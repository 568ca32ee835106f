"""What the bot was told to be: by its model's settings or its context, and told anew later."""

from __future__ import annotations

import json
from typing import Any

from pipecat.frames.frames import LLMUpdateSettingsFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.settings import LLMSettings

import virtual_time
from pipecat_scenarios.speech import CHAT
from pipecat_scenarios.stage import after
from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver


def play(settings: Settings, receiver: RunningReceiver, *frames: Any, **call: Any) -> Any:
    """A call, with these frames in the middle of it; its document."""

    async def one(client: Zelto) -> None:
        parts = ScriptedCall(CHAT, **call)
        zelto = ZeltoProcessor(external_id="call", agent_id="a", zelto=client)
        worker: PipelineWorker = parts.worker([*parts.processors, zelto])

        async def connected(transport: object, client: object) -> None:
            await after(3.0, worker, *frames)

        parts.transport.add_event_handler("on_client_connected", connected)
        await parts.run(worker)

    with Zelto(settings=settings) as client:
        virtual_time.run(lambda: one(client))
        assert client.flush(20)
    (delivery,) = receiver.deliveries("call")
    return json.loads(receiver.raw_body(delivery["id"]) or b"")


def roles(document: Any) -> list[str]:
    return [turn["role"] for turn in document["transcript"]["turns"]]


def test_the_prompt_is_the_models(settings: Settings, receiver: RunningReceiver):
    document = play(settings, receiver, prompt="Be kind.")
    assert document["systemPrompt"] == "Be kind."
    assert "handoffs" not in document["metadata"]["zelto"]


def test_a_system_message_at_the_head_of_the_context_is_the_prompt_and_no_turn(
    settings: Settings, receiver: RunningReceiver
):
    context = LLMContext([{"role": "system", "content": "Be brief."}])
    document = play(settings, receiver, context=context)
    assert document["systemPrompt"] == "Be brief."
    assert roles(document) == ["user", "assistant", "user", "assistant"]


def test_what_stood_in_the_context_before_the_call_was_said_in_no_turn_of_it(
    settings: Settings, receiver: RunningReceiver
):
    before = [
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "We have met yesterday."},
    ]
    document = play(settings, receiver, context=LLMContext(before), prompt="Be kind.")
    assert roles(document) == ["user", "assistant", "user", "assistant"]


def test_a_prompt_that_changes_is_told_with_its_time(settings: Settings, receiver: RunningReceiver):
    update = LLMUpdateSettingsFrame(delta=LLMSettings(system_instruction="Say goodbye."))
    document = play(settings, receiver, update, prompt="Be kind.")
    assert document["systemPrompt"] == "Be kind."
    (handoff,) = document["metadata"]["zelto"]["handoffs"]
    assert handoff["systemPrompt"] == "Say goodbye."
    assert 3.0 <= handoff["atSeconds"] <= 7.5  # when the model is next asked
