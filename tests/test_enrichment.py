"""From a call to its recording: kept, uploaded, found and sent again, whatever dies in between."""

from __future__ import annotations

import json
import math
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import environment, opened, run
from shelf import FROM_HERE, Shelf, audio_of, sound_in
from zelto_agents import CallIngest, Settings, Zelto
from zelto_agents.receiver import RunningReceiver, run_in_thread

RATE = 8000
LIVE = """
import sys, time
from zelto_agents import Zelto
zelto = Zelto()
call = zelto.call("conv-1", agent_id="support")
call.turn("user", "Hi", start=0.1, end=0.4)
for part in range(4):
    call.audio(bytes([part, 0]) * 2000, rate=8000)
    zelto.flush()
if "end" in sys.argv:
    call.end("customer-ended-call")
    zelto.flush()
print("there", flush=True)
time.sleep(60)
"""


def tone(seconds: float) -> bytes:
    count = int(seconds * RATE)
    return struct.pack(f"<{count}h", *(int(9000 * math.sin(n / 3)) for n in range(count)))


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


def environment_of(settings: Settings, shelf: Shelf) -> dict[str, str]:
    assert settings.api_key is not None
    key = settings.api_key.get_secret_value()
    return environment(settings.outbox, settings.base_url or "", key, **shelf.environment)


def bodies(receiver: RunningReceiver) -> list[dict[str, Any]]:
    return [json.loads(receiver.raw_body(d["id"]) or b"") for d in receiver.deliveries("conv-1")]


def test_audio_that_was_handed_over_is_heard_on_the_page(
    settings: Settings, receiver: RunningReceiver
):
    heard = tone(0.5)
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi", start=0.1, end=0.4)
            assert call.keeps_audio
            call.audio(heard[:1000], rate=RATE)
            call.audio(heard[1000:], rate=RATE)
        assert sound_in(audio_of(receiver)) == (RATE, 1, heard)
    first, last = bodies(receiver)[0], bodies(receiver)[-1]
    assert "recordingUrl" not in first["call"]
    assert first["metadata"]["zelto"]["recording"] == {"state": "awaited", "from": "audio"}
    assert last["metadata"]["zelto"]["recording"] == {"state": "found", "from": "audio"}
    assert list((settings.outbox / "recordings").iterdir()) == []


