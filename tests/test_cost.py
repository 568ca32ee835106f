"""What a call cost: every part is priced, or named with why it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_models import HEARING, LANGUAGE, REALTIME, SPEAKING, WITHOUT
from zelto_agents.cost import Cost, Line, OwnPrices, Telephony, price
from zelto_agents.cost._names import provider_name
from zelto_agents.cost._parts import parts_of
from zelto_agents.cost._table import rows
from zelto_agents.cost._telephony import telephony_of, told_parts

WHEN = datetime(2026, 11, 25, 12, tzinfo=UTC)
MILLION = Decimal(1_000_000)
SPEECH = {"type": "stt_usage", "provider": "Deepgram", "model": "nova-3", "audio_duration": 90.0}
CHAT = {
    "type": "llm_usage",
    "provider": "api.openai.com",
    "model": "gpt-4o",
    "input_tokens": 1000,
    "output_tokens": 200,
}


def cost_of(*parts: dict[str, Any], **options: Any) -> Cost:
    return price(parts, at=WHEN, **options)


def line_of(part: dict[str, Any], **options: Any) -> Line:
    (line,) = cost_of(part, **options).lines
    return line


def test_sixty_models_are_compared_with_what_is_published():
    assert len([*LANGUAGE, *REALTIME, *HEARING, *SPEAKING, *WITHOUT]) >= 60


@pytest.mark.parametrize("row", LANGUAGE, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_language_model_costs_what_its_provider_publishes(row: tuple[str, ...]):
    provider, model, new, cached, out, page = row
    part = {
        "type": "llm_usage",
        "provider": provider,
        "model": model,
        "input_tokens": 10_000,
        "input_cached_tokens": 4_000,
        "output_tokens": 1_000,
        "output_reasoning_tokens": 300,  # already among the output
    }
    dollars = 6_000 * Decimal(new) + 4_000 * Decimal(cached) + 1_000 * Decimal(out)
    line = line_of(part)
    assert line.unpriced is None
    assert line.usd == dollars / MILLION, page


@pytest.mark.parametrize("row", REALTIME, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_realtime_model_costs_what_its_provider_publishes(row: tuple[str, ...]):
    provider, model, text, said, heard, spoken, page = row
    part = {
        "type": "llm_usage",
        "provider": provider,
        "model": model,
        "input_tokens": 5_000,
        "input_audio_tokens": 3_000,
        "output_tokens": 1_000,
        "output_audio_tokens": 900,
    }
    dollars = 2_000 * Decimal(text) + 3_000 * Decimal(heard)
    dollars += 100 * Decimal(said) + 900 * Decimal(spoken)
    assert line_of(part).usd == dollars / MILLION, page


@pytest.mark.parametrize("row", HEARING, ids=lambda row: f"{row[0]} {row[1]}")
def test_hearing_costs_what_the_provider_publishes(row: tuple[str, ...]):
    provider, model, hour, page = row
    part = {"type": "stt_usage", "provider": provider, "model": model, "audio_duration": 450.0}
    line = line_of(part)
    assert line.usd == Decimal(hour) / 8, page
    assert line.published in (None, page)


@pytest.mark.parametrize("row", SPEAKING, ids=lambda row: f"{row[0]} {row[1]}")
def test_speaking_costs_what_the_provider_publishes(row: tuple[str, ...]):
    provider, model, million, page = row
    part = {
        "type": "tts_usage",
        "provider": provider,
        "model": model,
        "characters_count": 800,
        "audio_duration": 51.2,
    }
    line = line_of(part)
    assert line.usd == 800 * Decimal(million) / MILLION, page
    assert line.published in (None, page)


@pytest.mark.parametrize(("part", "why"), WITHOUT, ids=lambda value: str(value)[:60])
def test_what_has_no_price_is_named_with_why(part: dict[str, Any], why: str):
    line = line_of(part)
    assert (line.usd, line.unpriced) == (None, why)


def test_every_price_of_the_table_has_a_page_and_the_day_it_was_read():
    assert len(rows()) > 60
    for row in rows():
        assert row.source.startswith("https://")
        assert date(2026, 1, 1) <= date.fromisoformat(row.read) <= date(2026, 11, 25)
    named = [(row.provider, row.kind, model) for row in rows() for model in row.models]
    assert len(named) == len(set(named))


def test_cached_written_and_spoken_tokens_are_each_counted_once():
    part = CHAT | {
        "provider": "anthropic",
        "model": "claude-sonnet-4-6",
        "input_tokens": 10_000,
        "input_cached_tokens": 6_000,
        "input_cache_creation_tokens": 1_000,
        "output_tokens": 500,
    }
    dollars = 3_000 * Decimal("3") + 6_000 * Decimal("0.3") + 1_000 * Decimal("3.75")
    assert line_of(part).usd == (dollars + 500 * 15) / MILLION


def test_a_realtime_cache_holds_sound_and_text():
    part = {
        "type": "llm_usage",
        "provider": "openai",
        "model": "gpt-realtime",
        "input_tokens": 1000,
        "input_audio_tokens": 600,
        "input_cached_tokens": 300,
        "input_cached_audio_tokens": 200,
        "output_tokens": 500,
        "output_audio_tokens": 400,
    }
    dollars = 300 * 4 + 400 * 32 + 300 * Decimal("0.4") + 100 * 16 + 400 * 64
    assert line_of(part).usd == dollars / MILLION


def test_the_sum_of_a_call_does_not_count_as_one_large_request():
    part = CHAT | {"model": "gpt-5.4", "input_tokens": 1_000_000, "output_tokens": 0}
    assert line_of(part).usd == Decimal("2.5")


def test_a_session_that_is_billed_by_time():
    part = {
        "type": "llm_usage",
        "provider": "api.x.ai",
        "model": "grok-voice-latest",
        "session_duration": 90.0,
    }
    assert line_of(part).usd == Decimal("0.12")


def test_completions_that_nobody_reported_stay_named_beside_those_that_were():
    first, second = cost_of(CHAT | {"unreported_completions": 2}).lines
    assert first.usd == Decimal("0.0045")
    assert second.quantities == {"unreported_completions": 2}
    assert second.unpriced == "they were interrupted, and the provider reported no usage"


def test_counts_that_contradict_one_another_are_no_price():
    part = CHAT | {"input_cached_tokens": 2000}
    assert line_of(part).unpriced == "its token counts contradict one another"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"audio_duration": "90"}, "audio_duration is no amount"),
        ({"audio_duration": float("nan")}, "audio_duration is no amount"),
        ({"audio_duration": -1}, "audio_duration is no amount"),
        ({"audio_duration": 0}, "nothing was reported"),
        ({"audio_duration": 1e300}, "audio_duration is no amount"),
        ({"provider": None}, "its provider is not known"),
        ({"type": 3}, "its type is not known: it is llm_usage, tts_usage or stt_usage"),
    ],
)
def test_parts_that_are_none_cost_nothing_invented(changes: dict[str, Any], why: str):
    assert line_of(SPEECH | changes).unpriced == why


def test_nothing_is_no_cost_and_not_zero():
    assert cost_of().usd is None
    assert cost_of().complete
    unknown = cost_of(SPEECH | {"provider": "nobody"})
    assert unknown.usd is None
    assert not unknown.complete
    assert "usd" not in unknown.metadata()


def test_the_breakdown_as_json():
    cost = cost_of(SPEECH, CHAT | {"provider": "elsewhere.example.com"})
    assert json.loads(json.dumps(cost.metadata())) == {
        "usd": "0.0072",
        "complete": False,
        "lines": [
            {
                "provider": "deepgram",
                "model": "nova-3",
                "kind": "stt",
                "quantities": {"audio_duration": 90},
                "usd": "0.0072",
                "price": {"per_audio_minute": "0.0048"},
                "source": "table",
                "published": "https://deepgram.com/pricing",
                "read": "2026-08-01",
            },
            {
                "provider": "elsewhere.example.com",
                "model": "gpt-4o",
                "kind": "llm",
                "quantities": {"input_tokens": 1000, "output_tokens": 200},
                "unpriced": "no published price is known",
            },
        ],
    }


# The first example imports the price list.
calmly = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
amounts = st.integers(0, 10**7) | st.floats(0, 10**7, allow_nan=False)
any_part = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["llm_usage", "tts_usage", "stt_usage", "eot_usage"]),
        "provider": st.sampled_from(["openai", "livekit", "Deepgram", "Cartesia", "nobody", ""]),
        "model": st.sampled_from(["gpt-4o", "gpt-realtime", "nova-3", "sonic-3", "openai/gpt-4o"]),
    },
    optional={
        "input_tokens": amounts,
        "input_cached_tokens": amounts,
        "input_audio_tokens": amounts,
        "output_tokens": amounts,
        "characters_count": amounts,
        "audio_duration": amounts,
        "session_duration": amounts,
        "unreported_completions": amounts,
    },
)


@calmly
@given(st.lists(any_part, max_size=8), amounts)
def test_the_lines_of_any_breakdown_add_up_digit_by_digit(
    parts: list[dict[str, Any]], duration: float
):
    line = Telephony(provider="twilio", direction="inbound", number="+12125550100")
    cost = price(parts, at=WHEN, duration=duration, telephony=[line])
    told = cost.metadata()
    amounts = [Decimal(one["usd"]) for one in told["lines"] if "usd" in one]
    assert sum(amounts) == Decimal(told.get("usd", "0"))
    assert ("usd" in told) == bool(amounts)
    assert all(("usd" in one) != ("unpriced" in one) for one in told["lines"])
    assert told["complete"] == (len(amounts) == len(told["lines"]))
    assert json.loads(json.dumps(told, allow_nan=False)) == told


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = plain | st.lists(plain, max_size=2) | st.dictionaries(st.text(max_size=8), plain)
strange = st.dictionaries(
    st.sampled_from(["type", "provider", "model", "input_tokens", "audio_duration", "duration"])
    | st.text(max_size=8),
    anything,
)


@calmly
@given(st.lists(strange, max_size=3), st.dictionaries(st.text(max_size=12), anything))
def test_nothing_raises_whatever_is_told(parts: list[dict[str, Any]], own: dict[str, Any]):
    told = cost_of(*parts, prices=own).metadata()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    for part in parts:
        assert len(parts_of(part)) in (1, 2)


@calmly
@given(strange, st.none() | st.text(max_size=12))
def test_no_document_is_too_strange_to_be_priced(metadata: dict[str, Any], number: str | None):
    values = {"telephony": metadata, "pipecat": metadata, "livekit": {"sip": metadata}}
    lines = telephony_of(values, number, cloud=True)
    assert [part["type"] for part in told_parts(lines, 61)] == ["telephony"] * len(lines)
    assert len(lines) == (2 if metadata else 0)


# Prices of one's own


def test_prices_of_ones_own_beat_the_published_ones():
    own = {
        "deepgram/nova-3": {"per_audio_minute": 0.0043},
        "api.openai.com/gpt-4o": {
            "per_million_input_tokens": 2,
            "per_million_output_tokens": "8",
        },
    }
    speech, chat = cost_of(SPEECH, CHAT | {"input_cached_tokens": 500}, prices=own).lines
    assert (speech.usd, speech.source) == (Decimal("0.00645"), "yours")
    # A cached token without a price of its own costs what any does.
    assert (chat.usd, chat.source) == (Decimal("0.0036"), "yours")
    assert chat.rates == {"per_million_input_tokens": 2, "per_million_output_tokens": 8}


def test_the_most_exact_key_counts():
    own = {
        "*/*": {"per_audio_minute": 4},
        "deepgram/*": {"per_audio_minute": 3},
        "deepgram/nova-*": {"per_audio_minute": 2},
        "deepgram/nova-3": {"per_audio_minute": 1},
    }
    models = ("nova-3", "nova-2", "flux-general-en")
    lines = cost_of(*(SPEECH | {"model": m, "audio_duration": 60} for m in models), prices=own)
    assert [line.usd for line in lines.lines] == [1, 2, 3]
    assert line_of(SPEECH | {"provider": "Rime", "audio_duration": 60}, prices=own).usd == 4


def test_zero_is_a_price_when_somebody_says_so():
    own = {"livekit/adaptive": {"per_request": 0}}
    part = {
        "type": "interruption_usage",
        "provider": "livekit",
        "model": "adaptive",
        "total_requests": 7,
    }
    cost = cost_of(part, prices=own)
    assert (cost.usd, cost.complete) == (0, True)
    assert cost.metadata()["usd"] == "0"


def test_a_mapping_is_checked_by_path_and_what_is_wrong_is_never_passed_over():
    own = OwnPrices(
        {
            "deepgram/nova-3": {"per_audio_minute": "dear", "per_second": 1},
            "openai/*": {"per_million_input_tokens": -1},
            "gpt-4o": {"per_minute": 1},
            "cartesia/*": {},
            "rime/*": 3,
        }
    )
    assert own.problems == {
        "deepgram/nova-3.per_audio_minute": "Input should be a valid decimal",
        "deepgram/nova-3.per_second": "Extra inputs are not permitted",
        "openai/*.per_million_input_tokens": "Input should be greater than or equal to 0",
        "gpt-4o": "expected a key such as deepgram/nova-3 or deepgram/*",
        "cartesia/*": own.problems["cartesia/*"],
        "rime/*": own.problems["rime/*"],
    }
    assert "a price is missing; there are per_million_input_tokens" in own.problems["cartesia/*"]
    line = line_of(SPEECH, prices=own)
    assert line.usd is None
    assert (line.unpriced or "").startswith(
        "your price is not usable (deepgram/nova-3.per_audio_minute: Input should be a valid decimal"
    )


@pytest.mark.parametrize("wrong", ["deepgram", 3, [1]])
def test_prices_that_are_none_are_named(wrong: Any):
    own = OwnPrices(wrong)
    assert own.problems == {"prices": "expected a mapping or a function"}
    assert line_of(SPEECH, prices=own).source == "table"


def test_a_function_prices_a_part_or_leaves_it_to_the_table():
    def mine(part: Any) -> float | None:
        return 0.1 + 0.2 if part["model"] == "gpt-4o" else None

    chat, speech = cost_of(CHAT, SPEECH, prices=mine).lines
    assert (chat.usd, chat.source, chat.rates) == (Decimal("0.3"), "yours", {})
    assert speech.source == "table"


def test_a_function_that_fails_is_named_by_the_type_of_its_fault():
    def broken(part: Any) -> float:
        raise KeyError(part["words"])

    assert line_of(CHAT, prices=broken).unpriced == "your function failed (KeyError)"


@pytest.mark.parametrize("answer", [-1, float("nan"), float("inf"), "0.1", True])
def test_a_function_that_returns_no_dollars(answer: Any):
    line = line_of(CHAT, prices=lambda part: answer)
    assert line.unpriced == "your function returned no amount of dollars"


def test_a_function_cannot_change_what_is_sent():
    def greedy(part: Any) -> None:
        part.clear()

    assert line_of(SPEECH, prices=greedy).quantities == {"audio_duration": 90}
    assert SPEECH["audio_duration"] == 90.0


# Telephony


def telephone(seconds: float, **line: Any) -> Line:
    (found,) = price([], duration=seconds, telephony=[Telephony(**line)], at=WHEN).lines
    return found


@pytest.mark.parametrize(
    ("seconds", "direction", "number", "usd"),
    [
        (60.0, "inbound", "+12125550100", "0.0085"),
        (61.0, "inbound", "+1 (212) 555-0100", "0.017"),
        (61.0, "outbound", "+12125550100", "0.028"),
        (1.0, "inbound", "+18005550100", "0.022"),
    ],
)
def test_each_begun_minute_costs_what_twilio_publishes(
    seconds: float, direction: str, number: str, usd: str
):
    line = telephone(seconds, provider="twilio", direction=direction, number=number)
    assert line.usd == Decimal(usd)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"provider": "twilio", "direction": "inbound", "number": "+493012345"}, "no published"),
        ({"provider": "twilio", "direction": "inbound", "number": "+14165550100"}, "no published"),
        ({"provider": "twilio", "direction": "inbound"}, "no published"),
        ({"provider": "twilio", "number": "+12125550100"}, "the direction"),
        ({"provider": "telnyx", "direction": "inbound", "number": "+12125550100"}, "no published"),
        ({"provider": "", "direction": "inbound", "number": "+12125550100"}, "the carrier"),
        ({"provider": "livekit", "direction": "sip"}, "LiveKit's SIP minutes"),
    ],
)
def test_a_line_without_a_published_price_is_named(line: dict[str, str], why: str):
    assert (telephone(60, **line).unpriced or "").startswith(why)


def test_ones_own_price_of_a_minute():
    own = {"twilio/inbound": {"per_minute": "0.01"}, "sip-trunk/*": {"per_minute": "0.02"}}
    lines = [
        Telephony(provider="twilio", direction="inbound"),
        Telephony(provider="sip-trunk", direction="outbound"),
    ]
    cost = price([], prices=own, duration=90, telephony=lines, at=WHEN)
    assert [line.usd for line in cost.lines] == [Decimal("0.02"), Decimal("0.04")]


# Names


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("api.openai.com", "openai"),
        ("api.openai.com:443", "openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("my-team.openai.azure.com", "azure"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws"),
        ("generativelanguage.googleapis.com", "google"),
        ("agent-gateway.livekit.cloud", "livekit"),
        ("llm.example.com", "llm.example.com"),
        ("pipecat.services.deepgram.stt", "deepgram"),
        ("pipecat.services.grok.llm", "xai"),
        ("livekit.plugins.cartesia.tts.TTS", "cartesia"),
        ("DeepgramSTTService#0", "deepgram"),
        ("ElevenLabsHttpTTSService#12", "elevenlabs"),
        ("OpenAIRealtimeLLMService", "openai"),
        ("GeminiLiveLLMService#1", "google"),
        ("Azure TTS", "azure"),
        ("Amazon Transcribe", "aws"),
        ("Vertex AI", "google"),
        ("MistralAI", "mistral"),
        ("x-ai", "xai"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_a_provider_has_one_name(label: str, name: str):
    assert provider_name(label) == name


# Without the extra


WITHOUT_THE_EXTRA = """
import json, sys
sys.modules["genai_prices"] = None  # as if it were not installed
from zelto_agents.cost import price
parts = json.loads(sys.argv[1])
print(json.dumps(price(parts).metadata()))
"""


def test_without_the_extra_speech_is_priced_and_language_models_are_named():
    parts = json.dumps([CHAT, SPEECH, CHAT | {"provider": "livekit", "model": "openai/gpt-4o"}])
    out = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, parts], check=True, capture_output=True
    )
    told = json.loads(out.stdout)
    chat, speech, inference = told["lines"]
    assert chat["unpriced"] == "install zelto-agents[cost]"
    assert (speech["usd"], inference["usd"]) == ("0.0072", "0.0045")
    assert (told["usd"], told["complete"]) == ("0.0117", False)


OFFLINE = """
import json, socket, sys, threading
def refused(*_):
    raise AssertionError("the network was touched")
socket.socket.connect = socket.getaddrinfo = refused
from zelto_agents.cost import price
assert "genai_prices" not in sys.modules
cost = price(json.loads(sys.argv[1]))
assert "genai_prices" in sys.modules
assert threading.active_count() == 1
print(cost.usd)
"""


def test_the_price_list_is_imported_when_needed_and_stays_off_the_network():
    out = subprocess.run(
        [sys.executable, "-c", OFFLINE, json.dumps([CHAT])], check=True, capture_output=True
    )
    assert Decimal(out.stdout.decode().strip()) == Decimal("0.0045")
