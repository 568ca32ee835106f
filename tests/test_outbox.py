"""The outbox: what is put is durable, each revision is claimed once, and the newest one wins."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import outbox_processes
from zelto_agents.outbox import Claim, Delivery, Gatekeeper, OutboxError, Outcome
from zelto_agents.outbox.sqlite import SqliteOutbox

BASE = "https://api.example"
KEY = Gatekeeper(key_mark="k1")
NOW = 1000.0


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    box = SqliteOutbox(tmp_path / "outbox")
    yield box
    box.close()


def put(outbox: SqliteOutbox, external_id: str = "a", text: str = "1", **more: object) -> int:
    body = json.dumps({"call": {"externalId": external_id}, "text": text}).encode()
    return outbox.put(BASE, external_id, body, provider="zelto", **{"now": NOW, **more})  # type: ignore[arg-type]


def claim(outbox: SqliteOutbox, now: float = NOW, **more: object) -> list[Claim]:
    return outbox.claim(BASE, **{"now": now, "lease": 60.0, "gatekeeper": KEY, **more})  # type: ignore[arg-type]


def only(outbox: SqliteOutbox) -> Delivery:
    (delivery,) = outbox.deliveries()
    return delivery


def texts(claims: list[Claim]) -> list[str]:
    return [json.loads(one.body())["text"] for one in claims]


def test_a_document_is_claimed_once_with_its_revision(outbox: SqliteOutbox):
    assert put(outbox) == 1
    (one,) = claim(outbox)
    assert one == Claim(
        base_url=BASE,
        external_id="a",
        provider="zelto",
        revision=1,
        fence=1,
        attempts=1,
        failures=0,
        document=b'{"call": {"externalId": "a"}, "text": "1"}',
    )
    assert claim(outbox) == []


def test_another_process_sees_what_was_put(outbox: SqliteOutbox, tmp_path: Path):
    put(outbox)
    other = SqliteOutbox(tmp_path / "outbox")
    assert texts(claim(other)) == ["1"]
    assert claim(outbox) == []
    other.close()


def test_a_newer_revision_replaces_the_waiting_one(outbox: SqliteOutbox):
    put(outbox)
    assert put(outbox, text="2") == 2
    assert texts(claim(outbox)) == ["2"]
    assert len(outbox.deliveries()) == 1


def test_an_attempt_acknowledges_only_the_revision_that_it_carried(outbox: SqliteOutbox):
    put(outbox)
    (first,) = claim(outbox)
    put(outbox, text="2")
    assert claim(outbox) == []
    assert outbox.settle(first, Outcome("sent"), now=NOW)
    assert texts(claim(outbox)) == ["2"]


@pytest.mark.parametrize("state", ["sent", "due", "held", "dead"])
def test_whatever_becomes_of_an_older_revision_the_newer_one_stays_due(
    outbox: SqliteOutbox, state: str
):
    put(outbox)
    (first,) = claim(outbox)
    put(outbox, text="2")
    outbox.settle(first, Outcome(state, due_at=NOW + 900, held_for="key"), now=NOW)  # type: ignore[arg-type]
    assert texts(claim(outbox)) == ["2"]


def test_a_claim_whose_lease_ran_out_is_free_and_its_owner_is_fenced_off(outbox: SqliteOutbox):
    put(outbox)
    (lost,) = claim(outbox)
    (won,) = claim(outbox, now=NOW + 61)
    assert (won.fence, won.attempts) == (2, 2)
    assert not outbox.settle(lost, Outcome("dead"), now=NOW + 62)
    assert outbox.settle(won, Outcome("sent"), now=NOW + 62)
    assert only(outbox).state == "sent"


def test_a_retry_waits_for_its_time(outbox: SqliteOutbox):
    put(outbox)
    (one,) = claim(outbox)
    outbox.settle(one, Outcome("due", due_at=NOW + 30, status=503, details="busy"), now=NOW)
    assert outbox.next_due(BASE) == NOW + 30
    assert claim(outbox, now=NOW + 29) == []
    assert [(c.attempts, c.failures) for c in claim(outbox, now=NOW + 30)] == [(2, 1)]
    assert (only(outbox).status, only(outbox).details) == (503, "busy")


def test_what_one_key_held_starts_at_once_with_another_and_is_probed_with_the_same(
    outbox: SqliteOutbox,
):
    put(outbox)
    (one,) = claim(outbox)
    held = Outcome("held", due_at=NOW + 300, status=401, held_for="key", key_mark="k1")
    outbox.settle(one, held, now=NOW)
    assert claim(outbox, now=NOW + 1) == []
    (other,) = claim(outbox, now=NOW + 1, gatekeeper=Gatekeeper(key_mark="k2"))
    outbox.settle(other, held, now=NOW + 1)
    assert len(claim(outbox, now=NOW + 301)) == 1


def test_a_call_without_an_agent_waits_until_one_is_known(outbox: SqliteOutbox):
    put(outbox, held_for="agent")
    assert claim(outbox, now=NOW + 1e6) == []
    (one,) = claim(outbox, gatekeeper=Gatekeeper("k1", agent_id="support"))
    assert json.loads(one.body("support"))["agent"] == {"externalId": "support"}


def test_an_enrichment_merges_and_makes_the_next_revision_due(outbox: SqliteOutbox):
    put(outbox)
    (one,) = claim(outbox)
    outbox.settle(one, Outcome("sent"), now=NOW)
    assert outbox.enrich(BASE, "a", {"call": {"cost": 1}}, now=NOW) == 2
    assert outbox.enrich(BASE, "a", {"call": {"recordingUrl": "u"}}, now=NOW) == 3
    (two,) = claim(outbox)
    assert two.revision == 3
    assert json.loads(two.body()) == {
        "call": {"externalId": "a", "cost": 1, "recordingUrl": "u"},
        "text": "1",
    }


def test_an_enrichment_that_comes_first_waits_for_its_document(outbox: SqliteOutbox):
    assert outbox.enrich(BASE, "a", {"call": {"cost": 1}}, now=NOW) == 0
    assert claim(outbox) == []
    put(outbox)
    put(outbox, text="2")
    (one,) = claim(outbox)
    assert json.loads(one.body()) == {"call": {"externalId": "a", "cost": 1}, "text": "2"}


def test_the_oldest_goes_first_and_one_can_be_asked_for(outbox: SqliteOutbox):
    for name in ("a", "b", "c"):
        put(outbox, name, name, due_at=NOW - ord(name))
    put(outbox, "later", "later", due_at=NOW + 5)
    assert texts(claim(outbox, external_id="later")) == ["later"]
    assert texts(claim(outbox, limit=10)) == ["c", "b", "a"]


def test_sent_documents_are_purged_in_time_and_waiting_ones_become_dead_letters(
    outbox: SqliteOutbox,
):
    put(outbox, "sent")
    (one,) = claim(outbox)
    outbox.settle(one, Outcome("sent"), now=NOW)
    put(outbox, "waits")
    assert outbox.maintain(now=NOW + 99, retain=100, max_age=1000) == 0
    assert [d.state for d in outbox.deliveries()] == ["sent", "due"]
    assert outbox.maintain(now=NOW + 1000, retain=100, max_age=1000) == 1
    assert [(d.external_id, d.state) for d in outbox.deliveries()] == [("waits", "dead")]
    assert "ZELTO_MAX_AGE" in only(outbox).details
    outbox.maintain(now=NOW + 1000 + 30 * 86400, retain=100, max_age=1000)
    assert outbox.deliveries() == []


def test_what_was_put_without_a_base_url_is_given_one_later(outbox: SqliteOutbox):
    outbox.put("", "a", b'{"text": "1"}', provider="zelto", now=NOW)
    assert claim(outbox) == []
    assert outbox.readdress(BASE, now=NOW) == 1
    assert texts(claim(outbox)) == ["1"]


def test_readdressing_keeps_the_newer_document_and_every_enrichment(outbox: SqliteOutbox):
    outbox.enrich(BASE, "a", {"call": {"recordingUrl": "u"}}, now=NOW)
    outbox.put("", "a", b'{"call":{"externalId":"a"},"text":"1"}', provider="zelto", now=NOW + 1)
    outbox.enrich("", "a", {"call": {"cost": 1}}, now=NOW + 1)
    put(outbox, "b", "new", now=NOW + 2)
    outbox.put("", "b", b'{"text":"old"}', provider="zelto", now=NOW)
    assert outbox.readdress(BASE, now=NOW + 3) == 2
    bodies = {c.external_id: json.loads(c.body()) for c in claim(outbox, now=NOW + 3, limit=9)}
    assert bodies["a"] == {
        "call": {"externalId": "a", "recordingUrl": "u", "cost": 1},
        "text": "1",
    }
    assert bodies["b"]["text"] == "new"
    assert len(outbox.deliveries()) == 2


def test_what_met_no_api_moves_to_a_corrected_base_url(outbox: SqliteOutbox):
    put(outbox)
    (one,) = claim(outbox)
    outbox.settle(one, Outcome("due", due_at=NOW + 300, status=404), now=NOW)
    put(outbox, "b")
    assert outbox.readdress("https://right.example", now=NOW) == 1
    moved = outbox.claim("https://right.example", now=NOW, lease=60, gatekeeper=KEY, limit=9)
    assert [c.external_id for c in moved] == ["a"]


def test_an_expired_enrichment_that_comes_again_waits_again(outbox: SqliteOutbox):
    outbox.enrich(BASE, "a", {"call": {"cost": 1}}, now=NOW)
    outbox.maintain(now=NOW + 1000, retain=0, max_age=1000)
    assert only(outbox).state == "dead"
    assert outbox.enrich(BASE, "a", {"call": {"cost": 2}}, now=NOW + 1000) == 0
    assert claim(outbox, now=NOW + 1000) == []


def test_sent_documents_make_room_for_new_ones(tmp_path: Path):
    small = SqliteOutbox(tmp_path / "outbox", max_bytes=200_000)
    for number in range(20):
        small.put(BASE, f"c{number}", b"x" * 20_000, provider="zelto", now=NOW)
        (one,) = claim(small)
        small.settle(one, Outcome("sent"), now=NOW)
    assert 0 < len(small.deliveries()) < 20
    small.close()


def test_a_process_that_was_stopped_with_the_lock_does_not_stop_others_for_ever(
    outbox: SqliteOutbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("zelto_agents.outbox._files.LOCK_WAIT", 0.1)
    lock = os.open(tmp_path / "outbox" / "outbox.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(OutboxError, match="another process holds its lock"):
        put(outbox)
    os.close(lock)
    assert put(outbox) == 1


def test_base_urls_do_not_see_each_others_deliveries(outbox: SqliteOutbox):
    outbox.put("https://staging.example", "a", b"{}", provider="zelto", now=NOW)
    assert claim(outbox) == []
    assert outbox.next_due(BASE) is None


def test_the_folder_is_0700_and_every_file_in_it_0600(outbox: SqliteOutbox, tmp_path: Path):
    put(outbox)
    folder = tmp_path / "outbox"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == dict.fromkeys(
        ("outbox.lock", "outbox.sqlite3", "outbox.sqlite3-shm", "outbox.sqlite3-wal"), 0o600
    )


def test_every_commit_is_synced_into_a_write_ahead_log(outbox: SqliteOutbox):
    def pragma(name: str) -> object:
        return outbox._db.execute(f"PRAGMA {name}").fetchone()[0]

    assert (pragma("journal_mode"), pragma("synchronous"), pragma("secure_delete")) == ("wal", 2, 1)


def test_a_folder_that_is_open_to_others_is_closed_only_if_it_is_ours(tmp_path: Path):
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o755)
    SqliteOutbox(ours).close()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "other.txt").touch()
    with pytest.raises(OutboxError, match="set ZELTO_OUTBOX to a folder of its own"):
        SqliteOutbox(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_a_link_or_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for name in ("file", "link", "file/below"):
        with pytest.raises(OutboxError, match=r"ZELTO_OUTBOX|not a folder"):
            SqliteOutbox(tmp_path / name)


def test_a_full_outbox_refuses_with_the_remedy_and_keeps_what_it_has(tmp_path: Path):
    small = SqliteOutbox(tmp_path / "outbox", max_bytes=100_000)
    put(small, "a")
    with pytest.raises(OutboxError, match="raise ZELTO_OUTBOX_MAX_BYTES"):
        small.put(BASE, "big", b"x" * 100_000, provider="zelto", now=NOW)
    assert [d.external_id for d in small.deliveries()] == ["a"]
    small.close()


def test_an_outbox_of_a_newer_version_is_left_alone(tmp_path: Path):
    SqliteOutbox(tmp_path / "outbox").close()
    raw = sqlite3.connect(tmp_path / "outbox" / "outbox.sqlite3")
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(OutboxError, match="written by a newer zelto-agents"):
        SqliteOutbox(tmp_path / "outbox")


def test_a_corrupt_file_is_named_with_the_remedy(tmp_path: Path):
    folder = tmp_path / "outbox"
    folder.mkdir(mode=0o700)
    (folder / "outbox.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(OutboxError, match="check the disk and its permissions"):
        SqliteOutbox(folder)


def test_eight_processes_at_once_lose_nothing_and_send_nothing_twice(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    folder, each = str(tmp_path / "outbox"), 40
    workers = [
        context.Process(target=outbox_processes.write, args=(folder, f"w{n}", each))
        for n in range(5)
    ]
    workers += [
        context.Process(target=outbox_processes.drain, args=(folder, answers, 5 * each))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    sent = [name for _ in range(3) for name in answers.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert sorted(sent) == sorted(f"w{n}-{i}" for n in range(5) for i in range(each))


def test_in_memory_it_behaves_alike():
    memory = SqliteOutbox(None)
    put(memory)
    assert texts(claim(memory)) == ["1"]
    memory.close()
