"""A call in a real job of a real worker: it ends in time, and arrives whatever the network does."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from livekit.agents import AgentSession

from livekit_jobs import drain, run_job
from scripted_server import ScriptedServer, hang
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver

BUDGET = 2.0
# What LiveKit itself takes from the hang-up to the end of the process, on a busy machine; the
# first versions always wait for a last transcript.
WAITS_BRIEFLY = "session_close_transcript_timeout" in inspect.signature(AgentSession).parameters
OF_LIVEKIT = 1.5 if WAITS_BRIEFLY else 3.5


def waiting(folder: Path) -> list[tuple[str, str]]:
    outbox = SqliteOutbox(folder)
    try:
        return [(d.external_id, d.state) for d in outbox.deliveries()]
    finally:
        outbox.close()


def ended_at(folder: Path) -> float:
    """When the caller hung up, from the document in the outbox."""
    import sqlite3
    from datetime import datetime

    database = sqlite3.connect(folder / "outbox.sqlite3")
    (document,) = database.execute("SELECT document FROM content").fetchone()
    database.close()
    return datetime.fromisoformat(json.loads(document)["call"]["endedAt"]).timestamp()


@pytest.mark.parametrize("kind", ["process", "thread", "spoiled"])
def test_a_call_arrives_from_a_job(kind: str, receiver: RunningReceiver, tmp_path: Path):
    job = run_job(kind, receiver.url, receiver.key or "", tmp_path / "outbox")
    assert job["exit_code"] == (None if kind == "thread" else 0)
    receiver.wait_until_ingested()
    assert receiver.raw_count() == 1
    (conversation,) = receiver.conversations()
    assert conversation["externalId"].startswith("mock-job-")
    assert conversation["source"] == "livekit"
    assert conversation["endedReason"] == "customer-ended-call"
    assert conversation["customer"] == {"number": "+15550100", "name": "Ada Example"}
    assert [turn["content"] for turn in conversation["turns"]] == ["Hello."]
    livekit = conversation["metadata"]["livekit"]
    assert livekit["roomName"] == kind
    assert livekit["jobId"] == conversation["externalId"]
    assert livekit["disconnectReason"] == "CLIENT_INITIATED"


def test_with_the_receiver_down_the_job_ends_in_time_and_another_process_sends_the_call(
    receiver: RunningReceiver, tmp_path: Path
):
    outbox = tmp_path / "outbox"
    receiver.stop()
    job = run_job("process", receiver.url, receiver.key or "", outbox)
    assert job["exit_code"] == 0
    assert job["over"] - ended_at(outbox) < BUDGET + OF_LIVEKIT
    assert [state for _, state in waiting(outbox)] == ["due"]
    receiver.start()
    drain(receiver.url, receiver.key or "", outbox)
    ((external_id, state),) = waiting(outbox)
    assert state == "sent"
    assert receiver.wait_for(external_id)


def test_with_a_receiver_that_hangs_the_job_is_held_for_the_budget_at_most(tmp_path: Path):
    outbox = tmp_path / "outbox"
    with ScriptedServer(hang) as server:
        job = run_job("process", server.url, "zk_1", outbox)
    assert job["exit_code"] == 0
    assert job["over"] - ended_at(outbox) < BUDGET + OF_LIVEKIT
    assert [state for _, state in waiting(outbox)] == ["due"]
