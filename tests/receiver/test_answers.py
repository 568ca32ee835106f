"""Every row of the contract's table of answers, and the order in which faults are found."""

from __future__ import annotations

import httpx
import pytest

RECEIVED = {"received": True}
UNSUPPORTED = {
    "error": "Unsupported provider",
    "details": "X-Zelto-Provider must be one of zelto, livekit, vapi, retell",
}


@pytest.mark.parametrize("provider", [None, "zelto", "livekit"])
def test_a_valid_body_is_received(send, body, provider):
    answer = send(body(), provider)
    assert (answer.status_code, answer.json()) == (200, RECEIVED)


def test_a_duplicate_is_received_too(send, body):
    send(body())
    assert send(body()).json() == RECEIVED


@pytest.mark.parametrize(
    ("provider", "sent", "reason"),
    [
        (
            "vapi",
            b'{"message": {"type": "status-update"}}',
            "the Vapi message status-update is not end-of-call-report",
        ),
        (
            "retell",
            b'{"event": "call_started", "call": {}}',
            "the Retell event call_started is neither call_ended nor call_analyzed",
        ),
    ],
)
def test_a_native_body_that_ends_no_call_is_received_kept_and_ignored(
    receiver, send, provider, sent, reason
):
    answer = send(sent, provider)
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    [delivery] = receiver.deliveries()
    assert delivery == {
        "id": 1,
        "receivedAt": delivery["receivedAt"],
        "provider": provider,
        "size": len(sent),
        "status": 200,
        "state": "ignored",
        "reason": reason,
        "externalId": None,
    }
    assert receiver.conversations() == []


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", "Basic {key}", "{key}", "Bearer {key}x"],
)
def test_without_the_key_the_answer_is_unauthorized(receiver, body, authorization):
    headers = {}
    if authorization is not None:
        headers["Authorization"] = authorization.format(key=receiver.key)
    answer = httpx.post(f"{receiver.url}/webhooks/calls", json=body(), headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert receiver.raw_count() == 0


def test_an_unknown_provider_is_unsupported(send, body):
    answer = send(body(), "bland")
    assert (answer.status_code, answer.json()) == (400, UNSUPPORTED)


def test_a_body_that_is_not_json_is_invalid(send):
    answer = send(b"{")
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid JSON"})


def test_validation_names_each_offending_field(send):
    answer = send(
        {
            "call": {"cost": -1, "startedAt": "yesterday"},
            "agent": {"externalId": ""},
            "version": "v" * 256,
            "transcript": {"turns": [{"role": "robot", "content": 7}]},
        }
    )
    faults = answer.json()
    assert answer.status_code == 400
    assert faults["error"] == "Validation failed"
    assert [fault["path"] for fault in faults["details"]] == [
        "call.externalId",
        "call.startedAt",
        "call.cost",
        "agent.externalId",
        "version",
        "transcript.turns.0.role",
        "transcript.turns.0.content",
    ]
    assert all(fault["message"] for fault in faults["details"])


def test_a_body_must_name_its_agent(send):
    answer = send({"call": {"externalId": "a"}})
    assert answer.json() == {
        "error": "Validation failed",
        "details": [
            {
                "path": "",
                "message": "Value error, agent.externalId is required unless agentId is given",
            }
        ],
    }


def test_python_names_are_not_wire_names(send):
    answer = send({"call": {"external_id": "a"}, "agent": {"externalId": "b"}})
    assert [fault["path"] for fault in answer.json()["details"]] == ["call.externalId"]


def test_unknown_fields_are_ignored_as_a_real_api_would(receiver, send, body):
    assert send(body(call={"mood": "good"}, colour="red")).json() == RECEIVED
    assert receiver.conversation("conv-1") is not None


def test_faults_are_found_in_a_fixed_order(receiver, http):
    """Method, then key, then provider, then JSON, then fields."""
    url = f"{receiver.url}/webhooks/calls"
    bland = {"X-Zelto-Provider": "bland"}
    answers = [
        httpx.get(url),
        httpx.post(url, content=b"{", headers=bland),
        http.post(url, content=b"{", headers=bland),
        http.post(url, content=b"{"),
        http.post(url, content=b"{}"),
    ]
    assert [(a.status_code, a.json()["error"]) for a in answers] == [
        (405, "Method Not Allowed"),
        (401, "Unauthorized"),
        (400, "Unsupported provider"),
        (400, "Invalid JSON"),
        (400, "Validation failed"),
    ]


def test_an_unknown_address_is_not_found_in_json(http):
    answer = http.get("/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_it_says_when_it_is_ready(receiver):
    answer = httpx.get(f"{receiver.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})
