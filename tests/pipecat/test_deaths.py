"""Bots whose process is told to end, or is gone: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import run
from pipecat_zelto import SETUP_FILE
from shelf import FROM_HERE, Shelf, audio_of, sound_in
from zelto_agents import Settings
from zelto_agents.receiver import RunningReceiver, run_in_thread

BOT = Path(__file__).with_name("dying_bot.py")
PATHS = (BOT.parents[1], BOT.parents[2] / "examples" / "worker")
SAID = [("user", "Who are you?"), ("assistant", "A voice.")]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    assert settings.api_key is not None
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
        "ZELTO_API_KEY": settings.api_key.get_secret_value(),
        "ZELTO_BASE_URL": settings.base_url or "",
        "ZELTO_OUTBOX": str(settings.outbox),
    }


@contextmanager
def bot(mode: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A bot that has spoken; killed if it is still there in the end."""
    with subprocess.Popen(
        [sys.executable, str(BOT), mode, mode],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("spoken")
            yield process
        finally:
            process.kill()


def document(receiver: RunningReceiver, name: str) -> dict[str, Any]:
    receiver.wait_until_ingested()
    known = receiver.conversation(name)
    assert known is not None
    return known


def turns(conversation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in conversation["turns"]]


@pytest.mark.parametrize(
    ("mode", "number"), [("sigint", signal.SIGINT), ("sigterm-handled", signal.SIGTERM)]
)
def test_a_signal_that_the_runner_handles_ends_the_call_as_a_shutdown(
    receiver: RunningReceiver, environment: dict[str, str], mode: str, number: signal.Signals
):
    with bot(mode, environment) as process:
        process.send_signal(number)
        assert process.wait(20) == 0
    found = document(receiver, mode)
    assert (found["endedReason"], turns(found)) == ("worker-shutdown", SAID)


@pytest.mark.parametrize(
    ("mode", "number"), [("sigterm", signal.SIGTERM), ("sigkill", signal.SIGKILL)]
)
def test_a_process_that_is_gone_loses_nothing(
    receiver: RunningReceiver, environment: dict[str, str], mode: str, number: signal.Signals
):
    with bot(mode, environment) as process:
        process.send_signal(number)
        assert process.wait(20) == -number
    assert run("drain", env=environment).code == 0
    found = document(receiver, mode)
    assert (found["endedReason"], turns(found)) == ("agent-process-died", SAID)


def test_a_second_cancel_is_no_other_end(receiver: RunningReceiver, environment: dict[str, str]):
    with bot("sigint", environment) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    found = document(receiver, "sigint")
    assert (found["endedReason"], turns(found)) == ("worker-shutdown", SAID)


def test_a_loop_that_is_closed_around_the_bot_loses_nothing(
    receiver: RunningReceiver, environment: dict[str, str]
):
    with bot("left", environment):
        pass  # pipecat itself hangs now, with or without the processor, until it is killed
    assert run("drain", env=environment).code == 0
    assert turns(document(receiver, "left")) == SAID


def test_a_pipeline_that_never_ends_does_not_keep_its_call(
    receiver: RunningReceiver, environment: dict[str, str]
):
    with bot("swallowed", environment) as process:
        assert process.wait(60) == 0
    found = document(receiver, "swallowed")
    assert (found["endedReason"], turns(found)) == ("done", SAID)


def test_a_setup_file_collects_every_pipeline_of_a_process(
    receiver: RunningReceiver, environment: dict[str, str]
):
    known = {"PIPECAT_SETUP_FILES": SETUP_FILE, "ZELTO_AGENT_ID": "support"}
    with bot("without-code", environment | known) as process:
        process.send_signal(signal.SIGKILL)
    assert run("drain", env=environment).code == 0
    found = document(receiver, "without-code")
    assert (found["endedReason"], turns(found)) == ("agent-process-died", SAID)


def test_the_module_says_where_the_setup_file_is():
    command = [sys.executable, "-m", "pipecat_zelto.setup"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.strip() == SETUP_FILE


def test_a_recorded_call_arrives_with_its_audio_after_its_process_was_killed(
    environment: dict[str, str], shelf: Shelf
):
    shelf.folder.rmdir()
    shelf.folder.write_text("in the way")  # nothing can be uploaded while the bot lives
    with run_in_thread(limits=FROM_HERE) as receiver:
        known = environment | shelf.environment
        known |= {"ZELTO_BASE_URL": receiver.url, "ZELTO_API_KEY": receiver.key or ""}
        with bot("recorded", known) as process:
            first = document(receiver, "recorded")
            process.send_signal(signal.SIGKILL)
        shelf.folder.unlink()
        shelf.folder.mkdir()
        drained = run("drain", env=known)
        assert drained.code == 0, drained.errors
        rate, channels, samples = sound_in(audio_of(receiver, "recorded"))
    assert (first["recording"], channels) == (None, 2)
    assert len(samples) / (2 * channels * rate) == pytest.approx(2.0, abs=0.5)
    assert any(samples)
