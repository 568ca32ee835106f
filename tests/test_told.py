"""What the log tells of attempts, and what an operator can do about them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from scripted_server import ScriptedServer, hang
from talking import settings_for, talk, waiting
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "zelto_agents")
    return caplog


def messages(told: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in told.records if record.name == "zelto_agents"]


def test_each_revision_that_arrived_is_told(settings: Settings, told: pytest.LogCaptureFixture):
    with Zelto(settings=settings) as zelto:
        talk(zelto)
        assert zelto.flush()
        zelto.enrich("conv-1", cost=1)
        assert zelto.flush()
    assert messages(told) == ["call conv-1 sent (revision 1)", "call conv-1 sent (revision 2)"]


def test_revisions_count_from_one_where_calls_are_kept_in_memory(
    receiver: RunningReceiver, tmp_path: Path, told: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    unusable = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "file" / "outbox"
    )
    with Zelto(settings=unusable) as zelto:
        talk(zelto)
        assert zelto.flush()
    assert messages(told)[-1] == "call conv-1 sent (revision 1)"


def test_a_dead_letter_is_told_with_the_command_that_shows_its_reason(
    tmp_path: Path, told: pytest.LogCaptureFixture
):
    with ScriptedServer(400) as server:
        with Zelto(settings=settings_for(server.url, tmp_path)) as zelto:
            talk(zelto)
            zelto.flush()
    assert messages(told) == [
        "call conv-1 was refused for good (status 400) and is a dead letter: "
        "zelto-agents outbox show conv-1 has the reason"
    ]


def test_an_attempt_that_the_end_of_the_process_cut_off_is_not_called_cancelled(
    tmp_path: Path, told: pytest.LogCaptureFixture
):
    with ScriptedServer(hang) as server:
        with Zelto(settings=settings_for(server.url, tmp_path, shutdown_budget=0.3)) as zelto:
            talk(zelto)
    assert messages(told) == [
        f"{server.url} does not take calls now (no answer before this process ended); "
        "they wait in the outbox and are sent later"
    ]
    assert [d.details for d in waiting(tmp_path / "outbox")] == [
        "no answer before this process ended"
    ]


def test_why_nothing_could_be_connected_to_is_told(tmp_path: Path, told: pytest.LogCaptureFixture):
    with Zelto(settings=settings_for("http://127.0.0.1:1", tmp_path)) as zelto:
        talk(zelto)
        zelto.flush()
    assert messages(told) == [
        "http://127.0.0.1:1 does not take calls now (ConnectError: Connection refused); "
        "they wait in the outbox and are sent later"
    ]
