"""What is a voice call, and what is a conversation in text."""

from __future__ import annotations

from pipecat_scenarios import Stage
from truth import Played


def test_a_bot_without_a_voice_has_a_text_conversation_without_times(played: Played[Stage]):
    document = played["typed"].document
    assert document["metadata"]["channel"] == "text"
    assert "durationSeconds" not in document["call"]
    assert [set(turn) for turn in document["transcript"]["turns"]] == 4 * [{"role", "content"}]


def test_a_caller_who_says_nothing_has_called_all_the_same(played: Played[Stage]):
    document = played["silent"].document
    assert "channel" not in document["metadata"]
    assert document["call"]["durationSeconds"] == 2.0
    assert "transcript" not in document
