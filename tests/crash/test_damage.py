"""An outbox that is overwritten or removed under a running process: what can be saved is saved."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.door import Door, Network
from zelto_agents import Call, Settings, Zelto
from zelto_agents.receiver import RunningReceiver

FILE = "outbox.sqlite3"
CALLS = 40


def _garbage(folder: Path, share: tuple[float, float]) -> None:
    """Overwrite a part of the file, once all that is in the write-ahead log is in it as well."""
    path = folder / FILE
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    first, last = (int(size * part) for part in share)
    with path.open("r+b") as file:
        file.seek(first)
        file.write(os.urandom(last - first))


def header(folder: Path) -> None:
    _garbage(folder, (0.0, 0.02))


def middle(folder: Path) -> None:
    _garbage(folder, (0.3, 0.6))


def file_deleted(folder: Path) -> None:
    for path in folder.glob(f"{FILE}*"):
        path.unlink()


def folder_deleted(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.fixture
def door(receiver: RunningReceiver) -> Iterator[Door]:
    with Network() as doors:
        yield doors.door(receiver.url, shut=True)


def talk(zelto: Zelto, name: str) -> Call:
    call = zelto.call(name, agent_id="proof")
    call.turn("user", f"I am {name}. " + "word " * 4000, start=0.4, end=1.1)
    return call


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.ERROR and "outbox" in record.getMessage()
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("damage", "all_saved"),
    [(file_deleted, True), (folder_deleted, True), (header, False), (middle, False)],
)
def test_calls_after_the_damage_arrive_and_what_can_be_read_is_saved(
    damage: Callable[[Path], None],
    all_saved: bool,
    receiver: RunningReceiver,
    door: Door,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    settings = Settings.load(
        {}, api_key=receiver.key, base_url=door.url, outbox=tmp_path / "outbox"
    )
    with Zelto(settings=settings) as zelto:
        before = [f"before-{number}" for number in range(CALLS)]
        for name in before:
            talk(zelto, name).end()
        live = talk(zelto, "live")
        zelto.flush(10)
        damage(settings.outbox)
        live.turn("assistant", "And I saw it happen.", start=2.0, end=3.0)
        live.end()
        after = [f"after-{number}" for number in range(5)]
        for name in after:
            talk(zelto, name).end()
        zelto.flush(10)
        door.open()
        for name in after:
            receiver.wait_for(name, 60)
        seen = receiver.wait_for("live", 60, where=lambda one: len(one["turns"]) == 2)
        assert seen["turns"][1]["content"] == "And I saw it happen."
        if all_saved:
            for name in before:
                receiver.wait_for(name, 60)
    (only,) = told(caplog)
    assert str(settings.outbox) in only
    if not all_saved:
        assert list(settings.outbox.glob("outbox.damaged-*"))


@pytest.mark.parametrize("damage", [header, middle])
def test_a_process_that_finds_a_damaged_outbox_starts_with_what_is_left(
    damage: Callable[[Path], None],
    receiver: RunningReceiver,
    door: Door,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    settings = Settings.load(
        {}, api_key=receiver.key, base_url=door.url, outbox=tmp_path / "outbox"
    )
    with Zelto(settings=settings) as zelto:
        for number in range(CALLS):
            talk(zelto, f"before-{number}").end()
        zelto.flush(10)
    damage(settings.outbox)
    with Zelto(settings=settings) as zelto:
        talk(zelto, "after").end()
        zelto.flush(10)
        door.open()
        receiver.wait_for("after", 60)
    (only,) = told(caplog)
    assert "damaged" in only
