"""The outbox that is always there: what the disk refuses waits in memory, and goes back in order."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zelto_agents.outbox import Claim, Gatekeeper, OutboxError, Outcome, Pending, Put
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.outbox.steady import SteadyOutbox, Tier

BASE = "https://api.example"
KEY = Gatekeeper("k1")
NOW = 1000.0


class Disk:
    """A real SQLite outbox in a folder that a file can stand in the way of."""

    def __init__(self, folder: Path, rest: float) -> None:
        self.folder = folder
        self.faults: list[OutboxError] = []
        self.opened = 0
        self.outbox = SteadyOutbox(
            [Tier(self.open, rest=rest)], lambda fault, _: self.faults.append(fault)
        )

    def open(self) -> SqliteOutbox:
        self.opened += 1
        return SqliteOutbox(self.folder, max_bytes=100_000)

    def fail(self) -> None:
        self.folder.touch()

    def mend(self) -> None:
        self.folder.unlink()

    def put(self, name: str, text: str) -> int:
        body = json.dumps({"text": text}).encode()
        return self.outbox.put(Put(BASE, name, body), now=NOW)

    def claim(self, limit: int = 9) -> list[Claim]:
        return self.outbox.claim(BASE, now=NOW, lease=60, limit=limit, gatekeeper=KEY)

    def on_disk(self) -> dict[str, object]:
        plain = SqliteOutbox(self.folder)
        claims = plain.claim(BASE, now=NOW, lease=0, limit=9, gatekeeper=KEY)
        plain.close()
        return {claim.external_id: json.loads(claim.body()) for claim in claims}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    one = Disk(tmp_path / "outbox", rest=0.0)
    yield one
    one.outbox.close()


@pytest.fixture
def left_alone(tmp_path: Path) -> Iterator[Disk]:
    """A disk that is not tried again for an hour after a fault."""
    one = Disk(tmp_path / "outbox", rest=3600.0)
    yield one
    one.outbox.close()


def test_on_a_well_disk_it_is_that_disk(disk: Disk):
    assert disk.put("a", "1") == 1
    assert disk.on_disk() == {"a": {"text": "1"}}
    assert disk.faults == []


def test_what_the_disk_refuses_can_be_claimed_and_settled_all_the_same(disk: Disk):
    disk.fail()
    disk.put("a", "1")
    (one,) = disk.claim()
    assert one.document == b'{"text": "1"}'
    assert disk.outbox.settle([(one, Outcome("sent"))], now=NOW) == [True]
    assert disk.claim() == []
    assert disk.faults


def test_once_the_disk_is_well_what_waited_moves_there_with_its_enrichments(disk: Disk):
    disk.fail()
    disk.put("a", "1")
    disk.outbox.enrich(BASE, "a", {"cost": 2}, now=NOW)
    disk.outbox.enrich(BASE, "later", {"cost": 3}, now=NOW)
    disk.mend()
    disk.outbox.maintain(now=NOW, retain=100, max_age=1000)
    assert disk.on_disk() == {"a": {"text": "1", "cost": 2}}
    assert disk.put("later", "new") == 1
    assert disk.on_disk()["later"] == {"text": "new", "cost": 3}


def test_a_newer_revision_never_overtakes_by_way_of_the_disk(disk: Disk):
    disk.put("a", "1")
    disk.outbox.close()
    kept = disk.folder.rename(disk.folder.with_name("kept"))
    disk.fail()
    disk.put("a", "2")
    disk.mend()
    kept.rename(disk.folder)
    disk.put("a", "3")
    disk.outbox.maintain(now=NOW, retain=100, max_age=1000)
    assert disk.on_disk() == {"a": {"text": "3"}}
    assert [claim.document for claim in disk.claim()] == [b'{"text": "3"}']


def test_a_full_disk_takes_nothing_more_and_can_still_be_drained(disk: Disk):
    disk.put("a", "1")
    disk.put("big", "x" * 200_000)
    assert disk.on_disk() == {"a": {"text": "1"}}
    assert sorted(claim.external_id for claim in disk.claim()) == ["a", "big"]


def test_a_disk_that_failed_a_moment_ago_is_left_alone(left_alone: Disk):
    disk = left_alone
    disk.fail()
    for number in range(10):
        disk.put(f"call-{number}", "1")
    assert (disk.opened, len(disk.faults)) == (1, 1)
    assert len(disk.claim(limit=20)) == 10


def test_what_is_in_memory_survives_a_close(disk: Disk):
    disk.fail()
    disk.put("a", "1")
    disk.outbox.close()
    assert len(disk.claim()) == 1


def test_what_is_in_memory_goes_to_a_disk_that_is_well_again_at_the_close(left_alone: Disk):
    disk = left_alone
    disk.fail()
    disk.put("a", "1")
    disk.mend()
    disk.outbox.close()
    assert disk.on_disk() == {"a": {"text": "1"}}


def test_an_answer_is_noted_where_its_claim_came_from(disk: Disk):
    disk.put("a", "old")
    (old,) = disk.claim()
    newest = disk.put("a", "x" * 200_000)  # more than the disk may hold
    assert newest > old.revision
    assert disk.outbox.settle([(old, Outcome("sent"))], now=NOW) == [True]
    assert {(d.state, d.revision) for d in disk.outbox.deliveries()} == {("sent", 1), ("due", 1)}
    (new,) = disk.claim()
    assert (new.revision, len(json.loads(new.document)["text"])) == (newest, 200_000)
    assert disk.outbox.settle([(new, Outcome("sent"))], now=NOW) == [True]
    assert disk.claim() == []


def test_what_was_sent_from_memory_is_not_sent_again_from_the_disk(disk: Disk):
    disk.fail()
    disk.put("a", "1")
    (one,) = disk.claim()
    disk.outbox.settle([(one, Outcome("sent"))], now=NOW)
    disk.mend()
    disk.outbox.maintain(now=NOW, retain=1e9, max_age=1e9)
    assert [(d.external_id, d.state) for d in disk.outbox.deliveries()] == [("a", "sent")]
    assert disk.claim() == []


def test_memory_is_purged_like_the_disk(disk: Disk):
    disk.fail()
    disk.put("a", "1")
    (one,) = disk.claim()
    disk.outbox.settle([(one, Outcome("sent"))], now=NOW)
    disk.outbox.maintain(now=NOW + 1, retain=0, max_age=1e9)
    assert disk.outbox.deliveries() == []


def test_who_waits_for_a_call_learns_its_revision_on_disk(disk: Disk):
    moved: list[tuple[str, int]] = []
    disk.outbox.on_moved = lambda *call: moved.append(call)
    disk.fail()
    disk.put("a", "1")
    disk.put("a", "2")
    disk.mend()
    disk.outbox.next_due(BASE, gatekeeper=KEY)
    assert moved == [("a", 1)]
    assert [claim.revision for claim in disk.claim()] == [1]


def test_a_call_that_only_memory_could_take_keeps_its_journal_until_it_is_safe(disk: Disk):
    disk.outbox.journal("j", BASE, "a", [b"1"], now=NOW)
    body = b"x" * 200_000  # more than the disk may hold
    disk.outbox.put(Put(BASE, "a", body, journal="j"), now=NOW)
    assert {(d.external_id, d.state) for d in disk.outbox.deliveries()} == {
        ("a", "live"),
        ("a", "due"),
    }
    (one,) = disk.claim()
    assert disk.outbox.settle([(one, Outcome("sent"))], now=NOW) == [True]
    assert [(d.external_id, d.state) for d in disk.outbox.deliveries()] == [("a", "sent")]


def test_what_is_awaited_can_be_settled_wherever_it_is(tmp_path: Path):
    with contextlib.closing(
        SteadyOutbox([Tier(lambda: SqliteOutbox(tmp_path / "a"))], print)
    ) as one:
        one.expect(Pending("https://x", "a", "daily:1", "daily", "1"), now=1.0)
        (waiting,) = one.pending()
        assert one.settle_pending(replace(waiting, due_at=5.0), now=2.0)
        assert one.claim_pending("https://x", now=4.0, lease=9.0) == []
        (claimed,) = one.claim_pending("https://x", now=5.0, lease=9.0)
        assert one.settle_pending(replace(claimed, state="failed"), now=6.0)
        assert [(p.state, p.due_at) for p in one.pending()] == [("failed", 5.0)]


def test_what_is_awaited_moves_home_with_its_document(disk: Disk):
    disk.fail()
    disk.outbox.expect(Pending(BASE, "a", "daily:1", "daily", "1"), now=NOW)
    disk.mend()
    disk.outbox.maintain(now=NOW, retain=0, max_age=1e9)
    disk.outbox.close()
    with contextlib.closing(SqliteOutbox(disk.folder)) as home:
        assert [(one.name, one.state) for one in home.pending()] == [("daily:1", "waiting")]
