"""The example's bot as a user starts it: a process of its own, without keys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo_checks import VOICE
from demo_scripts import BOT_SCRIPTS
from zelto_agents.receiver import RunningReceiver

BOT = Path(__file__).parents[2] / "examples" / "worker" / "bot.py"
KEYS = ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "CARTESIA_API_KEY")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(receiver: RunningReceiver, tmp_path: Path) -> Start:
    """Starts the bot with these arguments, and more in its environment."""
    settings = {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
    }

    def started(*arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(BOT), *arguments],
            env=os.environ | dict.fromkeys(KEYS, "") | settings | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def test_a_whole_call_arrives(start: Start, receiver: RunningReceiver):
    with start() as bot:
        said, errors = bot.communicate(timeout=60)
    assert bot.returncode == 0, errors
    (call_id,) = [word for word in said.split() if word.startswith("CA")]
    document = receiver.wait_for(call_id)
    expected = VOICE["pipecat"]
    assert tuple(turn["role"] for turn in document["turns"]) == expected.roles
    assert document["endedReason"] == expected.ended
    assert document["customer"] == {"number": expected.script.caller.phone}
    assert document["metadata"]["zelto"]["turns"] == [{"index": 6, "interrupted": True}]
    assert "zelto" not in errors.lower()  # before 1.12, Pipecat itself misses a download


def test_a_call_that_sigterm_ends_arrives(start: Start, receiver: RunningReceiver):
    with start("hours", LOGURU_LEVEL="DEBUG") as bot:
        assert bot.stderr is not None
        for line in bot.stderr:
            if "Bot started speaking" in line:
                break
        bot.send_signal(signal.SIGTERM)
        said, errors = bot.communicate(timeout=30)
    assert bot.returncode == 0, errors
    document = receiver.wait_for(said.split()[-1])
    assert document["endedReason"] == "worker-shutdown"
    greeting = BOT_SCRIPTS["hours"].replies[0].text
    assert [turn["role"] for turn in document["turns"]] == ["system", "assistant"]
    assert greeting.startswith(document["turns"][1]["content"])


@pytest.mark.parametrize(
    ("arguments", "more", "told"),
    [
        ((), {"OPENAI_API_KEY": "k"}, "not set: DEEPGRAM_API_KEY, CARTESIA_API_KEY"),
        (("-t", "webrtc"), {}, "Without keys there are only scripted calls: weather, "),
    ],
)
def test_what_cannot_be_is_said(
    arguments: tuple[str, ...], more: dict[str, str], told: str, start: Start
):
    with start(*arguments, **more) as bot:
        _, errors = bot.communicate(timeout=30)
    assert bot.returncode == 1
    assert told in errors
    assert "Traceback" not in errors
