"""What LiveKit's own recorder writes is heard on the receiver's page, once its job is gone.

It writes 256 KB at a time: what a SIGKILL leaves of the first minute and a half is an empty file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from livekit_jobs import drain, run_job
from shelf import FROM_HERE, Shelf, audio_of
from zelto_agents.receiver import RunningReceiver, run_in_thread


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    """One that may fetch from this machine."""
    with run_in_thread(limits=FROM_HERE) as running:
        yield running


def test_a_recorded_call_arrives_with_its_audio(
    receiver: RunningReceiver, shelf: Shelf, tmp_path: Path
):
    place = (receiver.url, receiver.key or "", tmp_path / "outbox")
    shelf.folder.rmdir()
    shelf.folder.write_text("in the way")  # nothing can be uploaded while the job lives
    run_job("recorded", *place, **shelf.environment)
    shelf.folder.unlink()
    drain(*place, **shelf.environment)
    (conversation,) = receiver.conversations()
    audio = audio_of(receiver, conversation["externalId"])
    assert audio.startswith(b"OggS")
    assert b"OpusHead" in audio[:100]
    assert conversation["endedReason"] == "customer-ended-call"
    (file,) = shelf.folder.iterdir()
    assert file.read_bytes() == audio
