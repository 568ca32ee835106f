"""Vapi's ``end-of-call-report`` becomes a whole conversation; nothing else of Vapi's does."""

from __future__ import annotations

import pytest

from native_bodies import VAPI_TURNS, vapi_report

RECEIVED = {"received": True}


def test_a_report_comes_out_as_a_whole_conversation(receiver, send):
    sent = vapi_report()
    answer = send(sent, "vapi")
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    [conversation] = receiver.conversations()
    assert conversation == {
        "seq": 1,
        "id": conversation["id"],
        "organisation": "default",
        "externalId": sent["message"]["call"]["id"],
        "provider": "vapi",
        "source": "vapi",
        "agent": {
            "id": conversation["agent"]["id"],
            "provider": "vapi",
            "externalId": "asst-booking",
            "name": "Booking",
        },
        "version": "v3",
        "createdAt": conversation["createdAt"],
        "updatedAt": conversation["createdAt"],
        "startedAt": "2026-03-01T10:00:00Z",
        "endedAt": "2026-03-01T10:00:20.500000Z",
        "durationSeconds": 20.5,
        "endedReason": "customer-ended-call",
        "cost": 0.0421,
        "costText": "0.0421",
        "recordingUrl": "https://storage.example/call.wav",
        "recording": conversation["recording"],
        "customer": {"number": "+15550100", "name": "Ann"},
        "systemPrompt": "You book tables for Luigi.",
        "turns": VAPI_TURNS,
        "metadata": {
            "tenant": "north",
            "vapi": {
                "type": "inboundPhoneCall",
                "orgId": "org-1",
                "analysis": {"summary": "A table was booked."},
                "costBreakdown": {"llm": 0.01, "total": 0.0421},
            },
        },
        "deliveries": 1,
    }
    assert [each["state"] for each in receiver.deliveries()] == ["ingested"]


def test_the_same_report_again_refreshes_and_never_adds_up(receiver, send):
    send(vapi_report(), "vapi")
    again = vapi_report()
    again["message"] |= {"cost": 0.05, "durationSeconds": 21}
    send(again, "vapi")
    [conversation] = receiver.conversations()
    assert (conversation["cost"], conversation["durationSeconds"]) == (0.05, 21.0)
    assert (conversation["turns"], conversation["deliveries"]) == (VAPI_TURNS, 2)


def test_a_report_as_the_guide_abridges_it_is_enough(receiver, send):
    """Roles and words without times, the recording as an object, everything else absent."""
    message = {
        "type": "end-of-call-report",
        "endedReason": "hangup",
        "call": {"id": "c-1"},
        "artifact": {
            "recording": {"mono": {"combinedUrl": "https://storage.example/mono.wav"}},
            "transcript": "AI: How can I help? User: What's the weather?",
            "messages": [
                {"role": "assistant", "message": "How can I help?"},
                {"role": "user", "message": "What's the weather?"},
            ],
        },
    }
    send({"message": message}, "vapi")
    conversation = receiver.conversation("c-1")
    assert [(turn["role"], turn["content"]) for turn in conversation["turns"]] == [
        ("assistant", "How can I help?"),
        ("user", "What's the weather?"),
    ]
    assert conversation["recordingUrl"] == "https://storage.example/mono.wav"
    assert conversation["endedReason"] == "hangup"
    assert conversation["agent"]["externalId"] == "inline-assistant"


def test_an_older_report_has_its_parts_beside_the_artifact(receiver, send):
    message = {
        "type": "end-of-call-report",
        "call": {"id": "c-1", "startedAt": "2026-03-01T10:00:00Z",
                 "endedAt": "2026-03-01T10:00:09Z", "costBreakdown": {"total": 0.2},
                 "customer": {"sipUri": "sip:ann@example.com"}},
        "recordingUrl": "https://storage.example/old.wav",
        "transcript": "AI: Hello.\nUser: Hi.\nI am Ann.",
    }  # fmt: skip
    send({"message": message}, "vapi")
    conversation = receiver.conversation("c-1")
    assert [(turn["role"], turn["content"]) for turn in conversation["turns"]] == [
        ("assistant", "Hello."),
        ("user", "Hi.\nI am Ann."),
    ]
    assert conversation["recordingUrl"] == "https://storage.example/old.wav"
    assert (conversation["durationSeconds"], conversation["cost"]) == (9.0, 0.2)
    assert conversation["customer"] == {"number": "sip:ann@example.com"}


def test_the_prompt_of_the_assistant_serves_when_no_message_shows_it(receiver, send):
    sent = vapi_report()
    del sent["message"]["artifact"]["messages"][0]
    send(sent, "vapi")
    [conversation] = receiver.conversations()
    assert conversation["systemPrompt"] == "You book tables for {{place}}."


def test_a_call_that_nobody_answered_is_unconnected(receiver, send):
    sent = vapi_report()
    sent["message"]["artifact"] = {"messages": []}
    assert send(sent, "vapi").json() == RECEIVED
    assert receiver.conversations() == []
    assert [each["state"] for each in receiver.deliveries()] == ["unconnected"]


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"message": {"type": "end-of-call-report"}}, "message.call.id"),
        ({"message": {"type": "end-of-call-report", "call": {"id": 7}}}, "message.call.id"),
        ({"message": {"type": 7}}, "message.type"),
        ({"message": "hello"}, "message"),
        ({"event": "call_ended"}, "message"),
    ],
)
def test_a_fault_is_named_by_its_path(receiver, send, sent, path):
    answer = send(sent, "vapi")
    assert answer.status_code == 400
    assert answer.json()["error"] == "Validation failed"
    assert [fault["path"] for fault in answer.json()["details"]] == [path]
    assert [each["state"] for each in receiver.deliveries()] == ["rejected"]


@pytest.mark.parametrize(
    "kind", ["status-update", "transcript", "tool-calls", "conversation-update", "hang"]
)
def test_every_other_message_is_acknowledged_and_ignored(receiver, send, kind):
    sent = vapi_report()
    sent["message"]["type"] = kind
    answer = send(sent, "vapi")
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert receiver.conversations() == []
    assert [each["state"] for each in receiver.deliveries()] == ["ignored"]


def test_a_value_of_an_unexpected_type_is_left_out_and_nothing_else(receiver, send):
    sent = vapi_report()
    sent["message"] |= {"cost": "free", "durationSeconds": -1, "startedAt": "yesterday"}
    sent["message"]["artifact"]["recordingUrl"] = "ftp://storage.example/call.wav"
    sent["message"]["customer"] = "Ann"
    assert send(sent, "vapi").status_code == 200
    [conversation] = receiver.conversations()
    assert (conversation["cost"], conversation["startedAt"]) == (0.0421, None)
    assert conversation["recordingUrl"] == "https://storage.example/mono.wav"
    assert conversation["customer"] is None
    assert conversation["turns"] == VAPI_TURNS
