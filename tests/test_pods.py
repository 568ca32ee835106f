"""A fleet whose outbox is a Postgres server: a real one, which goes away and comes back."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outboxes import states
from postgres_server import PostgresServer
from talking import talk, until, waiting
from zelto_agents import Settings, Zelto, _house, _work
from zelto_agents.outbox.postgres import PostgresOutbox
from zelto_agents.receiver import RunningReceiver

CALLER = """
import sys
from zelto_agents import Zelto
call = Zelto().call("conv-1", agent_id="support")
call.turn("user", "Hi", start=0.4, end=1.1)
print("said", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def fleet(
    receiver: RunningReceiver, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings of a pod: the outbox is a database of the server, the spare a folder."""
    monkeypatch.setattr(_work, "FIRST_SWEEP", 0.0)
    monkeypatch.setattr(_work, "SWEEP_EVERY", 0.1)
    monkeypatch.setattr(_house, "MAINTAIN_EVERY", 0.1)
    url = postgres.fresh_database()
    yield Settings.load(outbox=url, api_key=receiver.key, base_url=receiver.url)
    postgres.drop(url)


@contextmanager
def away(postgres: PostgresServer) -> Iterator[None]:
    postgres.stop(immediate=True)
    try:
        yield
    finally:
        postgres.start()


def in_database(settings: Settings) -> dict[str, str]:
    assert settings.postgres is not None
    outbox = PostgresOutbox(settings.postgres.get_secret_value())
    try:
        return states(outbox)
    finally:
        outbox.close()


def test_calls_go_through_the_database_and_nothing_is_written_to_the_disk(
    fleet: Settings, receiver: RunningReceiver
):
    with Zelto(settings=fleet) as zelto:
        talk(zelto)
        assert zelto.flush(20)
    assert receiver.wait_for("conv-1")
    assert in_database(fleet) == {"conv-1": "sent"}
    assert not fleet.outbox.exists()


def test_while_the_server_is_away_the_disk_takes_the_calls_and_forwards_them_later(
    fleet: Settings,
    receiver: RunningReceiver,
    postgres: PostgresServer,
    caplog: pytest.LogCaptureFixture,
):
    with Zelto(settings=fleet) as zelto:
        talk(zelto, "before")
        assert zelto.flush(20)
        receiver.stop()
        with away(postgres):
            talk(zelto, "meanwhile")
            zelto.flush(20)
            assert [d.external_id for d in waiting(fleet.outbox)] == ["meanwhile"]
            assert "calls are kept in the folder" in caplog.text
        until(lambda: waiting(fleet.outbox) == [])
        assert set(in_database(fleet)) == {"before", "meanwhile"}
        receiver.start()
        assert receiver.wait_for("meanwhile", timeout=60)
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1


def test_a_server_that_has_frozen_costs_no_call_and_no_more_than_the_budget(
    fleet: Settings, receiver: RunningReceiver, postgres: PostgresServer
):
    receiver.stop()
    with Zelto(settings=fleet) as zelto:
        talk(zelto, "before")
        zelto.flush(20)
        with postgres.frozen():
            talk(zelto, "meanwhile")
            zelto.flush()  # as long as a shutdown may take, and no longer
            assert [d.external_id for d in waiting(fleet.outbox)] == ["meanwhile"]


def test_a_pod_that_died_while_the_server_was_away_left_its_calls_to_the_next_on_its_disk(
    fleet: Settings, receiver: RunningReceiver, postgres: PostgresServer
):
    receiver.stop()
    with away(postgres), Zelto(settings=fleet) as zelto:
        talk(zelto, "left behind")
        zelto.flush(20)
    receiver.start()
    with Zelto(settings=fleet) as zelto:
        talk(zelto, "next")
        assert receiver.wait_for("left behind", timeout=60)
        until(lambda: waiting(fleet.outbox) == [])
    assert in_database(fleet) == {"left behind": "sent", "next": "sent"}


def test_a_call_whose_pod_died_is_finished_by_another_pod(
    fleet: Settings, receiver: RunningReceiver, tmp_path: Path
):
    assert fleet.postgres is not None
    environment = os.environ | {
        "ZELTO_OUTBOX": fleet.postgres.get_secret_value(),
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
    }
    with subprocess.Popen(
        [sys.executable, "-c", CALLER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "said\n"
        until(lambda: in_database(fleet) == {"conv-1": "live"})
        process.kill()
    with Zelto(settings=fleet) as zelto:
        talk(zelto, "other")
        assert receiver.wait_for("conv-1", timeout=20)
    conversation = receiver.conversation("conv-1")
    assert conversation is not None
    assert conversation["endedReason"] == "agent-process-died"
    assert [turn["content"] for turn in conversation["turns"]] == ["Hi"]


def test_a_journal_left_in_the_database_never_undoes_what_the_disk_took(
    fleet: Settings, receiver: RunningReceiver, postgres: PostgresServer
):
    with Zelto(settings=fleet) as zelto:
        call = zelto.call("conv-1", agent_id="support")
        call.turn("user", "Hi", start=0.4, end=1.1)
        until(lambda: in_database(fleet) == {"conv-1": "live"})
        with away(postgres):
            call.turn("assistant", "Hello", start=1.5, end=2.0)
            call.end("customer-ended-call")
            assert zelto.flush(20)
        until(lambda: waiting(fleet.outbox) == [])
        until(lambda: in_database(fleet) == {"conv-1": "sent"})
    receiver.wait_until_ingested()
    conversation = receiver.conversation("conv-1")
    assert conversation is not None
    assert conversation["endedReason"] == "customer-ended-call"
    assert [turn["content"] for turn in conversation["turns"]] == ["Hi", "Hello"]
