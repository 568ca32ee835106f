"""A disk that is full or read-only: the agent runs, the operator is told once, nothing is lost."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.disks import CannotMountError, fill_up, remount, small_disk
from faults.door import Network
from zelto_agents import Settings, Zelto
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver

WORDS = "The disk of this machine is full. "


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as mounted:
        try:
            yield mounted.enter_context(small_disk(tmp_path / "disk", "12m"))
        except CannotMountError as why:
            pytest.skip(str(why))


@pytest.fixture
def doors() -> Iterator[Network]:
    with Network() as doors:
        yield doors


def settings_for(url: str, receiver: RunningReceiver, folder: Path) -> Settings:
    return Settings.load({}, api_key=receiver.key, base_url=url, outbox=folder)


def talk(zelto: Zelto, prefix: str, calls: int, size: int = 40_000) -> list[str]:
    names = [f"{prefix}-{number}" for number in range(calls)]
    for name in names:
        with zelto.call(name, agent_id="proof") as call:
            call.turn("user", name + WORDS * (size // len(WORDS)), start=0.4, end=1.1)
    return names


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the operator was told of the outbox."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.ERROR and "outbox" in record.getMessage()
    ]


def assert_all_arrive(receiver: RunningReceiver, names: list[str]) -> None:
    for name in names:
        turns = receiver.wait_for(name, 60)["turns"]
        assert [turn["content"][: len(name)] for turn in turns] == [name]


def states_in(folder: Path, copy: Path) -> dict[str, str]:
    """What an outbox holds; looked at in a copy, as a full disk has no room for another reader."""
    shutil.copytree(folder, copy)
    outbox = SqliteOutbox(copy)
    states = {one.external_id: one.state for one in outbox.deliveries()}
    outbox.close()
    return states


def assert_noted(folder: Path, copy: Path, names: list[str]) -> None:
    """The disk is full, and yet the answers are noted on it."""
    states = states_in(folder, copy)
    with contextlib.closing(sqlite3.connect(copy / "outbox.sqlite3")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {name: states.get(name) for name in names} == dict.fromkeys(names, "sent")


def test_a_disk_filled_by_others_keeps_nothing_from_being_sent(
    disk: Path,
    tmp_path: Path,
    receiver: RunningReceiver,
    doors: Network,
    caplog: pytest.LogCaptureFixture,
):
    door = doors.door(receiver.url, shut=True)
    settings = settings_for(door.url, receiver, disk / "outbox")
    with Zelto(settings=settings) as zelto:
        early = talk(zelto, "early", 20)
        zelto.flush(10)
        fill_up(disk)
        late = talk(zelto, "late", 80)
        zelto.flush(10)
        door.open()
        assert_all_arrive(receiver, early + late)
    assert_noted(settings.outbox, tmp_path / "copy", early)
    (only,) = told(caplog)
    assert "is full" in only
    assert receiver.raw_count() == 100


@pytest.mark.exhaustive
def test_an_outbox_that_fills_its_disk_loses_nothing(
    disk: Path,
    tmp_path: Path,
    receiver: RunningReceiver,
    doors: Network,
    caplog: pytest.LogCaptureFixture,
):
    door = doors.door(receiver.url, shut=True)
    settings = settings_for(door.url, receiver, disk / "outbox")
    with Zelto(settings=settings) as zelto:
        names = talk(zelto, "call", 100, size=200_000)
        zelto.flush(20)
        durable = list(states_in(settings.outbox, tmp_path / "full"))
        assert 10 < len(durable) < len(names)
        door.open()
        assert_all_arrive(receiver, names)
    assert_noted(settings.outbox, tmp_path / "copy", durable)
    (only,) = told(caplog)
    assert "is full" in only


def test_a_read_only_disk_costs_durability_alone(
    disk: Path,
    receiver: RunningReceiver,
    doors: Network,
    caplog: pytest.LogCaptureFixture,
):
    door = doors.door(receiver.url, shut=True)
    settings = settings_for(door.url, receiver, disk / "outbox")
    with Zelto(settings=settings) as zelto:
        waiting = talk(zelto, "waiting", 10)
    remount(disk, "ro")
    with Zelto(settings=settings) as zelto:
        direct = talk(zelto, "direct", 10)
        zelto.flush(10)
        door.open()
        assert_all_arrive(receiver, direct)
    assert len(told(caplog)) == 1
    remount(disk, "rw")
    with Zelto(settings=settings) as zelto:
        last = talk(zelto, "last", 1)
        assert_all_arrive(receiver, waiting + last)
