"""What a key brings belongs to its organisation, and nobody else's key shows it."""

from __future__ import annotations

import json

import httpx
import pytest


class Client:
    """One organisation's way to the receiver."""

    def __init__(self, receiver, organisation: str) -> None:
        self.receiver, self.organisation = receiver, organisation
        key = receiver.store.mint_key(organisation=organisation)
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=receiver.url, headers=headers, timeout=30)

    def send(self, body: dict[str, object]) -> None:
        assert self.http.post("/webhooks/calls", json=body).json() == {"received": True}
        self.receiver.wait_until_ingested()

    def conversations(self) -> list[dict[str, object]]:
        return self.http.get("/v1/conversations").json()["data"]

    def agents(self) -> list[dict[str, object]]:
        return self.http.get("/v1/agents").json()["data"]


@pytest.fixture
def north(receiver):
    client = Client(receiver, "north")
    yield client
    client.http.close()


@pytest.fixture
def south(receiver):
    client = Client(receiver, "south")
    yield client
    client.http.close()


def test_each_sees_its_own_conversations_and_agents_only(north, south, body):
    north.send(body("a"))
    south.send(body("b"))
    assert [each["referenceId"] for each in north.conversations()] == ["a"]
    assert [each["referenceId"] for each in south.conversations()] == ["b"]
    assert len(north.agents()) == len(south.agents()) == 1
    assert north.agents() != south.agents()


def test_the_same_external_id_is_two_conversations_in_two_organisations(
    receiver, north, south, body
):
    north.send(body("same", version="n1"))
    south.send(body("same", version="s1"))
    north.send(body("same", version="n2"))
    found = {each["organisation"]: each for each in receiver.conversations()}
    assert {name: each["version"] for name, each in found.items()} == {"north": "n2", "south": "s1"}
    assert {name: each["deliveries"] for name, each in found.items()} == {"north": 2, "south": 1}
    assert receiver.conversation("same", "south")["version"] == "s1"
    assert len(receiver.deliveries("same")) == 3


@pytest.mark.parametrize("rest", ["", "/transcript"])
def test_another_organisations_conversation_is_not_found(north, south, body, rest):
    north.send(body("a"))
    [listed] = north.conversations()
    assert north.http.get(f"/v1/conversations/{listed['id']}{rest}").status_code == 200
    answer = south.http.get(f"/v1/conversations/{listed['id']}{rest}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_another_organisations_agent_id_is_a_semantic_fault(receiver, north, south, body):
    north.send(body("a"))
    [agent] = north.agents()
    south.send(body("b", agentId=agent["id"]))
    assert south.conversations() == []
    [_, failed] = receiver.deliveries()
    reason = f"agentId {agent['id']} does not exist in this organisation"
    assert (failed["status"], failed["state"], failed["reason"]) == (200, "failed", reason)
    north.send(body("c", agentId=agent["id"]))
    assert [each["agentId"] for each in north.conversations()] == [agent["id"]] * 2


def test_a_problem_of_one_is_not_put_right_by_the_other(receiver, north, south, body):
    dial = {"call": {"externalId": "a"}, "agent": {"externalId": "support"}}
    north.send(dial)
    south.send(body("a"))
    problems = httpx.get(f"{receiver.url}/page/problems").json()["data"]
    assert [each["state"] for each in problems] == ["unconnected"]


def test_pages_of_one_organisation_have_no_gaps_of_the_other(north, south, body):
    for number in range(6):
        (north if number % 2 else south).send(body(f"c{number}"))
    seen, cursor = [], None
    for _ in range(3):
        asked = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = north.http.get("/v1/conversations", params=asked).json()
        seen += [each["referenceId"] for each in page["data"]]
        cursor = page["nextCursor"]
    assert (seen, cursor) == (["c5", "c3", "c1"], None)


def test_the_raw_log_says_whose_each_body_is(receiver, north, south, body):
    north.send(body("a"))
    south.send(body("b"))
    rows = receiver.store.read(
        lambda db: db.execute("SELECT organisation, body FROM raw ORDER BY id").fetchall()
    )
    told = [(row["organisation"], json.loads(row["body"])["call"]["externalId"]) for row in rows]
    assert told == [("north", "a"), ("south", "b")]
