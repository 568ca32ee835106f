"""Every way in which a real job may end leaves a call that says how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from livekit_jobs import drain, run_job
from zelto_agents.receiver import RunningReceiver


def bodies(kind: str, receiver: RunningReceiver, outbox: Path) -> list[dict[str, Any]]:
    """The newest document of each call of the job, in the order of their ids."""
    run_job(kind, receiver.url, receiver.key or "", outbox)
    drain(receiver.url, receiver.key or "", outbox)
    receiver.wait_until_ingested()
    newest: dict[str, dict[str, Any]] = {}
    for delivery in receiver.deliveries():
        body = json.loads(receiver.raw_body(delivery["id"]) or b"")
        newest[body["call"]["externalId"]] = body
    return [newest[external_id] for external_id in sorted(newest)]


def said(body: dict[str, Any]) -> list[str]:
    return [turn["content"] for turn in body.get("transcript", {}).get("turns", [])]


@pytest.mark.parametrize(
    ("kind", "reason", "turns"),
    [
        ("unstarted", "gone before the start", []),
        ("failing_start", "agent-error", []),
        ("crashing", "agent-error", ["Hello."]),
        ("shut_down", "voicemail", ["Hello."]),
        ("killed", "agent-process-died", ["Hello."]),
        ("terminated", "agent-process-died", ["Hello."]),
    ],
)
def test_the_reason_tells_what_became_of_the_job(
    kind: str, reason: str, turns: list[str], receiver: RunningReceiver, tmp_path: Path
):
    (body,) = bodies(kind, receiver, tmp_path / "outbox")
    assert body["call"]["endedReason"] == reason
    assert said(body) == turns
    assert body["call"]["externalId"] == body["metadata"]["livekit"]["jobId"]
    assert body["metadata"]["livekit"]["roomName"] == kind


def test_livekits_own_tool_to_end_a_call_is_the_agent_ending_it(
    receiver: RunningReceiver, tmp_path: Path
):
    pytest.importorskip("livekit.agents.beta.tools.end_call")
    (body,) = bodies("ending_tool", receiver, tmp_path / "outbox")
    assert body["call"]["endedReason"] == "agent-ended-call"
    assert said(body)[-1] == "Bye."


def test_a_model_that_fails_for_good_is_an_error_of_the_agent(
    receiver: RunningReceiver, tmp_path: Path
):
    (body,) = bodies("no_model", receiver, tmp_path / "outbox")
    assert body["call"]["endedReason"] == "agent-error"
    assert body["metadata"]["livekit"]["closeReason"] == "error"
    assert body["metadata"]["livekit"]["error"] == "llm_error"


def test_tags_and_outcome_of_the_job_are_told_however_late(
    receiver: RunningReceiver, tmp_path: Path
):
    (body,) = bodies("tagged", receiver, tmp_path / "outbox")
    told = body["metadata"]["livekit"]
    assert (told["tags"], told["outcome"], told["outcomeReason"]) == (
        ["voicemail:false"],
        "success",
        "the caller was greeted",
    )


def test_two_sessions_of_a_job_are_two_calls(receiver: RunningReceiver, tmp_path: Path):
    first, second = bodies("two_sessions", receiver, tmp_path / "outbox")
    assert second["call"]["externalId"] == first["call"]["externalId"] + "-2"
    assert (first["agent"], second["agent"]) == (
        {"externalId": "greeter"},
        {"externalId": "transfer"},
    )
    assert [said(body) for body in (first, second)] == [["Hello."], ["Hello."]]
    for body in (first, second):
        assert body["call"]["endedReason"] == "transferred"
