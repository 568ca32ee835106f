"""From a call's usage to the cost of its conversation, through every way a call can end."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from talking import talk, until, waiting
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

CHAT = {
    "type": "llm_usage",
    "provider": "api.openai.com",
    "model": "gpt-4o",
    "input_tokens": 1000,
    "output_tokens": 200,
}
SPEECH = {"type": "stt_usage", "provider": "Deepgram", "model": "nova-3", "audio_duration": 90.0}
MINE = {"deepgram/*": {"per_audio_minute": "0.01"}}


def say_it(zelto: Zelto, *parts: Mapping[str, Any], **options: Any) -> None:
    with zelto.call("conv-1", **{"agent_id": "support", **options}) as call:
        call.turn("user", "Hi", start=0.4, end=1.1)
        call.usage(*parts)
    assert zelto.flush(20)


def arrived(receiver: RunningReceiver) -> tuple[float | None, dict[str, Any]]:
    """Dollars and the breakdown of the newest document that was sent."""
    receiver.wait_until_ingested()
    body = json.loads(receiver.raw_body(receiver.deliveries("conv-1")[-1]["id"]) or b"")
    return body["call"].get("cost"), body["metadata"]["zelto"]["cost"]


def test_a_call_arrives_with_its_cost_and_what_it_is_made_of(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        say_it(zelto, CHAT, SPEECH)
    usd, told = arrived(receiver)
    assert usd == 0.0117
    assert (told["usd"], told["complete"]) == ("0.0117", True)
    assert [line["usd"] for line in told["lines"]] == ["0.0045", "0.0072"]
    conversation = receiver.conversation("conv-1")
    assert conversation is not None
    assert float(conversation["cost"]) == 0.0117


def test_the_smallest_of_costs_is_not_an_invented_zero(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        say_it(zelto, CHAT | {"model": "gpt-4o-mini", "input_tokens": 3, "output_tokens": 0})
    usd, told = arrived(receiver)
    assert (usd, told["usd"]) == (0.00000045, "0.00000045")


def test_a_call_without_usage_says_nothing_of_cost(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        talk(zelto)
        assert zelto.flush(20)
    receiver.wait_until_ingested()
    body = json.loads(receiver.raw_body(receiver.deliveries("conv-1")[0]["id"]) or b"")
    assert "cost" not in body["call"]
    assert "metadata" not in body


def test_a_call_of_which_nothing_could_be_priced_has_no_cost(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        say_it(zelto, SPEECH | {"provider": "nobody"})
    usd, told = arrived(receiver)
    assert usd is None
    assert told["complete"] is False
    assert "usd" not in told


def test_a_cost_that_is_known_beats_all_prices(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        say_it(zelto, SPEECH, cost=0.5, prices=MINE)
    usd, told = arrived(receiver)
    assert usd == 0.5
    assert (told["given"], told["usd"]) == ("0.5", "0.015")


def test_what_becomes_known_after_the_end_is_priced_with_the_rest(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.usage(SPEECH)
        assert zelto.flush(20)
        call.usage(SPEECH, CHAT)
        assert zelto.flush(20)
        assert arrived(receiver)[0] == 0.0117
        zelto.enrich("conv-1", cost=0.25)
        assert zelto.flush(20)
    assert arrived(receiver)[0] == 0.25


def test_a_filter_sees_the_cost(settings: Settings, receiver: RunningReceiver):
    seen: list[float | None] = []
    with Zelto(settings=settings) as zelto:
        say_it(zelto, SPEECH, filter=lambda document: seen.append(document.call.cost) is None)
    assert seen == [0.0072]


def prices_in(folder: Path, settings: Settings, prices: object) -> Settings:
    file = folder / "prices.json"
    file.write_text(json.dumps(prices))
    return dataclasses.replace(settings, prices=file)


def test_prices_of_a_file_are_for_every_call_and_an_argument_beats_them(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    with Zelto(settings=prices_in(tmp_path, settings, MINE)) as zelto:
        say_it(zelto, SPEECH)
        assert arrived(receiver)[0] == 0.015
        say_it(zelto, SPEECH, prices={"deepgram/nova-3": {"per_audio_minute": 0.02}})
        assert arrived(receiver)[0] == 0.03
        say_it(zelto, SPEECH, prices=lambda part: 0.04)
    assert arrived(receiver)[0] == 0.04


def test_prices_that_cannot_be_used_are_told_of_once_by_path(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    wrong = {"deepgram/nova-3": {"per_audio_minutes": 1}, "openai/*": {"per_request": 0}}
    with caplog.at_level(logging.ERROR), Zelto(settings=settings) as zelto:
        for _ in range(2):
            say_it(zelto, SPEECH, prices=wrong)
    usd, told = arrived(receiver)
    assert usd is None
    assert "deepgram/nova-3.per_audio_minutes" in told["lines"][0]["unpriced"]
    (said,) = [record.getMessage() for record in caplog.records if "price" in record.getMessage()]
    assert said == (
        "a price of yours is not usable: "
        "deepgram/nova-3.per_audio_minutes: Extra inputs are not permitted"
    )


def test_a_function_that_fails_costs_neither_the_call_nor_the_rest(
    settings: Settings, receiver: RunningReceiver
):
    def broken(part: Mapping[str, Any]) -> float | None:
        if part["model"] == "nova-3":
            raise ZeroDivisionError
        return None

    with Zelto(settings=settings) as zelto:
        say_it(zelto, CHAT, SPEECH, prices=broken)
    usd, told = arrived(receiver)
    assert usd == 0.0045
    assert told["lines"][1]["unpriced"] == "your function failed (ZeroDivisionError)"


def test_a_telephone_call_names_its_minutes(settings: Settings, receiver: RunningReceiver):
    line = {"provider": "twilio", "direction": "inbound", "number": "+12125550100"}
    with Zelto(settings=settings) as zelto:
        say_it(zelto, metadata={"telephony": line}, prices=None)
    usd, told = arrived(receiver)
    assert usd == 0.0085
    assert told["lines"][0]["kind"] == "telephony"


def priced_lines(receiver: RunningReceiver) -> dict[str, Any]:
    lines = arrived(receiver)[1]["lines"]
    return {f"{one['provider']}/{one['model']}": one.get("usd") for one in lines}


@pytest.mark.parametrize(
    ("sip", "lines"),
    [
        ({"direction": "inbound"}, {"livekit/sip": None, "sip-trunk/inbound": None}),
        (
            {"direction": "outbound", "twilio.callSid": "CA1"},
            {"livekit/sip": None, "twilio-sip/outbound": None},
        ),
    ],
)
def test_the_carriers_of_a_call_over_livekits_sip_are_named(
    sip: dict[str, str],
    lines: dict[str, Any],
    settings: Settings,
    receiver: RunningReceiver,
):
    with Zelto(settings=settings) as zelto:
        say_it(zelto, metadata={"livekit": {"sip": sip}})
        assert priced_lines(receiver) == lines
        own = {"livekit/sip": {"per_minute": 0}, "*/*bound": {"per_minute": 0.01}}
        say_it(zelto, metadata={"livekit": {"sip": sip}}, prices=own)
    assert list(priced_lines(receiver).values()) == ["0", "0.01"]


def test_the_sip_minutes_of_livekit_cloud_have_a_price(
    settings: Settings, receiver: RunningReceiver
):
    inference = {
        "type": "stt_usage",
        "provider": "livekit",
        "model": "deepgram/nova-3",
        "audio_duration": 60,
    }
    with Zelto(settings=settings) as zelto:
        say_it(zelto, inference, metadata={"livekit": {"sip": {"direction": "inbound"}}})
    assert priced_lines(receiver) == {
        "livekit/deepgram/nova-3": "0.0048",
        "livekit/sip": "0.004",
        "sip-trunk/inbound": None,
    }


def test_a_call_over_pipecats_telephony_names_its_carrier(
    settings: Settings, receiver: RunningReceiver
):
    known = {"transportType": "twilio", "calledNumber": "+12125550100"}
    with Zelto(settings=settings) as zelto:
        say_it(zelto, metadata={"pipecat": known})
        assert arrived(receiver)[1]["lines"][0]["unpriced"].startswith("the direction")
        say_it(zelto, metadata={"pipecat": known, "telephony": {"direction": "inbound"}})
        assert priced_lines(receiver) == {"twilio/inbound": "0.0085"}
        say_it(
            zelto,
            metadata={"pipecat": known, "telephony": {"direction": "outbound"}},
            customer={"number": "+18005550100"},
        )
    assert priced_lines(receiver) == {"twilio/outbound": "0.014"}


# A process that holds a call and is killed.
CALLER = """
import json, sys
from zelto_agents import Zelto
call = Zelto().call("conv-1", agent_id="support")
call.usage(*json.loads(sys.argv[1]))
call.turn("user", "Hi", start=0.4, end=1.1)
print("said", flush=True)
sys.stdin.read()
"""


def test_an_adopted_call_is_priced_by_the_process_that_finishes_it(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    assert settings.api_key is not None
    environment = os.environ | {
        "ZELTO_API_KEY": settings.api_key.get_secret_value(),
        "ZELTO_BASE_URL": settings.base_url or "",
        "ZELTO_OUTBOX": str(settings.outbox),
    }
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, json.dumps([SPEECH, CHAT])],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"said\n"
        until(lambda: sum(d.size for d in waiting(settings.outbox) if d.state == "live") > 400)
        process.kill()
    with Zelto(settings=prices_in(tmp_path, settings, MINE)) as zelto:
        talk(zelto, "other")
        assert receiver.wait_for("conv-1", timeout=20)
    usd, told = arrived(receiver)
    assert usd == 0.0195
    assert [line["source"] for line in told["lines"]] == ["yours", "genai-prices"]
