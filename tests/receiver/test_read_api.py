"""REST v1: reading back what was sent."""

from __future__ import annotations

import uuid

import httpx
import pytest


def test_a_conversation_reads_back_in_the_contracts_shape(receiver, send, http, body):
    call = {"endedReason": "agent-ended-call", "cost": 0.25, "customer": {"name": "Ann"}}
    send(body(call=call), "livekit")
    [listed] = http.get("/v1/conversations").json()["data"]
    [agent] = http.get("/v1/agents").json()["data"]
    assert listed == {
        "id": str(uuid.UUID(listed["id"])),
        "agentId": agent["id"],
        "name": "Ann",
        "source": "livekit",
        "createdAt": listed["createdAt"],
        "updatedAt": listed["createdAt"],
        "receiverId": None,
        "referenceId": "conv-1",
        "endedReason": "agent-ended-call",
        "cost": "0.25",
    }
    assert http.get(f"/v1/conversations/{listed['id']}").json() == listed


def test_what_came_without_a_provider_was_uploaded(send, http, body):
    send(body())
    assert http.get("/v1/conversations").json()["data"][0]["source"] == "upload"


def test_a_transcript_reads_back_as_turns(receiver, send, http, body):
    turns = [
        {"role": "user", "content": "Hi", "startSeconds": 0.5, "endSeconds": 1.0},
        {"role": "assistant", "content": "Hello"},
    ]
    send(body(call={"durationSeconds": 9.5}, transcript={"turns": turns}, systemPrompt="Be kind."))
    conversation = receiver.conversation("conv-1")
    assert http.get(f"/v1/conversations/{conversation['id']}/transcript").json() == {
        "conversationId": conversation["id"],
        "createdAt": conversation["createdAt"],
        "recordingUrl": None,
        "durationSeconds": 9.5,
        "content": [turns[0], turns[1] | {"startSeconds": None, "endSeconds": None}],
        "systemPrompt": "Be kind.",
    }


@pytest.mark.parametrize("what", ["conversations", "agents"])
def test_pages_follow_each_other_newest_first_without_gap_or_repeat(send, http, body, what):
    for number in range(7):
        send(body(f"c{number}", agent={"externalId": f"a{number}"}))
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = http.get(f"/v1/{what}", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        seen += [each.get("referenceId") or each["externalId"] for each in page.json()["data"]]
        cursor, pages = page.json()["nextCursor"], pages + 1
    prefix = what[0]
    assert (pages, seen) == (3, [f"{prefix}{number}" for number in reversed(range(7))])


def test_a_full_last_page_has_no_cursor(send, http, body):
    send(body("a"))
    assert http.get("/v1/conversations", params={"limit": 1}).json()["nextCursor"] is None


def test_fifty_are_read_when_no_limit_is_given(send, http, body):
    for number in range(51):
        send(body(f"c{number}"))
    assert len(http.get("/v1/conversations").json()["data"]) == 50
    assert len(http.get("/v1/conversations?limit=200").json()["data"]) == 51


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("0", "must be from 1 to 200"),
        ("201", "must be from 1 to 200"),
        ("-1", "must be a whole number"),
        ("many", "must be a whole number"),
        ("1.5", "must be a whole number"),
        ("", "must be a whole number"),
        ("٣", "must be a whole number"),
        ("9" * 5000, "must be a whole number"),
    ],
)
def test_a_bad_limit_is_refused(http, limit, message):
    answer = http.get("/v1/conversations", params={"limit": limit})
    details = [{"path": "limit", "message": message}]
    assert answer.status_code == 400
    assert answer.json() == {"error": "Validation failed", "details": details}


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "7", "before-", "before-x", "before--1", "before-٣"]
)
def test_a_made_up_cursor_is_refused(http, cursor):
    answer = http.get("/v1/agents", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["details"][0]["path"]) == (400, "cursor")


@pytest.mark.parametrize("rest", ["", "/transcript"])
@pytest.mark.parametrize("unknown", [uuid.UUID(int=1), "x", "%00", "%ff", "'--"])
def test_an_unknown_id_is_not_found(http, unknown, rest):
    answer = http.get(f"/v1/conversations/{unknown}{rest}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize(
    "path", ["agents", "conversations", "conversations/x", "conversations/x/transcript"]
)
def test_reading_needs_the_key(receiver, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(f"{receiver.url}/v1/{path}", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
