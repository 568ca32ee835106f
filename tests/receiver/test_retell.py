"""Retell's ``call_ended`` and ``call_analyzed`` become one conversation; nothing else does."""

from __future__ import annotations

import pytest

from native_bodies import RETELL_TURNS, retell_event

RECEIVED = {"received": True}
CALL = "Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6"


def test_an_ended_call_comes_out_as_a_whole_conversation(receiver, send):
    sent = retell_event()
    answer = send(sent, "retell")
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    [conversation] = receiver.conversations()
    assert conversation == {
        "seq": 1,
        "id": conversation["id"],
        "organisation": "default",
        "externalId": CALL,
        "provider": "retell",
        "source": "retell",
        "agent": {
            "id": conversation["agent"]["id"],
            "provider": "retell",
            "externalId": "agent-parcels",
            "name": "Parcels",
        },
        "version": "4",
        "createdAt": conversation["createdAt"],
        "updatedAt": conversation["createdAt"],
        "startedAt": "2026-03-01T10:00:00Z",
        "endedAt": "2026-03-01T10:00:15.750000Z",
        "durationSeconds": 15.75,
        "endedReason": "user_hangup",
        "cost": 0.075,
        "costText": "0.075",
        "recordingUrl": "https://storage.example/call.mp3",
        "recording": conversation["recording"],
        "customer": {"number": "+15550123", "name": "John"},
        "systemPrompt": None,
        "turns": RETELL_TURNS,
        "metadata": {
            "tenant": "south",
            "retell": {
                "call_type": "phone_call",
                "direction": "inbound",
                "from_number": "+15550123",
                "to_number": "+15550199",
                "call_cost": sent["call"]["call_cost"],
                "retell_llm_dynamic_variables": {"customer_name": "John"},
            },
        },
        "deliveries": 1,
    }


@pytest.mark.parametrize(
    "order", [("call_ended", "call_analyzed"), ("call_analyzed", "call_ended")]
)
def test_both_events_of_a_call_are_one_conversation(receiver, send, order):
    for event in order:
        send(retell_event(event), "retell")
    [conversation] = receiver.conversations()
    assert conversation["deliveries"] == 2
    assert (conversation["turns"], conversation["cost"]) == (RETELL_TURNS, 0.075)
    analysis = retell_event("call_analyzed")["call"]["call_analysis"]
    assert conversation["metadata"]["retell"]["call_analysis"] == analysis
    assert conversation["metadata"]["tenant"] == "south"
    assert [each["state"] for each in receiver.deliveries()] == ["ingested", "ingested"]


def test_cost_and_duration_are_refreshed_and_never_added_up(receiver, send):
    send(retell_event(), "retell")
    analyzed = retell_event("call_analyzed")
    analyzed["call"] |= {"call_cost": {"combined_cost": 12}, "duration_ms": 16_000}
    send(analyzed, "retell")
    [conversation] = receiver.conversations()
    assert (conversation["cost"], conversation["durationSeconds"]) == (0.12, 16.0)


def test_of_an_outbound_call_the_number_that_was_called_is_the_customers(receiver, send):
    sent = retell_event()
    sent["call"]["direction"] = "outbound"
    send(sent, "retell")
    assert receiver.conversation(CALL)["customer"]["number"] == "+15550199"


@pytest.mark.parametrize(
    ("missing", "turns"),
    [
        (["transcript_with_tool_calls"], ["Good morning", "My parcel", "Sorry"]),
        (
            ["transcript_with_tool_calls", "transcript_object"],
            ["Good morning", "My parcel", "Sorry"],
        ),
    ],
)
def test_a_poorer_transcript_serves_when_the_richer_is_missing(receiver, send, missing, turns):
    sent = retell_event()
    for name in missing:
        del sent["call"][name]
    send(sent, "retell")
    found = receiver.conversation(CALL)["turns"]
    assert [turn["content"] for turn in found] == turns
    assert [turn["role"] for turn in found] == ["assistant", "user", "assistant"]


def test_a_dial_that_failed_is_unconnected_until_there_is_something_to_show(receiver, send):
    dial = {"call_id": CALL, "agent_id": "a", "disconnection_reason": "dial_no_answer"}
    send({"event": "call_ended", "call": dial}, "retell")
    send({"event": "call_analyzed", "call": dial}, "retell")
    assert receiver.conversations() == []
    send(retell_event(), "retell")
    states = [each["state"] for each in receiver.deliveries()]
    assert states == ["unconnected", "unconnected", "ingested"]
    assert receiver.conversation(CALL)["turns"] == RETELL_TURNS


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"event": "call_ended"}, "call.call_id"),
        ({"event": "call_analyzed", "call": {"call_id": ""}}, "call.call_id"),
        ({"event": 7}, "event"),
        ({"message": {"type": "end-of-call-report"}}, "event"),
    ],
)
def test_a_fault_is_named_by_its_path(receiver, send, sent, path):
    answer = send(sent, "retell")
    assert answer.status_code == 400
    assert [fault["path"] for fault in answer.json()["details"]] == [path]
    assert [each["state"] for each in receiver.deliveries()] == ["rejected"]


@pytest.mark.parametrize("event", ["call_started", "transcript_updated", "chat_ended"])
def test_every_other_event_is_acknowledged_and_ignored(receiver, send, event):
    answer = send(retell_event(event), "retell")
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert receiver.conversations() == []
    assert [each["state"] for each in receiver.deliveries()] == ["ignored"]