def test_a_file_of_the_hosts_own_stays_where_it_is(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    file = tmp_path / "mine.ogg"
    file.write_bytes(b"OggS" + bytes(5000))
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.recording(file=file)
        assert audio_of(receiver) == file.read_bytes()


@pytest.mark.parametrize("when", ["live", "end"])
def test_a_process_that_is_killed_leaves_its_recording_to_a_drain(
    settings: Settings, receiver: RunningReceiver, shelf: Shelf, when: str
):
    folder = shelf.folder
    folder.rmdir()
    folder.write_text("in the way")  # nothing can be uploaded while the call's process lives
    env = environment_of(settings, shelf)
    with subprocess.Popen([sys.executable, "-c", LIVE, when], env=env, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
    folder.unlink()
    folder.mkdir()
    with opened(settings.outbox) as engine:
        waiting = engine.pending()
    assert [(one.kind, one.state) for one in waiting] == [("audio", "waiting")]
    done = run("drain", env=env)
    assert done.code == 0, done.errors
    expected = b"".join(bytes([part, 0]) * 2000 for part in range(4))
    assert sound_in(audio_of(receiver)) == (8000, 1, expected)
    ended = {"live": "agent-process-died", "end": "customer-ended-call"}[when]
    assert bodies(receiver)[-1]["call"]["endedReason"] == ended


def test_calls_that_use_one_file_after_another_have_their_own(
    settings: Settings, receiver: RunningReceiver, shelf: Shelf, tmp_path: Path, monkeypatch: Any
):
    monkeypatch.chdir(tmp_path)
    shelf.folder.rmdir()
    shelf.folder.write_text("in the way")  # both wait
    with Zelto(settings=settings) as zelto:
        for name, said in (("conv-1", b"Ada"), ("conv-2", b"Bob")):
            Path("rec.ogg").write_bytes(b"OggS" + said * 1000)
            with zelto.call(name, agent_id="support") as call:
                call.turn("user", "Hi")
                call.recording(file="rec.ogg")
            assert zelto.flush()
    shelf.folder.unlink()
    assert run("drain", env=environment_of(settings, shelf)).code == 0
    assert audio_of(receiver, "conv-1") == b"OggS" + b"Ada" * 1000
    assert audio_of(receiver, "conv-2") == b"OggS" + b"Bob" * 1000


def test_audio_after_the_end_is_no_part_of_the_call(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.audio(tone(0.2), rate=RATE)
        assert sound_in(audio_of(receiver))[2] == tone(0.2)
        call.audio(tone(0.1), rate=RATE)
        zelto.flush()
    assert list((settings.outbox / "recordings").iterdir()) == []


def test_a_second_recording_that_is_told_after_the_end_is_looked_for_too(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    file = tmp_path / "late.ogg"
    file.write_bytes(b"OggS" + bytes(5000))
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.recording(file=tmp_path / "never.ogg")
        assert zelto.flush()
        call.recording(file=file)
        assert audio_of(receiver) == file.read_bytes()


def test_a_call_without_words_is_sent_and_its_recording_revives_it(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.audio(tone(0.2), rate=RATE)
        assert sound_in(audio_of(receiver))[2] == tone(0.2)
    assert next(d["state"] for d in receiver.deliveries("conv-1")) == "unconnected"


def test_why_a_recording_is_not_there_is_visible_and_its_file_is_kept(
    settings: Settings, receiver: RunningReceiver, shelf: Shelf
):
    folder = shelf.folder
    folder.rmdir()
    folder.write_text("in the way")
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.audio(tone(0.2), rate=RATE)
        assert zelto.flush()
    receiver.wait_for("conv-1")
    drained = run("drain", env=environment_of(settings, shelf))
    listed = run("outbox", "list", "--json", env=environment_of(settings, shelf)).json["recordings"]
    assert [(one["external_id"], one["state"]) for one in listed] == [("conv-1", "waiting")]
    assert listed[0]["details"] in drained.errors
    assert len(list((settings.outbox / "recordings").iterdir())) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_a_files_name_is_in_no_sentence(
    settings: Settings,
    receiver: RunningReceiver,
    shelf: Shelf,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kept: bool,
):
    shelf.folder.rmdir()
    shelf.folder.write_text("in the way")
    if not kept:
        settings.outbox.mkdir(mode=0o700)
        (settings.outbox / "recordings").write_text("in the way")
    file = tmp_path / "+15550100.ogg"
    file.write_bytes(b"OggS" + bytes(5000))
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.recording(file=file)
        assert zelto.flush()
    receiver.wait_for("conv-1")
    env = environment_of(settings, shelf)
    drained = run("drain", env=env)
    (one,) = run("outbox", "list", "--json", env=env).json["recordings"]
    assert one["details"] == "its file cannot be copied into ZELTO_RECORDINGS (File exists)"
    assert one["details"] in drained.errors
    assert "5550100" not in caplog.text + drained.errors + drained.out


def test_what_cannot_be_found_any_more_is_said_in_the_document(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.recording(file="/nowhere/a.ogg")
        told = receiver.wait_for(
            "conv-1",
            where=lambda c: c["metadata"]["zelto"]["recording"]["state"] == "failed",
        )
    recording = told["metadata"]["zelto"]["recording"]
    assert recording == {"state": "failed", "from": "file", "why": recording["why"]}
    assert recording["why"] == "its file is gone, and was not uploaded"


def test_a_recording_can_be_added_from_any_process_later(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path, shelf: Shelf
):
    with Zelto(settings=settings) as zelto, zelto.call("conv-1", agent_id="support") as call:
        call.turn("user", "Hi")
    file = tmp_path / "late.ogg"
    file.write_bytes(b"OggS" + bytes(5000))
    words = ("--recording-file", str(file), "--cost", "0.25", "--metadata", "crm.ticket=4711")
    done = run("enrich", "conv-1", *words, "--json", env=environment_of(settings, shelf))
    assert (done.code, done.json) == (
        0,
        {"external_id": "conv-1", "state": "sent", "recording": []},
    ), done.errors
    assert audio_of(receiver) == file.read_bytes()
    newest = bodies(receiver)[-1]
    assert newest["call"]["cost"] == 0.25
    assert newest["metadata"]["crm"] == {"ticket": 4711}


def test_nothing_private_of_a_recording_is_readable_by_others(settings: Settings):
    os.umask(0)
    with Zelto(settings=settings) as zelto:
        call = zelto.call("conv-1", agent_id="support")
        call.audio(tone(0.2), rate=RATE)
        zelto.flush()
        folder = settings.outbox / "recordings"
        (file,) = folder.iterdir()
        assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
        call.end()


def test_without_a_place_for_recordings_no_audio_is_kept(receiver: RunningReceiver, tmp_path: Path):
    with (
        Zelto(api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "outbox") as zelto,
        zelto.call("conv-1", agent_id="support") as call,
    ):
        call.turn("user", "Hi")
        call.audio(tone(0.2), rate=RATE)
        assert not call.keeps_audio
    assert "metadata" not in bodies(receiver)[0]
    assert not (tmp_path / "outbox" / "recordings").exists()


def test_only_what_the_filter_wants_is_sent(settings: Settings, receiver: RunningReceiver):
    def said_enough(document: CallIngest) -> bool:
        return len(document.transcript.turns if document.transcript else []) > 1

    with Zelto(settings=settings) as zelto:
        for name, turns in (("conv-1", 1), ("conv-2", 2)):
            with zelto.call(name, agent_id="support", filter=said_enough) as call:
                call.audio(tone(0.1), rate=RATE)
                for _ in range(turns):
                    call.turn("user", "Hi")
        assert zelto.flush()
        call = zelto.call("conv-1", agent_id="support")  # without the filter, once it was asked
        call.turn("user", "Hi again")
        call.end()
        zelto.enrich("conv-1", cost=1.0, recording={"daily": "rec-1"})
        assert zelto.flush()
    assert list((settings.outbox / "recordings").iterdir()) == []
    assert {d["externalId"] for d in receiver.deliveries()} == {"conv-2"}
    with opened(settings.outbox) as engine:
        assert {one.external_id for one in engine.pending()} <= {"conv-2"}
        assert {d.external_id: d.state for d in engine.deliveries()} == {
            "conv-1": "skipped",
            "conv-2": "sent",
        }


def test_a_filter_that_fails_loses_no_call(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support", filter=lambda _: 1 / 0 > 1) as call:
            call.turn("user", "Hi")
        assert zelto.flush()
    assert len(bodies(receiver)) == 1
    assert "filter failed (ZeroDivisionError): the call is sent" in caplog.text


def test_each_new_way_in_which_a_filter_fails_is_said_once_by_its_type(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    def refuse(document: CallIngest) -> bool:
        fault = {"conv-1": KeyError, "conv-2": KeyError}.get(document.call.external_id, TypeError)
        raise fault("my secret words")

    with Zelto(settings=settings) as zelto:
        for name in ("conv-1", "conv-2", "conv-3"):
            with zelto.call(name, agent_id="support", filter=refuse) as call:
                call.turn("user", "Hi")
        assert zelto.flush()
    assert receiver.raw_count() == 3
    said = [one.getMessage() for one in caplog.records if "filter" in one.getMessage()]
    assert said == [
        f"filter failed ({name}): the call is sent" for name in ("KeyError", "TypeError")
    ]
