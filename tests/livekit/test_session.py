"""What else a document tells of a session: marks, prompts, handoffs, channel, sizes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from livekit.agents.voice import events as voice_events

from agent import Support
from demo_scripts import STORY
from livekit_scenarios import Stage
from livekit_scenarios.speech import TALE
from truth import Played

BILLING = "You are the billing agent of Acme. The last bill of every caller was 40 dollars."


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def marks(stage: Stage) -> dict[int, dict[str, Any]]:
    """What is noted of each turn, by its index."""
    noted = stage.document["metadata"]["zelto"].get("turns", [])
    return {mark["index"]: {k: v for k, v in mark.items() if k != "index"} for mark in noted}


def near(**seconds: float) -> dict[str, Any]:
    """These times; versions of LiveKit differ in where they begin to count."""
    return {name: pytest.approx(value, abs=0.11) for name, value in seconds.items()}


@pytest.mark.parametrize("name", ["weather", "pausing", "late"])
def test_an_interrupted_turn_holds_what_was_heard_and_is_marked(played: Played[Stage], name: str):
    cut = [index for index, mark in marks(played[name]).items() if mark.get("interrupted")]
    (story,) = [played[name].turns[index]["content"] for index in cut]
    assert STORY.startswith(story)
    assert 0 < len(story) < len(STORY)


def test_without_a_synchroniser_an_interrupted_turn_is_whole_but_marked(played: Played[Stage]):
    stage = played["cut_whole_text"]
    assert stage.turns[1]["content"] == TALE
    assert marks(stage)[1]["interrupted"] is True


def test_a_resumed_turn_is_not_interrupted(played: Played[Stage]):
    assert "interrupted" not in marks(played["cut_resumed"])[1]


def test_what_livekit_makes_no_turn_of_is_marked(played: Played[Stage]):
    for name in ("stopped_response", "failing_hook", "spoken_over_uninterruptible"):
        lost = [mark for mark in marks(played[name]).values() if mark.get("committed") is False]
        assert len(lost) == 1, name


def test_each_turn_tells_its_latency_and_confidence(played: Played[Stage]):
    caller, agent = marks(played["two_sentences"]).values()
    assert caller == {"latency": near(endOfTurn=1.5, transcription=0.22), "confidence": 0.98}
    latency = near(endToEnd=1.6, timeToFirstToken=0.15, timeToFirstByte=0.1)
    assert agent == {"latency": latency}


def test_a_tools_own_words_about_its_failure_are_noted_beside_what_the_model_was_told(
    played: Played[Stage],
):
    if not hasattr(voice_events, "ToolExecutionUpdatedEvent"):
        pytest.skip("LiveKit tells only what the model was told")
    assert marks(played["tool_failing"])[1] == {"reason": "the till is out of order"}


@pytest.mark.parametrize("name", ["weather", "pausing", "billing", "late", "late_after_handoff"])
def test_the_prompt_is_that_of_the_first_agent(played: Played[Stage], name: str):
    assert played[name].document["systemPrompt"] == Support().instructions


@pytest.mark.parametrize("name", ["billing", "late_after_handoff"])
def test_a_handoff_names_both_agents_its_time_and_the_new_prompt(played: Played[Stage], name: str):
    (handoff,) = played[name].document["metadata"]["zelto"]["handoffs"]
    assert handoff == {
        "from": "support",
        "to": "billing",
        "atSeconds": pytest.approx(8.773, abs=0.1),
        "systemPrompt": BILLING,
    }


def test_a_task_takes_over_and_gives_back(played: Played[Stage]):
    handoffs = played["agent_task"].document["metadata"]["zelto"]["handoffs"]
    assert [(one["from"], one["to"], one["systemPrompt"]) for one in handoffs] == [
        ("reception", "consent", "Ask for consent."),
        ("consent", "reception", "Be kind."),
    ]


def test_a_prompt_that_changes_in_mid_call_is_a_handoff_to_the_same_agent(
    played: Played[Stage],
):
    stage = played["prompt_changed"]
    assert stage.document["systemPrompt"] == "Be kind."
    assert stage.document["metadata"]["zelto"]["handoffs"] == [
        {
            "from": "default_agent",
            "to": "default_agent",
            "atSeconds": 0.5,
            "systemPrompt": "Be brief.",
        }
    ]


def test_the_whole_call_is_described(played: Played[Stage]):
    stage = played["weather"]
    document = json.loads(json.dumps(stage.document))
    started, ended = document["call"].pop("startedAt"), document["call"].pop("endedAt")
    assert moment(ended) - moment(started) == pytest.approx(19.0, abs=0.01)
    assert document["call"] == {
        "externalId": "weather",
        "durationSeconds": pytest.approx(19.0, abs=0.01),
        "endedReason": "customer-ended-call",
        "customer": {"number": "+15550100", "name": "Ada Example"},
    }
    assert document["agent"] == {"externalId": "support"}
    assert document["metadata"]["livekit"] == {
        "closeReason": "participant_disconnected",
        "disconnectReason": "CLIENT_INITIATED",
        "sip": {
            "callID": "SCL_scripted",
            "ruleID": "SDR_scripted",
            "trunkPhoneNumber": "+15550199",
            "direction": "inbound",
        },
    }
    told = document["metadata"]["zelto"]
    assert {part["type"] for part in told["usage"]} == {"llm_usage", "tts_usage", "stt_usage"}
    assert set(told["sdk"]) == {"livekit-agents", "livekit-plugins-zelto"}
    assert set(told) == {"cost", "usage", "sdk", "turns"}


def test_the_call_ends_when_the_caller_left_and_not_when_the_session_closed(
    played: Played[Stage],
):
    stage = played["tool_cut_off"]
    assert stage.document["call"]["endedReason"] == "customer-ended-call"
    assert stage.notes["closed_at"] - stage.began > 7.4
    # The tool outlives the call that it ran for.
    assert stage.turns[-1]["endSeconds"] == 7.5
    assert stage.document["metadata"]["livekit"]["disconnectReason"] == "CLIENT_INITIATED"


def test_a_short_call_is_a_small_document(played: Played[Stage]):
    document = dict(played["weather"].document)
    del document["systemPrompt"]
    assert len(played["weather"].turns) == 8
    assert len(json.dumps(document)) < 4096


def test_attached_late_and_twice_it_is_one_whole_call(played: Played[Stage]):
    assert played["late"].notes["same"]


def test_a_text_conversation_carries_no_times_and_its_channel(played: Played[Stage]):
    document = played["typed_chat"].document
    assert document["metadata"]["channel"] == "text"
    assert "durationSeconds" not in document["call"]
    assert document["agent"] == {"externalId": "support"}, "the first agent's own id"


@pytest.mark.parametrize("name", ["silent", "noise_alone", "hearing_alone", "without_model"])
def test_a_call_in_which_the_agent_only_listened_is_no_text_conversation(
    played: Played[Stage], name: str
):
    document = played[name].document
    assert "channel" not in document["metadata"]
    assert document["call"]["durationSeconds"] > 0


def test_a_call_without_a_word_has_no_transcript(played: Played[Stage]):
    assert "transcript" not in played["silent"].document


def test_what_is_told_after_the_close_belongs_to_the_call_that_has_ended(
    played: Played[Stage],
):
    (conversation,) = played["told_after_the_close"].conversations
    assert conversation["endedReason"] == "customer-ended-call"
    assert conversation["turns"][-1]["content"] == "Noted."


def test_a_session_that_is_started_twice_is_two_calls(played: Played[Stage]):
    first, second = sorted(played["restarted"].conversations, key=lambda c: c["externalId"])
    assert (first["externalId"], second["externalId"]) == ("restarted", "restarted-2")
    assert (first["systemPrompt"], second["systemPrompt"]) == ("Be kind.", "Be brief.")
    assert first["turns"][0]["content"] == "Please tell me a story."
    assert second["turns"][0]["content"] == "What is the weather in Paris?"
