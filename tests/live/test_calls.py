"""Calls over WebRTC through a real LiveKit server arrive as they were, however they end well."""

from __future__ import annotations

import asyncio
import signal
from datetime import datetime
from typing import Any

import pytest

from live.calls import SCENES, WEATHER, whole
from live.server import LiveServer
from live.stage import Played, Stage
from zelto_agents.receiver import RunningReceiver

GREETING, ANSWER = "Hello, how can I help you?", "It is sunny and warm in Paris."
# Seconds. Sound is on its way through the codec, the server and the jitter buffers; the agent
# learns of a hang-up from the server.
ON_ITS_WAY, TOLD = 0.3, 1.0
# How many calls two cores carry with time to spare.
AT_ONCE = 2


@pytest.fixture(scope="module")
def played(
    live_server: LiveServer,
    live_receiver: RunningReceiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Played:
    """All scenes, with one worker, which has ended."""
    result = Played()

    async def play() -> None:
        async with Stage(live_server, live_receiver, tmp_path_factory.mktemp("calls")) as stage:
            worker = await stage.worker("worker")
            # Times are compared in the first: it has the machine to itself.
            await result.play(stage, {"whole": whole}, worker)
            await result.play(stage, SCENES, worker, at_once=AT_ONCE)
            await stage.all_hang_up()
            worker.signal(signal.SIGTERM)
            await worker.ended()
            result.collect(stage)

    asyncio.run(play())
    return result


def said(conversation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in conversation["turns"]]


def began(conversation: dict[str, Any]) -> float:
    return datetime.fromisoformat(conversation["startedAt"]).timestamp()


def test_a_call_arrives_whole_and_once(played: Played):
    scene = played["whole"]
    call = scene.conversation
    assert said(call) == [("assistant", GREETING), ("user", WEATHER), ("assistant", ANSWER)]
    assert len(scene.bodies) == 1
    assert call["source"] == "livekit"
    assert call["agent"]["externalId"] == "agent-worker"
    assert call["customer"] == {"name": "Ada Example"}
    assert call["systemPrompt"] == "Be kind."
    assert "channel" not in call["metadata"]


def test_it_has_the_ids_that_livekit_gave_it(played: Played):
    call = played["whole"].conversation
    livekit = call["metadata"]["livekit"]
    assert call["externalId"] == livekit["jobId"]
    assert livekit["jobId"].startswith("AJ_")
    assert livekit["dispatchId"].startswith("AD_")
    assert livekit["roomSid"].startswith("RM_")
    assert livekit["disconnectReason"] == "CLIENT_INITIATED"


def test_its_times_are_those_of_the_callers_clock(played: Played):
    scene = played["whole"]
    zero = began(scene.conversation)
    tolerance = ON_ITS_WAY + scene.told["late"]
    for turn, (first, last) in zip(scene.conversation["turns"], scene.told["sounds"], strict=True):
        assert turn["startSeconds"] == pytest.approx(first - zero, abs=tolerance)
        assert turn["endSeconds"] == pytest.approx(last - zero, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("whole", "customer-ended-call"),
        ("deleted", "room-deleted"),
        ("removed", "agent-ended-call"),
        ("silent", "customer-ended-call"),
        ("guest", "customer-ended-call"),
        ("phone", "customer-ended-call"),
        ("typed", "customer-ended-call"),
        ("shutdown", "agent-ended-call"),
        ("transferred", "transferred"),
        ("hung-up", "room-deleted"),
        ("end-call", "agent-ended-call"),
        ("gone", "customer-ended-call"),
        ("back", "customer-ended-call"),
    ],
)
def test_a_call_says_how_and_when_it_ended(name: str, reason: str, played: Played):
    scene = played[name]
    assert scene.conversation["endedReason"] == reason
    earliest, latest = scene.told["ended"]
    ended = datetime.fromisoformat(scene.conversation["endedAt"]).timestamp()
    assert earliest - TOLD < ended < latest + TOLD
    assert len({body["call"]["externalId"] for body in scene.bodies}) == 1


def test_what_was_cut_off_by_the_end_is_marked(played: Played):
    (turn,) = played["deleted"].conversation["turns"]
    assert GREETING.startswith(turn["content"])
    (told,) = played["deleted"].conversation["metadata"]["zelto"]["turns"]
    assert told["interrupted"]


def test_a_caller_who_only_listens_has_a_voice_call(played: Played):
    call = played["silent"].conversation
    assert said(call) == [("assistant", GREETING)]
    assert "channel" not in call["metadata"]
    assert call["durationSeconds"] > 0


@pytest.mark.parametrize(
    ("name", "reason"), [("mute", "customer-ended-call"), ("nobody", "room-deleted")]
)
def test_a_call_without_a_word_is_an_unconnected_dial(name: str, reason: str, played: Played):
    body = played[name].bodies[-1]
    assert "transcript" not in body
    assert "channel" not in body["metadata"]
    assert body["call"]["endedReason"] == reason
    assert played[name].conversation == {}


def test_a_guest_who_leaves_does_not_end_the_call(played: Played):
    call = played["guest"].conversation
    assert said(call) == [("assistant", GREETING), ("user", WEATHER), ("assistant", ANSWER)]
    assert call["customer"] == {"name": "Ada Example"}


def test_a_caller_on_the_telephone_has_a_number(played: Played):
    call = played["phone"].conversation
    assert call["customer"] == {"number": "+15550100", "name": "Ada Example"}
    assert call["metadata"]["livekit"]["sip"]["callID"] == "SCL_1"


def test_what_was_typed_in_a_voice_call_is_a_turn_at_its_time(played: Played):
    scene = played["typed"]
    assert said(scene.conversation)[1:] == [("user", WEATHER), ("assistant", ANSWER)]
    start = scene.conversation["turns"][1]["startSeconds"]
    typed_at = scene.told["typed"] - began(scene.conversation)
    assert start == pytest.approx(typed_at, abs=TOLD)


def test_what_was_typed_is_not_taken_for_speech_without_words(played: Played):
    assert "untranscribed" not in played["typed"].conversation["metadata"]["zelto"]


@pytest.mark.parametrize("name", ["shutdown", "transferred", "hung-up", "end-call"])
def test_an_agent_that_hangs_up_is_heard_to_its_last_word(name: str, played: Played):
    turns = said(played[name].conversation)
    assert ("user", "Bye.") in turns
    assert ("assistant", "Goodbye, and thank you for calling.") in turns
    assert [role for role, _ in turns].count("tool") == 1


def test_a_caller_who_is_back_too_late_has_ended_the_call_by_leaving(played: Played):
    scene = played["gone"]
    assert said(scene.conversation) == [("assistant", GREETING)]


def test_a_caller_whom_the_agent_waits_for_goes_on_with_the_call(played: Played):
    scene = played["back"]
    assert said(scene.conversation)[1:] == [("user", WEATHER), ("assistant", ANSWER)]
