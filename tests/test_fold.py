"""The fold: whatever was observed, in whatever order, makes one valid document."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zelto_agents.contract import CallIngest
from zelto_agents.facts import (
    AgentKnown,
    CallEnded,
    CallStarted,
    ChannelKnown,
    CostKnown,
    CustomerKnown,
    Fact,
    HandoffMade,
    MetadataKnown,
    PromptKnown,
    RecordingKnown,
    SpeechHeard,
    ToolEnded,
    ToolStarted,
    TurnSaid,
    UsageKnown,
    WordsHeard,
    decoded,
    encoded,
    redacted,
)
from zelto_agents.fold import fold, merged

T = 1_795_000_000.0


def numbered(*facts: Fact) -> list[Fact]:
    import dataclasses

    return [dataclasses.replace(fact, seq=i) for i, fact in enumerate(facts)]


def wire(*facts: Fact) -> dict[str, Any]:
    return json.loads(fold(numbered(*facts)).wire())


def turns(*facts: Fact) -> list[dict[str, Any]]:
    start = CallStarted(at=T, external_id="x")
    return wire(start, *facts)["transcript"]["turns"]


def user(at: float, text: str, **more: Any) -> TurnSaid:
    return TurnSaid(at=T + at, id=f"u{at}", role="user", text=text, **more)


def agent(at: float, text: str, **more: Any) -> TurnSaid:
    return TurnSaid(at=T + at, id=f"a{at}", role="assistant", text=text, **more)


def test_a_whole_call_becomes_a_whole_document():
    document = wire(
        CallStarted(at=T, external_id="conv-1", provider="livekit"),
        AgentKnown(at=T, external_id="support", name="Support", version="7"),
        PromptKnown(at=T, text="Be kind."),
        CustomerKnown(at=T + 0.1, number="+15551234567"),
        MetadataKnown(at=T, values={"livekit": {"jobId": "AJ_1"}}),
        agent(2, "Hello.", start=T + 0.5, end=T + 1.5, details={"latency": {"endToEnd": 0.4}}),
        user(4, "Weather in Paris?", start=T + 2, end=T + 3.25),
        ToolStarted(at=T + 4, id="c1", name="get_weather", arguments='{"city":"Paris"}'),
        ToolEnded(at=T + 4.5, id="c1", result="sunny"),
        agent(8, "It is", start=T + 5, end=T + 5.5, interrupted=True),
        UsageKnown(at=T + 9, parts=({"type": "llm_usage", "model": "m", "input_tokens": 3},)),
        CostKnown(at=T + 9, usd=0.02),
        RecordingKnown(at=T + 9, url="https://example.com/a.ogg"),
        CallEnded(at=T + 10, reason="customer-ended-call"),
    )
    assert document == {
        "call": {
            "externalId": "conv-1",
            "startedAt": "2026-11-18T11:06:40Z",
            "endedAt": "2026-11-18T11:06:50Z",
            "durationSeconds": 10.0,
            "endedReason": "customer-ended-call",
            "cost": 0.02,
            "recordingUrl": "https://example.com/a.ogg",
            "customer": {"number": "+15551234567"},
        },
        "agent": {"externalId": "support", "name": "Support"},
        "version": "7",
        "systemPrompt": "Be kind.",
        "transcript": {
            "turns": [
                {"role": "assistant", "content": "Hello.", "startSeconds": 0.5, "endSeconds": 1.5},
                {
                    "role": "user",
                    "content": "Weather in Paris?",
                    "startSeconds": 2.0,
                    "endSeconds": 3.25,
                },
                {
                    "role": "tool",
                    "content": '{"name":"get_weather","arguments":{"city":"Paris"},"result":"sunny"}',
                    "startSeconds": 4.0,
                    "endSeconds": 4.5,
                },
                {"role": "assistant", "content": "It is", "startSeconds": 5.0, "endSeconds": 5.5},
            ]
        },
        "metadata": {
            "livekit": {"jobId": "AJ_1"},
            "zelto": {
                "turns": [
                    {"index": 0, "latency": {"endToEnd": 0.4}},
                    {"index": 3, "interrupted": True},
                ],
                "usage": [{"type": "llm_usage", "model": "m", "input_tokens": 3}],
            },
        },
    }


def test_turns_stand_by_their_start_and_not_by_their_arrival():
    got = turns(
        agent(9, "second", start=T + 5, end=T + 6), user(10, "first", start=T + 1, end=T + 2)
    )
    assert [turn["content"] for turn in got] == ["first", "second"]


def test_a_turn_without_times_claims_the_stretch_that_was_heard_before_it():
    assert turns(SpeechHeard(at=T + 2, role="user", start=T + 1, end=T + 2), user(3, "Hello")) == [
        {"role": "user", "content": "Hello", "startSeconds": 1.0, "endSeconds": 2.0}
    ]


def test_a_turn_without_times_joins_stretches_across_a_short_pause_only():
    noise = SpeechHeard(at=T + 2, role="user", start=T + 1, end=T + 2)
    first = SpeechHeard(at=T + 11, role="user", start=T + 10, end=T + 11)
    second = SpeechHeard(at=T + 13, role="user", start=T + 12, end=T + 13)
    assert turns(noise, first, second, user(14, "I would like to")) == [
        {"role": "user", "content": "I would like to", "startSeconds": 10.0, "endSeconds": 13.0}
    ]


def test_an_interrupted_turn_ends_when_the_voice_fell_silent():
    assert turns(
        SpeechHeard(at=T + 3, role="assistant", start=T + 1, end=T + 2),
        SpeechHeard(at=T + 6, role="assistant", start=T + 3, end=T + 5),
        agent(8, "Once upon", start=T + 1, end=T + 6.5, interrupted=True),
    ) == [{"role": "assistant", "content": "Once upon", "startSeconds": 1.0, "endSeconds": 5.0}]


def test_words_that_became_no_turn_are_kept_and_marked():
    document = wire(
        CallStarted(at=T, external_id="x"),
        WordsHeard(at=T + 2, text="hello there", start=T + 1, end=T + 2),
        WordsHeard(at=T + 5, text="lost words", start=T + 4, end=T + 5),
        user(3, "Hello there.", start=T + 1, end=T + 2),
    )
    assert document["transcript"]["turns"] == [
        {"role": "user", "content": "Hello there.", "startSeconds": 1.0, "endSeconds": 2.0},
        {"role": "user", "content": "lost words", "startSeconds": 4.0, "endSeconds": 5.0},
    ]
    assert document["metadata"] == {"zelto": {"turns": [{"index": 1, "committed": False}]}}


def test_a_time_that_is_not_known_is_absent():
    assert turns(user(1, "Hello")) == [{"role": "user", "content": "Hello"}]
    assert turns(user(1, "typed", start=T + 1, typed=True)) == [
        {"role": "user", "content": "typed", "startSeconds": 1.0}
    ]


def test_a_text_call_carries_no_times_at_all():
    document = wire(
        CallStarted(at=T, external_id="x"),
        ChannelKnown(at=T, channel="text"),
        user(1, "Hi", start=T + 1, end=T + 2),
        ToolStarted(at=T + 2, id="c", name="f"),
        HandoffMade(at=T + 2, old="a", new="b"),
        agent(3, "Hello"),
        CallEnded(at=T + 4),
    )
    assert document == {
        "call": {
            "externalId": "x",
            "startedAt": "2026-11-18T11:06:40Z",
            "endedAt": "2026-11-18T11:06:44Z",
        },
        "transcript": {
            "turns": [
                {"role": "user", "content": "Hi"},
                {"role": "tool", "content": '{"name":"f"}'},
                {"role": "assistant", "content": "Hello"},
            ]
        },
        "metadata": {"channel": "text", "zelto": {"handoffs": [{"from": "a", "to": "b"}]}},
    }


def test_an_argument_beats_the_environment_and_that_the_framework():
    document = wire(
        CallStarted(at=T, external_id="x"),
        AgentKnown(at=T, source="argument", external_id="mine"),
        AgentKnown(at=T, source="environment", external_id="env", version="7"),
        AgentKnown(at=T, source="framework", external_id="theirs", name="Theirs", version="0"),
    )
    assert (document["agent"], document["version"]) == (
        {"externalId": "mine", "name": "Theirs"},
        "7",
    )


def test_the_latest_reason_and_the_earliest_end_count():
    document = wire(
        CallStarted(at=T, external_id="x"),
        CallEnded(at=T + 5, reason="agent-ended-call", settled=False),
        CallEnded(at=T + 9, reason="worker-shutdown"),
    )
    assert document["call"]["endedReason"] == "worker-shutdown"
    assert document["call"]["durationSeconds"] == 5.0


@pytest.mark.parametrize(
    ("fact", "field"),
    [
        (AgentKnown(at=T, source="argument", version="v" * 300), "version"),
        (AgentKnown(at=T, source="argument", uuid="nonsense"), "agentId"),
        (RecordingKnown(at=T, url="file:///etc/passwd"), "recordingUrl"),
        (CostKnown(at=T, usd=float("nan")), "cost"),
        (CostKnown(at=T, usd=-1.0), "cost"),
    ],
)
def test_what_the_contract_refuses_is_left_out_and_explained(fact: Fact, field: str):
    document = wire(CallStarted(at=T, external_id="x"), fact, user(1, "Hi"))
    refused = document["metadata"]["zelto"]["refused"]
    assert list(refused) == [field]
    assert refused[field]["why"]
    assert "version" not in document
    assert set(document["call"]) == {"externalId", "startedAt"}


def test_hostile_text_arrives_as_valid_json():
    big = "x" * 1_000_000
    got = turns(user(1, "a\ud800b\0c"), user(2, "   "), user(3, big), user(4, '"}]<script>'))
    assert [turn["content"] for turn in got] == ["a\ufffdb\ufffdc", big, '"}]<script>']


def test_absurd_times_are_not_known_and_order_of_start_and_end_is_kept():
    got = turns(
        user(1, "far", start=1e15, end=1e15 + 1),
        user(2, "nan", start=float("nan"), end=float("inf")),
        user(3, "turned", start=T + 5, end=T + 4),
        user(4, "early", start=T - 5, end=T - 4),
    )
    times = {turn["content"]: (turn.get("startSeconds"), turn.get("endSeconds")) for turn in got}
    assert times == {
        "far": (None, None),
        "nan": (None, None),
        "turned": (5.0, 5.0),
        "early": (0, 0),
    }


seconds = st.one_of(
    st.floats(-100, 4000).map(lambda s: T + s), st.floats(), st.sampled_from([0.0, T, 1e18, -1e18])
)
text = st.text(max_size=12)
role = st.sampled_from(["user", "assistant", "system", "tool"])
maybe = st.none() | seconds
values = st.dictionaries(text, st.none() | st.floats() | text | st.lists(st.integers()), max_size=3)
facts = st.one_of(
    st.builds(CallStarted, at=seconds, external_id=text, provider=st.just("livekit")),
    st.builds(AgentKnown, at=seconds, source=st.sampled_from(["framework", "argument"]),
              external_id=st.none() | text, uuid=st.none() | text, version=st.none() | text),
    st.builds(PromptKnown, at=seconds, text=text),
    st.builds(CustomerKnown, at=seconds, number=st.none() | text, name=st.none() | text),
    st.builds(ChannelKnown, at=seconds, channel=st.sampled_from(["voice", "text"])),
    st.builds(RecordingKnown, at=seconds, url=text),
    st.builds(CostKnown, at=seconds, usd=st.floats()),
    st.builds(MetadataKnown, at=seconds, values=values),
    st.builds(SpeechHeard, at=seconds, role=role, start=seconds, end=seconds),
    st.builds(WordsHeard, at=seconds, text=text, start=maybe, end=maybe),
    st.builds(TurnSaid, at=seconds, id=text, role=role, text=text, start=maybe, end=maybe,
              interrupted=st.booleans(), typed=st.booleans(), details=values),
    st.builds(ToolStarted, at=seconds, id=text, name=text, arguments=st.none() | text | values),
    st.builds(ToolEnded, at=seconds, id=text, result=st.none() | text | st.floats(), failed=st.booleans()),
    st.builds(HandoffMade, at=seconds, old=text, new=text, prompt=st.none() | text),
    st.builds(UsageKnown, at=seconds, parts=st.lists(values, max_size=2).map(tuple)),
    st.builds(CallEnded, at=seconds, reason=st.none() | text, settled=st.booleans()),
)  # fmt: skip
many = st.lists(facts, max_size=25).map(lambda some: numbered(*some))


@settings(max_examples=300, deadline=None)
@given(many, st.randoms(use_true_random=False))
def test_any_facts_in_any_order_with_duplicates_and_gaps_give_the_same_valid_document(
    some: list[Fact], chance: random.Random
):
    document = fold(some)
    body = document.wire()
    assert CallIngest.model_validate_json(body, context={"agent": "later"}) == document
    json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    shuffled = some + chance.sample(some, len(some) // 2)
    chance.shuffle(shuffled)
    assert fold(shuffled).wire() == body
    gaps = fold(chance.sample(some, len(some) // 2))
    assert CallIngest.model_validate_json(gaps.wire(), context={"agent": "later"}) == gaps


@settings(max_examples=300, deadline=None)
@given(many)
def test_facts_that_went_through_a_journal_give_the_same_document(some: list[Fact]):
    back = [decoded(encoded(fact)) for fact in some]
    assert fold([fact for fact in back if fact is not None]).wire() == fold(some).wire()


@settings(max_examples=300, deadline=None)
@given(many)
def test_starts_come_before_ends_and_turns_are_sorted(some: list[Fact]):
    got = fold(some)
    timed = got.transcript.turns if got.transcript else []
    starts = [turn.start_seconds for turn in timed if turn.start_seconds is not None]
    assert all(start >= 0 for start in starts)
    for turn in timed:
        if turn.end_seconds is not None:
            assert turn.start_seconds is not None
            assert turn.start_seconds <= turn.end_seconds
    if any(isinstance(fact, ChannelKnown) and fact.channel == "text" for fact in some):
        assert starts == []
    if starts and len(starts) == len(timed):
        assert starts == sorted(starts)


def test_nested_objects_merge_and_everything_else_is_replaced():
    assert merged({"a": {"x": 1, "y": [1]}, "b": 1}, {"a": {"y": [2]}, "b": None}) == {
        "a": {"x": 1, "y": [2]},
        "b": None,
    }


def test_redaction_reaches_every_text_and_fails_closed():
    def hide(text: str) -> str:
        if "boom" in text:
            raise ValueError(text)
        return text.replace("secret", "***")

    assert redacted(user(1, "my secret"), hide) == user(1, "my ***")
    tool = ToolStarted(at=T, id="c", name="f", arguments={"pin": ["secret", 7]})
    assert redacted(tool, hide).arguments == {"pin": ["***", 7]}
    assert redacted(user(1, "boom secret"), hide).text == "[redaction failed]"
    assert redacted(CallEnded(at=T), hide) == CallEnded(at=T)
    tool = ToolStarted(at=T, id="c", name="f", arguments={"secret": 1})
    assert redacted(tool, hide).arguments == {"***": 1}


def test_redaction_leaves_our_own_words_and_structure_alone():
    def mask(text: str) -> str:
        return "X" * len(text)

    said = user(1, "Hi", details={"latency": {"endToEnd": 0.5}})
    assert redacted(said, mask) == user(1, "XX", details={"latency": {"endToEnd": 0.5}})
    told = MetadataKnown(at=T, values={"livekit": {"roomName": "r"}})
    assert redacted(told, mask).values == {"livekit": {"roomName": "X"}}
    versions = MetadataKnown(at=T, values={"sdk": "1.8.9"}, technical=True)
    assert redacted(versions, mask) is versions
    assert redacted(CallEnded(at=T, reason="agent-error"), mask).reason == "agent-error"
    assert redacted(CallEnded(at=T, reason="Ada hung up"), mask).reason == "X" * 11


def test_a_recording_url_that_cannot_be_sent_does_not_take_the_place_of_one_that_can():
    good = RecordingKnown(at=2.0, seq=1, url="https://example.com/1.ogg")
    bad = RecordingKnown(at=3.0, seq=2, url="s3://bucket/1.ogg")
    document = fold([CallStarted(at=1.0, external_id="c"), good, bad])
    assert str(document.call.recording_url) == good.url
    assert document.metadata is not None
    assert document.metadata["zelto"]["refused"]["recordingUrl"]["value"] == bad.url


def test_of_each_model_the_latest_usage_counts_and_none_is_forgotten():
    def stt(model: str, seconds: float) -> dict[str, Any]:
        return {"type": "stt_usage", "provider": "a", "model": model, "audio_duration": seconds}

    llm = {"type": "llm_usage", "provider": "a", "model": "big", "input_tokens": 5}
    facts = [
        UsageKnown(at=1.0, seq=1, parts=(stt("x", 1.0), llm)),
        UsageKnown(at=2.0, seq=2, parts=(stt("y", 2.0),)),
        UsageKnown(at=3.0, seq=3, parts=(stt("x", 3.0), stt("x", 4.0))),
    ]
    metadata = fold([CallStarted(at=0.0, external_id="c"), *facts]).metadata
    assert metadata is not None
    assert metadata["zelto"]["usage"] == [stt("x", 3.0), stt("x", 4.0), llm, stt("y", 2.0)]
