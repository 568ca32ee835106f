"""Every way in which a real job may end leaves a call that says how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from livekit_jobs import drain, run_jobs
from zelto_agents.receiver import run_in_thread

KINDS = (
    "unstarted",
    "failing_start",
    "crashing",
    "shut_down",
    "killed",
    "terminated",
    "ending_tool",
    "no_model",
    "tagged",
    "two_sessions",
)
Jobs = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    """The newest document of each call of every kind of job, in the order of their ids."""
    outbox: Path = tmp_path_factory.mktemp("jobs") / "outbox"
    newest: dict[str, dict[str, Any]] = {}
    with run_in_thread() as receiver:
        run_jobs(KINDS, receiver.url, receiver.key or "", outbox)
        drain(receiver.url, receiver.key or "", outbox)
        receiver.wait_until_ingested()
        for delivery in receiver.deliveries():
            body = json.loads(receiver.raw_body(delivery["id"]) or b"")
            newest[body["call"]["externalId"]] = body
    found: Jobs = {kind: [] for kind in KINDS}
    for external_id in sorted(newest):
        found[newest[external_id]["metadata"]["livekit"]["roomName"]].append(newest[external_id])
    return found


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
    kind: str, reason: str, turns: list[str], jobs: Jobs
):
    (body,) = jobs[kind]
    assert body["call"]["endedReason"] == reason
    assert said(body) == turns
    assert body["call"]["externalId"] == body["metadata"]["livekit"]["jobId"]
    assert body["metadata"]["livekit"]["roomName"] == kind


def test_livekits_own_tool_to_end_a_call_is_the_agent_ending_it(jobs: Jobs):
    (body,) = jobs["ending_tool"]
    assert body["call"]["endedReason"] == "agent-ended-call"
    assert said(body)[-1] == "Bye."


def test_a_model_that_fails_for_good_is_an_error_of_the_agent(jobs: Jobs):
    (body,) = jobs["no_model"]
    assert body["call"]["endedReason"] == "agent-error"
    assert body["metadata"]["livekit"]["closeReason"] == "error"
    assert body["metadata"]["livekit"]["error"] == "llm_error"


def test_tags_and_outcome_of_the_job_are_told_however_late(jobs: Jobs):
    (body,) = jobs["tagged"]
    told = body["metadata"]["livekit"]
    assert (told["tags"], told["outcome"], told["outcomeReason"]) == (
        ["voicemail:false"],
        "success",
        "the caller was greeted",
    )


def test_two_sessions_of_a_job_are_two_calls(jobs: Jobs):
    first, second = jobs["two_sessions"]
    assert second["call"]["externalId"] == first["call"]["externalId"] + "-2"
    assert (first["agent"], second["agent"]) == (
        {"externalId": "greeter"},
        {"externalId": "transfer"},
    )
    assert [said(body) for body in (first, second)] == [["Hello."], ["Hello."]]
    for body in (first, second):
        assert body["call"]["endedReason"] == "transferred"
