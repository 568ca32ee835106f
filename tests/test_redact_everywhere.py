"""With ZELTO_REDACT, what is personal is found nowhere, whichever way it came in."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from secret_words import (
    BARE,
    CARD,
    EMAIL,
    EVERYTHING,
    NEEDLES,
    PHONE,
    SAID,
    arrived,
    document,
    needles_in,
    on_disk,
    received,
    redacting,
)
from zelto_agents import Call, Settings, Zelto
from zelto_agents.facts import HandoffMade, WordsHeard
from zelto_agents.receiver import RunningReceiver

TAKEN = "call [phone] or [phone], [phone]; write to [email] or [email]; I pay with [card]."


def tell(call: Call) -> None:
    """All of it, in every place that takes a text."""
    call.turn("user", EVERYTHING, start=0.4, end=9.1)
    call.turn("assistant", f"So it is {SAID}?", start=9.5, end=11.0)
    call.tool("look_up", {EVERYTHING: [{"deep": EVERYTHING}]}, result={"found": [EVERYTHING]})
    call.tool("fail", EVERYTHING, error=EVERYTHING)
    call.prompt(EVERYTHING)
    call.customer(BARE, EMAIL)
    call.metadata(
        {"notes": [{"text": EVERYTHING}], "tags": [SAID, EMAIL], "card": CARD.replace(" ", "")}
    )
    call.add(HandoffMade(at=call.started_at + 12, old="a", new="b", prompt=EVERYTHING))
    call.add(WordsHeard(at=call.started_at + 13, text=EVERYTHING))


def whole(zelto: Zelto) -> str:
    """One call, enriched; what was on the disk while it lived and once it was over."""
    options: dict[str, Any] = {
        "agent_id": "support",
        "system_prompt": EVERYTHING,
        "metadata": {"first": EVERYTHING},
        "customer": {"number": PHONE, "name": EVERYTHING},
    }
    call = zelto.call("conv-1", **options)
    tell(call)
    assert arrived(zelto)
    seen = on_disk(zelto.settings.outbox)
    call.end(f"sent to {SAID}")
    assert arrived(zelto)
    zelto.enrich(
        "conv-1",
        cost=0.02,
        ended_reason=f"put through to {PHONE}",
        customer={"number": BARE, "name": EMAIL},
        metadata={"later": {"tags": [EVERYTHING]}},
    )
    zelto.enrich("conv-unknown", metadata={"waits": EVERYTHING})
    assert arrived(zelto)
    return seen + on_disk(zelto.settings.outbox)


def test_without_it_all_of_it_is_found(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        assert needles_in(whole(zelto)) == set(NEEDLES)
    assert needles_in(received(receiver)) == set(NEEDLES)


def test_with_it_nothing_is_found_on_the_disk_in_the_logs_or_at_the_receiver(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG), Zelto(settings=redacting(settings)) as zelto:
        seen = whole(zelto)
    assert "[phone]" in seen
    assert needles_in(seen, on_disk(settings.outbox), received(receiver), caplog.text) == set()


def test_the_words_around_it_arrive(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=redacting(settings)) as zelto:
        whole(zelto)
    sent = document(receiver)
    turns = {turn["content"] for turn in sent["transcript"]["turns"]}
    assert TAKEN in turns
    assert "So it is [phone]?" in turns
    assert (
        json.dumps(
            {
                "name": "look_up",
                "arguments": {TAKEN: [{"deep": TAKEN}]},
                "result": {"found": [TAKEN]},
            },
            separators=(",", ":"),
        )
        in turns
    )
    assert sent["systemPrompt"] == TAKEN
    assert sent["call"]["customer"] == {"number": "[phone]", "name": "[email]"}
    assert sent["call"]["endedReason"] == "put through to [phone]"
    assert sent["call"]["cost"] == 0.02
    assert sent["metadata"]["tags"] == ["[phone]", "[email]"]
    assert sent["metadata"]["later"] == {"tags": [TAKEN]}
    assert sent["metadata"]["zelto"]["handoffs"][0]["systemPrompt"] == TAKEN


def test_a_calls_own_function_is_asked_instead_and_a_word_of_the_vocabulary_stays(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=redacting(settings)) as zelto:
        with zelto.call("conv-1", agent_id="support", redact=str.upper) as call:
            call.turn("user", f"it is {SAID}", start=0.4, end=1.1)
            call.end("customer-ended-call")
        assert arrived(zelto)
        zelto.enrich("conv-1", ended_reason="silence-timed-out")
        assert arrived(zelto)
    sent = document(receiver)
    assert sent["call"]["endedReason"] == "silence-timed-out"
    assert sent["transcript"]["turns"][0]["content"] == f"IT IS {SAID}"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("phnoe", "'phnoe' is not known; expected names of phone, email, card"),
        ("phone:XX", "'XX' is not a region"),
        (",", "expected names of phone, email, card"),
    ],
)
def test_a_setting_that_cannot_be_read_lets_no_text_through(
    spec: str,
    why: str,
    settings: Settings,
    receiver: RunningReceiver,
    caplog: pytest.LogCaptureFixture,
):
    with Zelto(settings=redacting(settings, redact=spec)) as zelto:
        seen = whole(zelto)
    assert needles_in(seen, received(receiver)) == set()
    said = [r.getMessage() for r in caplog.records if "argument redact is not" in r.getMessage()]
    assert len(said) == 1
    assert why in said[0]
    assert said[0].endswith("every text is sent as [redaction failed] until it is")
    turns = document(receiver)["transcript"]["turns"]
    assert {turn["content"] for turn in turns if turn["role"] == "user"} == {"[redaction failed]"}


def test_without_the_extra_no_text_is_let_through(settings: Settings, receiver: RunningReceiver):
    code = """
import sys
sys.modules["phonenumbers"] = sys.modules["stdnum"] = None  # as if they were not there
import logging; logging.basicConfig()
from zelto_agents import Zelto
with Zelto() as zelto:
    with zelto.call("conv-1", agent_id="support") as call:
        call.turn("user", "it is (415) 555-2672", start=0.4, end=1.1)
"""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    environment = {
        "ZELTO_API_KEY": key,
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(settings.outbox),
        "ZELTO_REDACT": "phone,email",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "environment ZELTO_REDACT is not usable: phone needs the extra redact: " in done.stderr
    turns = document(receiver)["transcript"]["turns"]
    assert [turn["content"] for turn in turns] == ["[redaction failed]"]
    assert needles_in(done.stderr, on_disk(settings.outbox), received(receiver)) == set()


def test_opentelemetry_is_told_nothing_of_it(settings: Settings, receiver: RunningReceiver):
    code = f"""
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import sys; sys.path.insert(0, {str(__file__).rpartition("/")[0]!r})
reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
metrics.set_meter_provider(MeterProvider([reader]))
provider = TracerProvider(); provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
from test_redact_everywhere import whole
from zelto_agents import Zelto
with Zelto() as zelto:
    whole(zelto)
    print(reader.get_metrics_data().to_json())
print([span.to_json() for span in spans.get_finished_spans()])
"""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    environment = {
        "ZELTO_API_KEY": key,
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(settings.outbox),
        "ZELTO_REDACT": "phone,email,card",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "zelto.delivery.attempts" in done.stdout
    assert needles_in(done.stdout, done.stderr) == set()
    assert not needles_in(on_disk(settings.outbox))
