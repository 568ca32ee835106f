"""What lies next to the outbox for a recording is taken up once it is whole, and never too early."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shelf import FROM_HERE, Shelf, audio_of, sound_in
from zelto_agents import Settings, Zelto, _enrich
from zelto_agents._audio import Sounds
from zelto_agents._enrich import Enricher
from zelto_agents._items import Sound
from zelto_agents._trouble import Trouble
from zelto_agents.outbox import Pending
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver, run_in_thread
from zelto_agents.recording import Hopeless

DAY = 86_400.0


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    """One that may fetch from this machine."""
    with run_in_thread(limits=FROM_HERE) as running:
        yield running


@pytest.fixture
def settings(receiver: RunningReceiver, tmp_path: Path, shelf: Shelf) -> Settings:
    return Settings.load(
        {},
        api_key=receiver.key,
        base_url=receiver.url,
        outbox=tmp_path / "outbox",
        recordings=shelf.folder,
        recordings_url=shelf.url,
    )


@pytest.fixture
def outbox(settings: Settings) -> Iterator[SqliteOutbox]:
    with contextlib.closing(SqliteOutbox(settings.outbox)) as opened:
        yield opened


@pytest.fixture
def enricher(settings: Settings, outbox: SqliteOutbox) -> Enricher:
    return Enricher(outbox, settings, Trouble())


def audio(settings: Settings) -> Pending:
    return Pending(settings.base_url or "", "conv-1", "audio:a.wav", "audio", "a.wav")


def test_nobody_takes_up_audio_whose_last_samples_are_not_written(
    settings: Settings,
    receiver: RunningReceiver,
    outbox: SqliteOutbox,
    monkeypatch: pytest.MonkeyPatch,
):
    taken: list[Pending] = []
    end = Sounds.end

    def ended(sounds: Sounds, name: str) -> None:
        url = settings.base_url or ""
        taken.extend(outbox.claim_pending(url, now=time.time(), lease=60, limit=9))
        end(sounds, name)

    monkeypatch.setattr(Sounds, "end", ended)
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.audio(bytes(16_000), rate=8000)
        assert sound_in(audio_of(receiver)) == (8000, 1, bytes(16_000))
    assert taken == []


def test_a_process_that_only_slept_keeps_the_file_that_it_writes(
    settings: Settings, outbox: SqliteOutbox, enricher: Enricher
):
    sounds = Sounds(settings.outbox / "recordings")
    sounds.write([Sound("a.wav", bytes(1600), 8000, 1)])
    outbox.expect(audio(settings), now=time.time())
    asyncio.run(enricher.look())
    (waiting,) = outbox.pending()
    assert (waiting.state, waiting.details) == ("waiting", "the process that records it lives")
    sounds.write([Sound("a.wav", bytes(1600), 8000, 1)])
    sounds.end("a.wav")
    enricher.hurry()
    asyncio.run(enricher.look())
    assert outbox.pending() == []
    (uploaded,) = Path(str(settings.recordings)).iterdir()
    assert sound_in(uploaded.read_bytes()) == (8000, 1, bytes(3200))


@pytest.mark.parametrize(("days", "kept"), [(6, True), (8, False)])
def test_a_file_that_no_outbox_knows_of_is_kept_as_long_as_calls_are(
    settings: Settings,
    enricher: Enricher,
    monkeypatch: pytest.MonkeyPatch,
    *,
    days: int,
    kept: bool,
):
    file = settings.outbox / "recordings" / "left.wav"
    file.parent.mkdir(mode=0o700)
    file.write_bytes(b"RIFF")
    later = time.time() + days * DAY
    monkeypatch.setattr(_enrich.time, "time", lambda: later)
    enricher.tidy()
    assert file.exists() == kept


def test_who_lost_its_lease_says_nothing_of_what_another_found(
    settings: Settings, outbox: SqliteOutbox, enricher: Enricher, monkeypatch: pytest.MonkeyPatch
):
    outbox.expect(audio(settings), now=time.time())

    async def too_late(_: Enricher, one: Pending) -> Any:
        outbox.settle_pending(replace(one, state="found", due_at=DAY**2), now=time.time())
        return Hopeless("it was aborted")

    monkeypatch.setattr(Enricher, "_answer", too_late)
    asyncio.run(enricher.look())
    assert outbox.content("conv-1") == []
