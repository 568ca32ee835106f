"""What a real ``AgentSession`` said and heard is what the document holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from agent import Support
from demo_scripts import STORY
from livekit_scenarios import Played

TOLERANCE = 0.15


def lasted(played: Played) -> float:
    """From the document's own start to the moment at which the session closed."""
    began = datetime.fromisoformat(played.document["call"]["startedAt"]).timestamp()
    return played.notes["closed_at"] - began


def turns(played: Played, role: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = played.document["transcript"]["turns"]
    return [turn for turn in found if role in (None, turn["role"])]


@pytest.mark.parametrize("name", ["weather", "pausing", "billing", "late", "said"])
def test_every_turn_is_there_once_in_order_with_its_times(played: dict[str, Played], name: str):
    call = played[name]
    heard = [turn for turn in turns(call) if turn["role"] != "tool"]
    began = datetime.fromisoformat(call.document["call"]["startedAt"]).timestamp()
    assert [turn["role"] for turn in heard] == [spoken.role for spoken in call.truth]
    for turn, spoken in zip(heard, call.truth, strict=True):
        assert turn["startSeconds"] == pytest.approx(spoken.started - began, abs=TOLERANCE)
        assert turn["endSeconds"] == pytest.approx(spoken.stopped - began, abs=TOLERANCE)
        # Of an interrupted turn, the word that was being spoken may or may not be counted.
        assert spoken.text.startswith(turn["content"])
        assert len(spoken.text.split()) - len(turn["content"].split()) <= spoken.interrupted


@pytest.mark.parametrize("name", ["weather", "pausing", "late"])
def test_a_tool_is_one_turn_with_its_arguments_result_and_times(
    played: dict[str, Played], name: str
):
    (tool,) = turns(played[name], "tool")
    assert tool["content"] == (
        '{"name":"get_weather","arguments":{"city":"Paris"},"result":"sunny, 21 degrees in Paris"}'
    )
    assert tool["endSeconds"] - tool["startSeconds"] == pytest.approx(0.5, abs=TOLERANCE)


@pytest.mark.parametrize("name", ["weather", "pausing", "late"])
def test_an_interrupted_turn_holds_what_was_heard_and_is_marked(
    played: dict[str, Played], name: str
):
    document = played[name].document
    marks = {mark["index"]: mark for mark in document["metadata"]["zelto"]["turns"]}
    cut = [i for i, mark in marks.items() if mark.get("interrupted")]
    (story,) = [document["transcript"]["turns"][index]["content"] for index in cut]
    assert STORY.startswith(story)
    assert 0 < len(story) < len(STORY)


@pytest.mark.parametrize("name", ["weather", "pausing", "billing", "late"])
def test_the_prompt_is_that_of_the_first_agent(played: dict[str, Played], name: str):
    assert played[name].document["systemPrompt"] == Support().instructions


def test_a_handoff_names_both_agents_its_time_and_the_new_prompt(played: dict[str, Played]):
    (handoff,) = played["billing"].document["metadata"]["zelto"]["handoffs"]
    assert handoff == {
        "from": "support",
        "to": "billing",
        "atSeconds": handoff["atSeconds"],
        "systemPrompt": "You are the billing agent of Acme. "
        "The last bill of every caller was 40 dollars.",
    }
    assert 5.8 < handoff["atSeconds"] < 10


def test_the_whole_call_is_described(played: dict[str, Played]):
    document = played["weather"].document
    duration = document["call"].pop("durationSeconds")
    assert duration == pytest.approx(lasted(played["weather"]), abs=0.01)
    started, ended = document["call"].pop("startedAt"), document["call"].pop("endedAt")
    assert started < ended
    usage = document["metadata"]["zelto"].pop("usage")
    assert {part["type"] for part in usage} == {"llm_usage", "tts_usage", "stt_usage"}
    versions = document["metadata"]["zelto"].pop("sdk")
    assert set(versions) == {"livekit-agents", "livekit-plugins-zelto"}
    assert document["call"] == {"externalId": "weather", "endedReason": "customer-ended-call"}
    assert document["agent"] == {"externalId": "support"}
    assert document["metadata"]["livekit"] == {"closeReason": "participant_disconnected"}


def test_say_is_a_turn_like_any_other(played: dict[str, Played]):
    assert [turn["content"] for turn in turns(played["said"])] == [
        "Welcome.",
        "Say something.",
        "Something.",
    ]


def test_a_call_is_sent_once_unless_something_becomes_known_later(played: dict[str, Played]):
    assert {name: len(call.bodies) for name, call in played.items() if call.bodies} == {
        "weather": 1,
        "pausing": 1,
        "billing": 1,
        "late": 1,
        "said": 1,
        "typed": 1,
        "silent": 1,
    }


def test_attached_late_and_twice_it_is_one_whole_call(played: dict[str, Played]):
    assert played["late"].notes["same"]
    assert turns(played["late"], "user")[0]["content"] == "What is the weather in Paris?"


def test_a_text_conversation_carries_no_times_and_its_channel(played: dict[str, Played]):
    document = played["typed"].document
    assert document["metadata"]["channel"] == "text"
    assert "durationSeconds" not in document["call"]
    assert document["transcript"]["turns"] == [
        {"role": "assistant", "content": "Hello, Acme support here. How can I help you?"},
        {"role": "user", "content": "What is the weather in Paris?"},
        {
            "role": "tool",
            "content": '{"name":"get_weather","arguments":{"city":"Paris"},"result":"sunny, 21 degrees in Paris"}',
        },
        {"role": "assistant", "content": "It is sunny in Paris, 21 degrees."},
    ]


def test_without_an_agent_id_the_first_agents_own_id_names_the_agent(played: dict[str, Played]):
    assert played["typed"].document["agent"] == {"externalId": "support"}


def test_whatever_we_raise_the_call_goes_on(played: dict[str, Played]):
    assert played["broken"].notes == {
        "name": "broken",
        "heard": ["Welcome.", "Say something.", "Something."],
        "closed": ["participant_disconnected"],
    }


def test_a_voice_call_without_a_word_is_no_text_conversation(played: dict[str, Played]):
    document = played["silent"].document
    assert document["call"]["durationSeconds"] == pytest.approx(lasted(played["silent"]), abs=0.01)
    assert "channel" not in document["metadata"]
    assert "transcript" not in document


def test_a_session_that_is_started_twice_is_two_calls(played: dict[str, Played]):
    conversations = played["restarted"].notes["conversations"]
    assert [len(c["turns"]) for c in conversations] == [2, 2]
    assert len({c["externalId"] for c in conversations}) == 2
