"""The outbox in a SQLite file: private, synced, locked, and explained when the disk is ill."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from outboxes import BASE, LEASE, NOW, claim, document, only, put, send, settle, states, texts
from zelto_agents.outbox import OutboxError, OutboxFullError
from zelto_agents.outbox.sqlite import SqliteOutbox

FORMAT_1 = """
CREATE TABLE delivery (
  id INTEGER PRIMARY KEY, base_url TEXT NOT NULL, external_id TEXT NOT NULL,
  provider TEXT NOT NULL, state TEXT NOT NULL, revision INTEGER NOT NULL, due_at REAL NOT NULL,
  lease_until REAL NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, held_for TEXT,
  key_mark TEXT, status INTEGER, details TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL,
  updated_at REAL NOT NULL, document BLOB, changes BLOB, UNIQUE (base_url, external_id));
CREATE INDEX delivery_due ON delivery (base_url, state, due_at);
PRAGMA user_version = 1;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def outbox(folder: Path) -> Iterator[SqliteOutbox]:
    box = SqliteOutbox(folder)
    yield box
    box.close()


def test_in_memory_it_behaves_alike():
    memory = SqliteOutbox(None)
    put(memory)
    (one,) = claim(memory)
    memory.journal("j", BASE, "live", [b"1"], now=NOW)
    assert settle(memory, one)
    assert states(memory) == {"a": "sent", "live": "live"}
    memory.close()


def test_the_folder_is_0700_and_every_file_in_it_0600(outbox: SqliteOutbox, folder: Path):
    put(outbox)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    modes.pop("outbox.reserve", None)  # there is none where files take no room in advance
    assert modes == dict.fromkeys(
        ("outbox.lock", "outbox.sqlite3", "outbox.sqlite3-shm", "outbox.sqlite3-wal"), 0o600
    )


def test_a_document_is_synced_into_a_write_ahead_log_and_erased_when_it_goes(
    outbox: SqliteOutbox,
):
    def pragma(name: str) -> object:
        return outbox._db.execute(f"PRAGMA {name}").fetchone()[0]

    put(outbox)
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("secure_delete")) == ("wal", 2, 1)


def test_the_words_of_what_was_purged_are_in_no_file(folder: Path):
    outbox = SqliteOutbox(folder)
    words = "said in confidence"
    put(outbox, text=words)
    send(outbox)
    outbox.journal("j", BASE, "live", [words.encode()], now=NOW)
    put(outbox, "live", "over", journal="j")
    outbox.maintain(now=NOW, retain=0, max_age=1000)
    outbox.close()
    assert not [file for file in folder.iterdir() if words.encode() in file.read_bytes()]


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


def test_a_process_that_was_stopped_with_the_lock_does_not_stop_others_for_ever(
    outbox: SqliteOutbox, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("zelto_agents.outbox._files.LOCK_WAIT", 0.1)
    lock = os.open(folder / "outbox.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    for operation in (lambda: put(outbox), outbox.deliveries, lambda: outbox.beat(now=NOW)):
        with pytest.raises(OutboxError, match="another process holds its lock"):
            operation()
    os.close(lock)
    assert put(outbox) == 1


def test_an_outbox_of_a_newer_version_is_left_alone(folder: Path):
    SqliteOutbox(folder).close()
    with sqlite3.connect(folder / "outbox.sqlite3") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    before = (folder / "outbox.sqlite3").read_bytes()
    with pytest.raises(OutboxError, match="written by a newer zelto-agents"):
        SqliteOutbox(folder)
    assert (folder / "outbox.sqlite3").read_bytes() == before


def test_an_outbox_of_the_first_version_is_brought_up_to_date_with_all_that_it_holds(
    folder: Path,
):
    folder.mkdir(mode=0o700)
    with sqlite3.connect(folder / "outbox.sqlite3") as raw:
        raw.executescript(FORMAT_1)
        insert = (
            "INSERT INTO delivery (base_url, external_id, provider, state, revision, due_at,"
            " held_for, attempts, created_at, updated_at, document, changes)"
            " VALUES (?, ?, 'zelto', ?, 3, ?, ?, 2, ?, ?, ?, ?)"
        )
        for name, state, held_for in (
            ("due", "due", None),
            ("key", "held", "key"),
            ("agent", "held", "agent"),
            ("sent", "sent", None),
        ):
            row = (BASE, name, state, NOW, held_for, NOW, NOW, document(name, name), b'{"cost":1}')
            raw.execute(insert, row)
    raw.close()
    outbox = SqliteOutbox(folder)
    assert states(outbox) == {"due": "due", "key": "due", "agent": "held", "sent": "sent"}
    claims = claim(outbox, limit=9)
    assert texts(claims) == ["due", "key"]
    assert {(one.revision, one.attempts, one.changes) for one in claims} == {(3, 3, b'{"cost":1}')}
    outbox.close()


def test_a_file_that_is_no_outbox_is_set_aside_and_the_next_opening_works(folder: Path):
    folder.mkdir(mode=0o700)
    rubbish = b"no database" * 1000
    (folder / "outbox.sqlite3").write_bytes(rubbish)
    with pytest.raises(OutboxError, match="is damaged"):
        SqliteOutbox(folder)
    (aside,) = folder.glob("outbox.damaged-*.sqlite3")
    assert aside.read_bytes() == rubbish
    outbox = SqliteOutbox(folder)
    assert put(outbox) == 1
    outbox.close()


def test_what_a_damaged_file_still_tells_is_saved_into_a_new_one(folder: Path):
    outbox = SqliteOutbox(folder)
    documents = {f"call-{n:03}": document(f"call-{n:03}", "x" * 5000) for n in range(100)}
    for name in documents:
        put(outbox, name, "x" * 5000)
    outbox.journal("j", BASE, "live", [b"1", b"2"], now=NOW)
    outbox.close()
    file = folder / "outbox.sqlite3"
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size // 2)
        raw.write(b"\xff" * 40_000)

    damaged = SqliteOutbox(folder)
    with pytest.raises(OutboxError, match="damaged"):
        claim(damaged, limit=100)
    assert states(damaged)["live"] == "live"
    claims = claim(damaged, NOW + LEASE, limit=100)
    whole = [one for one in claims if one.document == documents[one.external_id]]
    assert len(whole) > 80
    assert settle(damaged, whole[0], now=NOW + LEASE)
    damaged.close()


def test_a_file_that_was_removed_under_way_is_written_anew_with_what_it_held(
    outbox: SqliteOutbox, folder: Path
):
    put(outbox)
    outbox.journal("j", BASE, "live", [b"1"], now=NOW)
    for file in folder.glob("outbox.sqlite3*"):
        file.unlink()
    with pytest.raises(OutboxError, match="was removed"):
        put(outbox, "b")
    put(outbox, "b")
    outbox.journal("j", BASE, "live", [b"1", b"2"], now=NOW)
    other = SqliteOutbox(folder)
    assert states(other) == {"a": "due", "b": "due", "live": "live"}
    other.close()


def test_a_full_disk_takes_no_call_and_lets_what_it_has_be_sent(tmp_path: Path):
    outbox = SqliteOutbox(tmp_path / "outbox")
    put(outbox)
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(OutboxFullError, match="full"):
        put(outbox, "big", "x" * 100_000)
    assert send(outbox) == ["1"]
    assert only(outbox).state == "sent"
    outbox.close()
