"""The wire contract: every limit, camelCase, and never anything that is not JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zelto_agents.contract import CallIngest, describe, plain_json

WHOLE = {
    "call": {
        "externalId": "conv-42",
        "startedAt": "2026-11-23T10:00:00Z",
        "endedAt": "2026-11-23T10:00:12.500000Z",
        "durationSeconds": 12.5,
        "endedReason": "customer-ended-call",
        "cost": 0.0123,
        "recordingUrl": "https://example.com/a.ogg",
        "customer": {"number": "+15551234567", "name": "Ada"},
    },
    "agent": {"externalId": "support", "name": "Support"},
    "agentId": "6f1c1a52-3f1c-4a57-9f0b-0d5a6a0f8f7e",
    "version": "2026-11-23",
    "transcript": {
        "turns": [{"role": "user", "content": "Hi", "startSeconds": 0.4, "endSeconds": 1.1}]
    },
    "systemPrompt": "Be kind.",
    "metadata": {"channel": "voice", "nothing": None, "nested": {"list": [1, 2.5, "x", None]}},
}


def refusals(body: object) -> list[dict[str, str]]:
    with pytest.raises(ValidationError) as caught:
        CallIngest.model_validate_json(json.dumps(body))
    return describe(caught.value)


def changed(path: str, value: object) -> dict[str, object]:
    body = json.loads(json.dumps(WHOLE))
    *parents, last = path.split(".")
    place = body
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value
    return body


def test_a_whole_body_goes_over_the_wire_as_it_came():
    assert json.loads(CallIngest.model_validate_json(json.dumps(WHOLE)).wire()) == WHOLE


def test_absent_fields_are_left_out_and_not_sent_as_null():
    document = CallIngest.model_validate(
        {
            "call": {"externalId": "x", "startedAt": datetime(2026, 1, 1, tzinfo=UTC)},
            "agent": {"externalId": "a"},
        }
    )
    assert json.loads(document.wire()) == {
        "call": {"externalId": "x", "startedAt": "2026-01-01T00:00:00Z"},
        "agent": {"externalId": "a"},
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("call.externalId", ""),
        ("call.externalId", 7),
        ("call.startedAt", "yesterday"),
        ("call.startedAt", "2026-11-23T10:00:00"),
        ("call.durationSeconds", -1),
        ("call.durationSeconds", "12"),
        ("call.durationSeconds", float("nan")),
        ("call.cost", -0.01),
        ("call.cost", float("inf")),
        ("call.recordingUrl", "not a url"),
        ("call.recordingUrl", "javascript:alert(1)"),
        ("call.customer.number", 15551234567),
        ("agent.externalId", ""),
        ("agentId", "not-a-uuid"),
        ("version", ""),
        ("version", "v" * 256),
        ("transcript.turns.0.role", "agent"),
        ("transcript.turns.0.content", None),
        ("transcript.turns.0.startSeconds", -0.1),
        ("systemPrompt", ["Be kind."]),
        ("metadata", "free"),
        ("call.foo", 1),
        ("agent.foo", 1),
        ("transcript.turns.0.foo", 1),
        ("foo", 1),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_with_its_path(path: str, value: object):
    assert [fault["path"] for fault in refusals(changed(path, value))] == [path]


def test_a_version_of_255_characters_is_allowed():
    CallIngest.model_validate_json(json.dumps(changed("version", "v" * 255)))


def test_an_agent_reference_is_required_unless_it_comes_later():
    body = {"call": {"externalId": "x"}}
    assert "agent.externalId is required unless agentId is given" in refusals(body)[0]["message"]
    assert not CallIngest.model_validate(body, context={"agent": "later"}).has_agent
    for reference in ({"agent": {"externalId": "a"}}, {"agentId": WHOLE["agentId"]}):
        assert CallIngest.model_validate_json(json.dumps(body | reference)).has_agent


def test_a_refusal_does_not_quote_what_was_refused():
    assert "secret words" not in json.dumps(
        refusals(changed("transcript.turns.0.role", "secret words"))
    )


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers())
    ),
)


@given(anything)
def test_any_value_becomes_json_that_utf8_can_hold(value: object):
    text = json.dumps(plain_json(value), allow_nan=False, ensure_ascii=False)
    assert "\0" not in text
    text.encode()


def test_a_value_that_contains_itself_is_cut():
    loop: list[object] = []
    loop.append(loop)
    json.dumps(plain_json(loop))
