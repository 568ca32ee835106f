"""No body whatever gives a 500, and every authenticated body is in the raw log as it came."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zelto_agents.contract import plain_json
from zelto_agents.receiver import verdict
from zelto_agents.receiver.app import MAX_BODY_BYTES
from zelto_agents.receiver.verdict import judge

INVALID = [
    b"",
    b" ",
    b"NaN",
    b'{"call": {"externalId": "a", "cost": NaN}}',
    b"Infinity",
    b"-Infinity",
    b"\xff\xfe{}",
    b'{"call": "\xc3"}',
    '{"a": 1}'.encode("utf-16"),
    b"[" * 200_000,
    b'{"a":' * 50_000,
    b"{} {}",
    b"\x00",
    b"{'a': 1}",
]

REFUSED = [
    b"null",
    b"0",
    b'"text"',
    b"[]",
    b"{}",
    b"1" * 10_000,
    b'{"call": null}',
    b'{"call": []}',
]


@pytest.mark.parametrize("content", INVALID, ids=lambda content: repr(content[:12]))
def test_what_is_not_json_is_refused_and_kept(receiver, send, content):
    answer = send(content)
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid JSON"})
    assert receiver.raw_body(1) == content
    [delivery] = receiver.deliveries()
    assert (delivery["status"], delivery["state"]) == (400, "rejected")


@pytest.mark.parametrize("content", REFUSED, ids=lambda content: repr(content[:12]))
def test_json_of_another_shape_is_refused_and_kept(receiver, send, content):
    answer = send(content)
    assert (answer.status_code, answer.json()["error"]) == (400, "Validation failed")
    assert receiver.raw_body(1) == content


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
near_calls = st.fixed_dictionaries(
    {"call": st.fixed_dictionaries({"externalId": json_values | st.text(min_size=1)})},
    optional={
        "agent": st.fixed_dictionaries({"externalId": st.text() | json_values}),
        "agentId": json_values,
        "version": json_values,
        "transcript": st.fixed_dictionaries({"turns": json_values}),
        "metadata": json_values,
    },
)
near_native = st.one_of(
    st.fixed_dictionaries(
        {
            "message": st.fixed_dictionaries(
                {
                    "type": st.just("end-of-call-report"),
                    "call": st.fixed_dictionaries(
                        {"id": st.text(min_size=1)}, optional={"assistantId": json_values}
                    ),
                },
                optional=dict.fromkeys(
                    ("cost", "startedAt", "endedAt", "durationSeconds", "customer"), json_values
                )
                | {
                    "artifact": st.fixed_dictionaries(
                        {}, optional={"messages": json_values, "recordingUrl": json_values}
                    )
                },
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "event": st.just("call_ended"),
            "call": st.fixed_dictionaries(
                {"call_id": st.text(min_size=1)},
                optional=dict.fromkeys(
                    (
                        "agent_id",
                        "agent_version",
                        "call_cost",
                        "duration_ms",
                        "end_timestamp",
                        "metadata",
                        "start_timestamp",
                        "transcript_object",
                        "transcript_with_tool_calls",
                    ),
                    json_values,
                ),
            ),
        }
    ),
)
bodies = (
    st.binary()
    | near_native.map(json.dumps).map(str.encode)
    | json_values.map(json.dumps).map(str.encode)
    | (near_calls.map(json.dumps).map(str.encode))
)


@given(bodies, st.sampled_from([None, "zelto", "livekit", "vapi", "retell", "", "bland"]))
def test_any_bytes_get_an_answer_of_the_contract(content, provider):
    verdict = judge(provider, content)
    assert verdict.status in (200, 400)
    json.dumps(verdict.answer, allow_nan=False).encode()


@given(near_native)
def test_a_native_body_that_names_its_call_is_never_refused(content):
    provider = "vapi" if "message" in content else "retell"
    verdict = judge(provider, json.dumps(plain_json(content)).encode())
    named = content["message"]["call"]["id"] if provider == "vapi" else content["call"]["call_id"]
    assert verdict.status == (200 if named.strip() else 400)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies)
def test_any_bytes_are_answered_over_http_and_kept(receiver, http, content):
    answer = http.post("/webhooks/calls", content=content)
    assert answer.status_code in (200, 400)
    assert receiver.raw_body(receiver.raw_count()) == content


def test_lone_surrogates_are_stored_as_replacement_characters(receiver, send):
    answer = send(
        rb'{"call": {"externalId": "a\ud800"}, "agent": {"externalId": "s"},'
        rb' "transcript": {"turns": [{"role": "user", "content": "hi \udc00\u0000"}]}}'
    )
    assert answer.status_code == 200
    conversation = receiver.conversation("a\ufffd")
    assert conversation["turns"][0]["content"] == "hi \ufffd\ufffd"


def test_the_last_of_duplicate_keys_wins(receiver, send):
    send(
        b'{"call": {"externalId": "x"}, "call": {"externalId": "y", "recordingUrl": "https://a.b/c"},'
        b' "agent": {"externalId": "s"}}'
    )
    assert [each["externalId"] for each in receiver.conversations()] == ["y"]


def test_a_byte_order_mark_is_skipped(receiver, send, body):
    assert send(b"\xef\xbb\xbf" + json.dumps(body()).encode()).status_code == 200
    assert receiver.conversation("conv-1") is not None


def test_giant_numbers_are_kept_as_well_as_json_can(receiver, send, body):
    text = json.dumps(body(metadata={"a": 1, "b": 2, "c": 3}))
    text = text.replace('"a": 1', f'"a": {"9" * 5000}').replace('"b": 2', '"b": 1e999')
    assert send(text.encode()).status_code == 200
    assert receiver.conversation("conv-1")["metadata"] == {"a": None, "b": None, "c": 3}


def test_the_content_type_does_not_matter(receiver, http, body):
    content = json.dumps(body()).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = http.post(
            "/webhooks/calls", content=content, headers={"Content-Type": content_type}
        )
        assert answer.json() == {"received": True}


def test_a_chunked_body_is_read_whole(receiver, http, body):
    content = json.dumps(body()).encode()
    answer = http.post("/webhooks/calls", content=(content[i : i + 7] for i in range(0, 500, 7)))
    assert answer.json() == {"received": True}
    assert receiver.raw_body(1) == content


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_in_json(receiver, http, chunked):
    part = b" " * (MAX_BODY_BYTES // 8)
    content = (part for _ in range(9)) if chunked else part * 8 + b" "
    try:
        answer = http.post("/webhooks/calls", content=content)
    except httpx.WriteError:
        pytest.skip("the socket was closed before this client had read the answer")
    assert answer.status_code == 413
    assert answer.json() == {"error": f"Body is larger than {MAX_BODY_BYTES} bytes"}
    assert receiver.raw_count() == 0


def test_a_large_valid_body_is_accepted(receiver, send, body):
    turns = [{"role": "user", "content": "x" * 1000}] * 5000
    assert send(body(transcript={"turns": turns})).status_code == 200
    assert len(receiver.conversation("conv-1")["turns"]) == 5000


VALUES = [
    *(b"-0", b"-0.0", b"1e5", b"1e-7", b"1e16", b"0.1", b"5e-324", b"1e400", b"01", b"1.", b"+1"),
    *(b"9" * 19, b"-9223372036854775809", b"9" * 299, b"9" * 320, b"9" * 5000, b"1.5" + b"0" * 400),
    *(b"null", b"true", b"NaN", b"-Infinity", b'"NaN"', b"{}", b"[]", b'""', b"[1,]", b'"x\x01"'),
    *(rb'"\u0000"', rb'"\ud83d\ude00"', rb'"\ud800"', rb'"\/"', b'"\xff"', b'"\xf0\x9f\x98\x80"'),
    *(b'"2026-01-01T00:00:00.1234567+01:00"', b'"https://a.b/c"', b'"user"', b'" "'),
    *(b'"123e4567-e89b-12d3-a456-426614174000"', b'{"x":null,"y":[null]}', b'{"x":1,"x":2}'),
    *(b"[" * depth + b"1" + b"]" * depth for depth in (29, 30, 31, 32, 150, 300)),
]
FIELDS = {
    "id": b'"x"',
    "startedAt": b"null",
    "cost": b"1",
    "customer": b'{"number":"1"}',
    "agent": b'{"externalId":"a"}',
    "agentId": b"null",
    "role": b'"user"',
    "content": b'"Hi"',
    "start": b"0",
    "metadata": b'{"k":1}',
    "inner": b"1",
    "extra": b"1",
}
TEMPLATE = (
    b' {"call":{"externalId":%s,"startedAt":%s,"cost":%s,"customer":%s},"agent":%s,"agentId":%s,'
    b'"transcript":{"turns":[{"role":%s,"content":%s,"startSeconds":%s}]},"metadata":%s,'
    b'"metadata":{"inner":%s},"extra":%s}\n'
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("provider", [None, "livekit"])
def test_a_sound_body_is_judged_quickly_and_as_carefully_as_any(monkeypatch, provider, field):
    template = TEMPLATE
    if field == "metadata":
        template = template.replace(b'"metadata":{"inner":%s},', b'"unknown":%s,')
    contents = [template % tuple((FIELDS | {field: value}).values()) for value in VALUES]
    quick = [judge(provider, content) for content in contents]
    assert verdict._sound(template % tuple(FIELDS.values())) is not None
    monkeypatch.setattr(verdict, "_sound", lambda _body: None)
    for content, found in zip(contents, quick, strict=True):
        careful = judge(provider, content)
        wires = [each.call and each.call.wire() for each in (found, careful)]
        assert wires[0] == wires[1], content
        assert replace(found, call=None) == replace(careful, call=None), content
