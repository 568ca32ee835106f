"""No call is lost when its process is killed, and none is cut when its worker is told to stop."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from live.deaths import DEVELOPMENT, INSTALLED, PLAIN, WEATHER
from live.server import LiveServer
from live.stage import Played, Stage
from zelto_agents.receiver import RunningReceiver

HALF = [
    ("assistant", "Hello, how can I help you?"),
    ("user", WEATHER),
    ("assistant", "It is sunny and warm in Paris."),
]
# Seconds: a killed process was last heard of up to a heartbeat before.
HEARTBEAT, TOLD = 3.0, 0.5


@pytest.fixture(scope="module")
def played(
    live_server: LiveServer,
    live_receiver: RunningReceiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Played:
    """All scenes: three workers at the same time, each with its scenes one after the other."""
    result = Played()

    async def play() -> None:
        async with Stage(live_server, live_receiver, tmp_path_factory.mktemp("deaths")) as stage:
            plain, installed, development = await asyncio.gather(
                stage.worker("plain"),
                stage.worker("installed", install=True),
                stage.worker("development", "dev"),
            )
            await asyncio.gather(
                result.play(stage, PLAIN, plain),
                result.play(stage, INSTALLED, installed),
                result.play(stage, DEVELOPMENT, development),
            )
            result.collect(stage)

    asyncio.run(play())
    return result


def said(conversation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in conversation["turns"]]


@pytest.mark.parametrize("name", ["killed", "terminated", "orphaned", "installed"])
def test_the_call_of_a_process_that_died_arrives_with_all_that_was_said(name: str, played: Played):
    scene = played[name]
    assert said(scene.conversation) == HALF
    assert scene.conversation["endedReason"] == "agent-process-died"
    assert len(scene.bodies) == 1
    earliest, latest = scene.told["ended"]
    ended = datetime.fromisoformat(scene.conversation["endedAt"]).timestamp()
    assert earliest - HEARTBEAT < ended < latest + TOLD


@pytest.mark.parametrize("name", ["killed", "orphaned"])
def test_until_somebody_drains_it_is_a_live_call_in_the_outbox(name: str, played: Played):
    scene = played[name]
    assert scene.told["left"][scene.conversation["externalId"]] == "live"
    assert scene.told["drained"] == 0


def test_a_worker_that_is_told_to_stop_lets_the_call_go_on_to_its_end(played: Played):
    scene = played["stopped"]
    assert said(scene.conversation) == [*HALF, *HALF[1:]]
    assert scene.conversation["endedReason"] == "customer-ended-call"
    assert scene.told["code"] == 0


def test_a_worker_in_development_ends_the_call_when_it_is_told_to_stop(played: Played):
    scene = played["development"]
    assert said(scene.conversation) == HALF
    assert scene.conversation["endedReason"] == "worker-shutdown"
    earliest, latest = scene.told["ended"]
    ended = datetime.fromisoformat(scene.conversation["endedAt"]).timestamp()
    assert earliest - TOLD < ended < latest + TOLD


def test_a_call_that_was_over_is_not_cut_off_by_the_end_of_its_worker(played: Played):
    scene = played["closed"]
    assert scene.conversation["endedReason"] == "agent-ended-call"
    assert len(scene.bodies) == 1
