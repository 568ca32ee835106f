"""The fold gives each turn what was heard of it, however late its words come."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from zelto_agents.facts import (
    CallEnded,
    CallStarted,
    CustomerKnown,
    Fact,
    SpeechHeard,
    ToolEnded,
    ToolStarted,
    TurnSaid,
    WordsHeard,
)
from zelto_agents.fold import fold

T = 1_795_000_000.0


def document(*facts: Fact) -> dict[str, Any]:
    every = [CallStarted(at=T, external_id="x"), *facts]
    numbered = [dataclasses.replace(fact, seq=i) for i, fact in enumerate(every)]
    return json.loads(fold(numbered).wire())


def told(*facts: Fact) -> list[tuple[str, float | None, float | None]]:
    """Text, start and end of each turn."""
    turns = document(*facts)["transcript"]["turns"]
    return [(t["content"], t.get("startSeconds"), t.get("endSeconds")) for t in turns]


def speech(start: float, end: float, **more: Any) -> SpeechHeard:
    return SpeechHeard(at=T + end, role="user", start=T + start, end=T + end, **more)


def words(at: float, text: str, start: float | None = None) -> WordsHeard:
    return WordsHeard(at=T + at, text=text, start=None if start is None else T + start, end=T + at)


def said(at: float, text: str, role: Any = "user", **times: float) -> TurnSaid:
    known = {name: T + value for name, value in times.items()}
    return TurnSaid(at=T + at, id=f"{role}{at}", role=role, text=text, **known)


def test_a_turn_that_begins_with_its_last_stretch_is_given_the_first_one():
    facts = [
        speech(1.0, 1.8),
        words(2.0, "I have a question.", 1.2),
        speech(2.4, 3.4),
        words(3.6, "Say something.", 2.6),
        said(4.9, "I have a question. Say something.", start=2.4, end=3.4),
    ]
    assert told(*facts) == [("I have a question. Say something.", 1.0, 3.4)]


def test_the_same_words_lost_before_stay_a_turn_of_their_own():
    facts = [
        speech(1.0, 1.4),
        words(1.6, "Yes.", 1.1),
        speech(5.0, 6.0),
        words(6.2, "Yes. Please.", 5.1),
        said(6.5, "Yes. Please.", start=5.0, end=6.0),
    ]
    assert told(*facts) == [("Yes.", 1.0, 1.4), ("Yes. Please.", 5.0, 6.0)]


def test_words_that_come_after_the_next_speech_has_begun_keep_their_own():
    facts = [
        speech(1.0, 1.8, whole=True),
        said(3.4, "Where is the station?"),
        speech(2.1, 3.9, whole=True),
        said(5.5, "Sorry, the airport?"),
    ]
    assert told(*facts) == [("Where is the station?", 1.0, 1.8), ("Sorry, the airport?", 2.1, 3.9)]


def test_a_cough_is_no_part_of_a_turn_that_was_heard_in_one_piece():
    facts = [speech(1.0, 1.2, whole=True), speech(1.5, 2.5, whole=True), said(3.0, "Hello.")]
    assert told(*facts) == [("Hello.", 1.5, 2.5)]
    (cough,) = document(*facts)["metadata"]["zelto"]["untranscribed"]
    assert cough == {"role": "user", "startSeconds": 1.0, "endSeconds": 1.2}


def test_two_messages_of_one_answer_are_told_apart_by_what_was_heard_of_each():
    def heard(start: float, end: float) -> SpeechHeard:
        return SpeechHeard(at=T + end, role="assistant", start=T + start, end=T + end)

    facts = [
        heard(1.0, 2.0),
        heard(2.1, 4.0),
        said(4.0, "One moment.", "assistant", start=1.0, end=4.0),
        said(4.1, "There it is.", "assistant", start=1.0, end=4.0),
    ]
    assert told(*facts) == [("One moment.", 1.0, 2.0), ("There it is.", 2.1, 4.0)]


def test_a_turn_without_an_end_ends_with_its_speech():
    assert told(speech(1.0, 2.0), said(3.0, "Hello.", start=1.0)) == [("Hello.", 1.0, 2.0)]


def test_a_cough_long_before_gives_no_time_to_words_that_were_not_heard_as_speech():
    facts = [
        speech(10.0, 10.3),
        said(20.0, "Still there?", "assistant", start=19.0, end=20.0),
        words(35.2, "Goodbye.", 34.5),
        said(35.5, "Goodbye."),
    ]
    assert told(*facts) == [("Still there?", 19.0, 20.0), ("Goodbye.", 34.5, 35.2)]


def test_words_that_say_it_all_come_before_words_that_are_part_of_it():
    facts = [words(2.5, "Yes.", 2.1), words(8.9, "Yes please.", 8.0), said(9.0, "Yes please.")]
    assert told(*facts) == [("Yes.", 2.1, 2.5), ("Yes please.", 8.0, 8.9)]


def test_a_tool_that_outlives_the_call_does_not_lengthen_it():
    facts = [
        said(2.0, "Hello.", start=1.0, end=2.0),
        ToolStarted(at=T + 3, id="t", name="book"),
        CallEnded(at=T + 4),
        ToolEnded(at=T + 9, id="t", result="booked"),
    ]
    assert document(*facts)["call"]["durationSeconds"] == 4.0


def test_the_newest_word_on_the_caller_counts():
    facts = [CustomerKnown(at=T, number="+1555", name="Eve"), CustomerKnown(at=T + 1, name="Ada")]
    assert document(*facts)["call"]["customer"] == {"name": "Ada"}
