"""Bodies that are accepted, and yet no conversation comes of them."""

from __future__ import annotations

import httpx

DIAL = {"call": {"externalId": "dial"}, "agent": {"externalId": "support"}}
NOBODY = "7796d43e-a3ed-4bf3-a250-c1a245f99859"


def states(receiver):
    return [(each["state"], each["reason"]) for each in receiver.deliveries()]


def problems(receiver):
    return httpx.get(f"{receiver.url}/page/problems").json()["data"]


def test_problems_come_in_parts_the_grave_ones_first(receiver, http):
    for _ in range(130):
        http.post("/webhooks/calls", json=DIAL)
        http.post("/webhooks/calls", content=b"{")
    receiver.wait_until_ingested()
    parts, where = [], ""
    while not parts or parts[-1]["more"]:
        parts.append(http.get(f"/page/problems{where}").json())
        where = "?before={state}-{id}".format(**parts[-1]["data"][-1])
    found = [each for part in parts for each in part["data"]]
    assert [len(part["data"]) for part in parts] == [100, 100, 60]
    assert [each["state"] for each in found] == ["rejected"] * 130 + ["unconnected"] * 130
    assert [each["id"] for each in found] == [*range(260, 0, -2), *range(259, 0, -2)]
    assert http.get("/page/problems?before=x-1").status_code == 400


def test_neither_turns_nor_recording_is_an_unconnected_dial(receiver, send):
    assert send(DIAL).status_code == 200
    assert send(DIAL | {"transcript": {"turns": []}}).status_code == 200
    assert receiver.conversations() == []
    assert (
        states(receiver)
        == [("unconnected", "neither turns nor a recording: an unconnected dial")] * 2
    )


def test_an_unconnected_dial_makes_no_agent(send, http):
    send(DIAL)
    assert http.get("/v1/agents").json() == {"data": [], "nextCursor": None}


def test_a_later_send_with_turns_is_ingested(receiver, send):
    send(DIAL)
    assert len(problems(receiver)) == 1
    send(DIAL | {"transcript": {"turns": [{"role": "user", "content": "Hi"}]}})
    assert len(receiver.conversation("dial")["turns"]) == 1
    assert [state for state, _ in states(receiver)] == ["unconnected", "ingested"]
    assert problems(receiver) == []


def test_a_recording_alone_makes_a_conversation(receiver, send):
    send(DIAL | {"call": {"externalId": "dial", "recordingUrl": "https://a.example/b.ogg"}})
    assert receiver.conversation("dial")["turns"] == []


def test_a_known_conversation_sent_with_neither_is_an_update(receiver, send):
    send(DIAL | {"transcript": {"turns": [{"role": "user", "content": "Hi"}]}})
    send(DIAL | {"call": {"externalId": "dial", "endedReason": "silence-timed-out"}})
    conversation = receiver.conversation("dial")
    assert conversation["endedReason"] == "silence-timed-out"
    assert len(conversation["turns"]) == 1
    assert [state for state, _ in states(receiver)] == ["ingested", "ingested"]


def test_an_agent_id_that_does_not_exist_fails_quietly(receiver, send, body):
    answer = send(body(agentId=NOBODY))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert receiver.conversations() == []
    reason = f"agentId {NOBODY} does not exist in this organisation"
    assert states(receiver) == [("failed", reason)]
    [problem] = problems(receiver)
    assert (problem["state"], problem["reason"], problem["status"]) == ("failed", reason, 200)


def test_a_quiet_failure_leaves_a_known_conversation_as_it_was(receiver, send, body):
    send(body())
    before = receiver.conversation("conv-1")
    send(body(agentId=NOBODY, version="v2"))
    assert receiver.conversation("conv-1") == before | {"deliveries": 2}
    assert [problem["id"] for problem in problems(receiver)] == [2]
