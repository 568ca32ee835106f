"""A recorded call of either framework, with its recording in a bucket, is heard on the page.

The bucket's server is away while the call's process lives: what comes later is another's work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from commands import run
from livekit_jobs import run_job
from recording.servers import S3Server, missing
from shelf import audio_of
from zelto_agents.receiver import RunningReceiver

BOT = Path(__file__).parents[1] / "pipecat" / "dying_bot.py"
PATHS = (BOT.parents[1], BOT.parents[2] / "examples" / "worker")


@pytest.fixture
def bucket() -> Iterator[S3Server]:
    """A server that speaks S3."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    server = S3Server()
    yield server
    server.close()


def livekit(environment: dict[str, str]) -> None:
    """A job whose session LiveKit records, to its end."""
    place = (environment["ZELTO_BASE_URL"], environment["ZELTO_API_KEY"])
    more = {name: value for name, value in environment.items() if name not in os.environ}
    run_job("recorded", *place, Path(environment["ZELTO_OUTBOX"]), **more)


def pipecat(environment: dict[str, str]) -> None:
    """A bot with an audio buffer, killed once its call was sent."""
    command = [sys.executable, str(BOT), "recorded", "recorded"]
    paths = {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    with subprocess.Popen(command, env=environment | paths, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"spoken\n"
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("play", [livekit, pipecat])
def test_a_recorded_call_is_heard_on_the_page_although_its_process_is_gone(
    play: Callable[[dict[str, str]], None],
    receiver: RunningReceiver,
    bucket: S3Server,
    page: Page,
    tmp_path: Path,
):
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
        "ZELTO_RECORDINGS": f"s3://{bucket.new_bucket()}/calls",
        **bucket.environment,
    }
    with bucket.down():
        play(environment)
        (conversation,) = receiver.conversations()
        assert conversation["recording"] is None
        drained = run("drain", env=environment)
        assert (drained.code, drained.errors.count("recording: ")) == (1, 1)
    drained = run("drain", env=environment)
    assert drained.code == 0, drained.errors
    audio_of(receiver, conversation["externalId"])

    page.goto(f"{receiver.url}/#/conversations/{conversation['id']}")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".clock")).not_to_have_text("0:00.0 / 0:00.0")
