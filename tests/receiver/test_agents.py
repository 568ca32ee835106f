"""Agents are found or created; versions and prompts belong to conversations."""

from __future__ import annotations


def agents(http):
    return http.get("/v1/agents").json()["data"]


def test_the_first_call_names_the_agent(send, http, body):
    send(body("a", agent={"externalId": "support", "name": "Support"}))
    send(body("b", agent={"externalId": "support", "name": "Renamed"}))
    [agent] = agents(http)
    assert agent == {
        "id": agent["id"],
        "name": "Support",
        "description": None,
        "externalId": "support",
        "provider": "zelto",
        "createdAt": agent["createdAt"],
        "updatedAt": agent["createdAt"],
    }


def test_an_agent_without_a_name_shows_its_id_until_it_gets_one(send, http, body):
    send(body("a"))
    assert [agent["name"] for agent in agents(http)] == ["support"]
    send(body("b", agent={"externalId": "support", "name": "Support"}))
    assert [agent["name"] for agent in agents(http)] == ["Support"]


def test_the_same_id_from_two_providers_is_two_agents(send, http, body):
    send(body("a"), "zelto")
    send(body("b"), "livekit")
    send(body("c"), "livekit")
    assert [agent["provider"] for agent in agents(http)] == ["livekit", "zelto"]


def test_an_agent_id_wins_over_the_agents_external_id(receiver, send, http, body):
    send(body("a"))
    [support] = agents(http)
    send(body("b", agentId=support["id"], agent={"externalId": "sales"}))
    assert receiver.conversation("b")["agent"]["externalId"] == "support"
    assert agents(http) == [support]


def test_each_conversation_keeps_its_version(receiver, send, body):
    send(body("a", version="v1"))
    send(body("b", version="v2"))
    assert [each["version"] for each in receiver.conversations()] == ["v2", "v1"]


def test_a_leading_system_turn_is_the_prompt_when_there_is_none(receiver, send, body):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    send(body(transcript={"turns": turns}))
    conversation = receiver.conversation("conv-1")
    assert conversation["systemPrompt"] == "Be brief."
    assert [(turn["index"], turn["role"]) for turn in conversation["turns"]] == [(1, "user")]


def test_a_given_prompt_leaves_a_leading_system_turn_alone(receiver, send, body):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    send(body(transcript={"turns": turns}, systemPrompt="Be kind."))
    conversation = receiver.conversation("conv-1")
    assert conversation["systemPrompt"] == "Be kind."
    assert [turn["role"] for turn in conversation["turns"]] == ["system", "user"]
