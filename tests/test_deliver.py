"""One document, delivered once, for teams with a broker of their own."""

from __future__ import annotations

import asyncio
import json

from scripted_server import ScriptedServer
from zelto_agents import CallIngest, Settings, adeliver, deliver
from zelto_agents.policy import Verdict
from zelto_agents.receiver import RunningReceiver

DOCUMENT = CallIngest.model_validate(
    {
        "call": {"externalId": "conv-1"},
        "agent": {"externalId": "support"},
        "transcript": {"turns": [{"role": "user", "content": "Hi"}]},
    }
)


def test_a_document_delivered_twice_is_one_conversation(
    receiver: RunningReceiver, settings: Settings
):
    assert deliver(DOCUMENT, settings=settings) == Verdict("sent")
    assert deliver(DOCUMENT.wire(), provider="livekit", settings=settings) == Verdict("sent")
    receiver.wait_until_ingested()
    assert [one["externalId"] for one in receiver.conversations()] == ["conv-1"]
    assert len(receiver.deliveries()) == 2


def test_async_code_awaits_it(receiver: RunningReceiver, settings: Settings):
    assert asyncio.run(adeliver(DOCUMENT, settings=settings)) == Verdict("sent")
    assert receiver.wait_for("conv-1")


def test_what_is_refused_for_good_comes_back_with_the_reason(settings: Settings):
    verdict = deliver(b"{}", settings=settings)
    assert verdict.action == "dead"
    assert verdict.why.startswith("status 400: ")
    assert "Validation failed" in json.loads(verdict.why.removeprefix("status 400: "))["error"]


def test_a_receiver_in_trouble_says_when_to_come_again():
    with ScriptedServer((429, {"Retry-After": "30"}, "")) as server:
        settings = Settings.load({}, api_key="zk_1", base_url=server.url)
        expected = Verdict("retry", 30.0, "status 429", away="outage", wait=30.0)
        assert deliver(DOCUMENT, settings=settings) == expected


def test_without_a_key_it_is_held_and_nothing_is_sent():
    with ScriptedServer(200) as server:
        verdict = deliver(DOCUMENT, settings=Settings.load({}, base_url=server.url))
    assert (verdict.action, verdict.why) == ("hold", "ZELTO_API_KEY is not set")
    assert server.requests == []
