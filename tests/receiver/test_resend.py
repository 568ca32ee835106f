"""The same external id again updates the conversation in place."""

from __future__ import annotations

import pytest

FIRST = {
    "call": {
        "externalId": "conv-1",
        "startedAt": "2026-03-01T10:00:00Z",
        "endedAt": "2026-03-01T10:00:42Z",
        "durationSeconds": 42.0,
        "endedReason": "customer-ended-call",
        "cost": 0.1,
        "customer": {"number": "+15550100", "name": "Ann"},
    },
    "agent": {"externalId": "support", "name": "Support"},
    "version": "v1",
    "transcript": {
        "turns": [
            {"role": "assistant", "content": "Hello", "startSeconds": 0.5, "endSeconds": 1.5},
            {"role": "user", "content": "Hi", "startSeconds": 2.0, "endSeconds": 2.5},
        ]
    },
    "systemPrompt": "Be kind.",
    "metadata": {"room": "r1"},
}


def test_a_conversation_is_stored_whole(receiver, send):
    send(FIRST, "livekit")
    [conversation] = receiver.conversations()
    assert conversation == {
        "seq": 1,
        "id": conversation["id"],
        "organisation": "default",
        "externalId": "conv-1",
        "provider": "livekit",
        "source": "livekit",
        "agent": {
            "id": conversation["agent"]["id"],
            "provider": "livekit",
            "externalId": "support",
            "name": "Support",
        },
        "version": "v1",
        "createdAt": conversation["createdAt"],
        "updatedAt": conversation["createdAt"],
        "startedAt": "2026-03-01T10:00:00Z",
        "endedAt": "2026-03-01T10:00:42Z",
        "durationSeconds": 42.0,
        "endedReason": "customer-ended-call",
        "cost": 0.1,
        "costText": "0.1",
        "recordingUrl": None,
        "recording": None,
        "customer": {"number": "+15550100", "name": "Ann"},
        "systemPrompt": "Be kind.",
        "turns": [
            {
                "index": 0,
                "role": "assistant",
                "content": "Hello",
                "startSeconds": 0.5,
                "endSeconds": 1.5,
            },
            {"index": 1, "role": "user", "content": "Hi", "startSeconds": 2.0, "endSeconds": 2.5},
        ],
        "metadata": {"room": "r1"},
        "deliveries": 1,
    }


def test_an_identical_resend_changes_nothing_but_the_time(receiver, send):
    send(FIRST)
    before = receiver.conversation("conv-1")
    send(FIRST)
    [after] = receiver.conversations()
    assert after["updatedAt"] > before["updatedAt"]
    assert after == before | {"updatedAt": after["updatedAt"], "deliveries": 2}


def test_what_a_resend_carries_replaces_and_is_never_added_up(receiver, send):
    send(FIRST)
    before = receiver.conversation("conv-1")
    turns = [{"role": "user", "content": "Only this"}]
    send(
        FIRST
        | {
            "call": FIRST["call"]
            | {"cost": 0.25, "durationSeconds": 60, "recordingUrl": "https://a.example/b.ogg"},
            "transcript": {"turns": turns},
            "version": "v2",
        }
    )
    after = receiver.conversation("conv-1")
    assert after == before | {
        "updatedAt": after["updatedAt"],
        "deliveries": 2,
        "cost": 0.25,
        "costText": "0.25",
        "durationSeconds": 60.0,
        "recordingUrl": "https://a.example/b.ogg",
        "recording": after["recording"],
        "version": "v2",
        "turns": [{"index": 0, **turns[0], "startSeconds": None, "endSeconds": None}],
    }


def test_what_a_resend_omits_keeps_its_earlier_value(receiver, send):
    send(FIRST)
    before = receiver.conversation("conv-1")
    send({"call": {"externalId": "conv-1", "cost": 0.3}, "agent": {"externalId": "support"}})
    after = receiver.conversation("conv-1")
    assert after == before | {
        "updatedAt": after["updatedAt"],
        "deliveries": 2,
        "cost": 0.3,
        "costText": "0.3",
    }


def test_null_counts_as_omitted(receiver, send):
    send(FIRST)
    call = {"externalId": "conv-1", "cost": None, "customer": None}
    send({"call": call, "agent": {"externalId": "support"}, "transcript": None, "version": None})
    after = receiver.conversation("conv-1")
    assert (after["cost"], after["version"], len(after["turns"])) == (0.1, "v1", 2)


def test_a_cost_is_shown_without_exponent_or_rounding(send, http, body):
    for external_id, cost in [("a", 0.00000012), ("b", 12), ("c", 0.1), ("d", 0)]:
        send(body(external_id, call={"cost": cost}))
    data = http.get("/v1/conversations").json()["data"]
    assert {each["referenceId"]: each["cost"] for each in data} == {
        "a": "0.00000012",
        "b": "12",
        "c": "0.1",
        "d": "0",
    }


@pytest.mark.parametrize("count", [200])
def test_many_different_calls_stay_apart(receiver, send, body, count):
    for number in range(count):
        send(body(f"conv-{number}"))
    assert [each["externalId"] for each in receiver.conversations()] == [
        f"conv-{number}" for number in reversed(range(count))
    ]
