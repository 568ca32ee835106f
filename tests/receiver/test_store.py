"""What is on the disk: keys only as hashes, files for their owner only, nothing forgotten."""

from __future__ import annotations

import json
import sqlite3
import stat

import httpx
import pytest

from zelto_agents.receiver import run_in_thread
from zelto_agents.receiver.schema import connect


def test_a_key_is_kept_as_a_hash_only(tmp_path):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as receiver:
        key = receiver.key
        httpx.get(f"{receiver.url}/v1/agents", headers={"Authorization": f"Bearer {key}"})
        files = list(tmp_path.iterdir())
        assert all(key.encode() not in file.read_bytes() for file in files)
    assert key.encode() not in path.read_bytes()


def test_its_files_are_for_their_owner_only(tmp_path):
    with run_in_thread(tmp_path / "zelto.db"):
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}


def test_a_known_database_mints_no_new_key_and_takes_the_old_one(tmp_path):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as first:
        key = first.key
    with run_in_thread(path) as second:
        assert second.key is None
        answer = httpx.get(f"{second.url}/v1/agents", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200


def test_a_new_key_can_be_asked_for_and_the_old_one_stays_good(tmp_path):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as first:
        keys = [first.key]
    with run_in_thread(path, new_key=True) as second:
        keys += [second.key, second.store.mint_key()]
        assert len(set(keys)) == 3
        for key in keys:
            headers = {"Authorization": f"Bearer {key}"}
            assert httpx.get(f"{second.url}/v1/agents", headers=headers).status_code == 200


def test_a_temporary_database_is_removed():
    with run_in_thread() as receiver:
        assert receiver.db.exists()
    assert not receiver.db.parent.exists()


def test_the_raw_log_cannot_be_changed(receiver, send, body):
    send(body())
    db = sqlite3.connect(receiver.db)
    try:
        for statement in ("UPDATE raw SET body = x''", "DELETE FROM raw"):
            with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                db.execute(statement)
    finally:
        db.close()


def test_what_was_received_but_not_ingested_is_ingested_at_the_next_start(tmp_path, body):
    path = tmp_path / "zelto.db"
    rows = [
        ("livekit", json.dumps(body("a")).encode()),
        (None, b"{"),
        (None, json.dumps(body("b")).encode()),
    ]
    db = connect(path)
    db.executemany("INSERT INTO raw (received_at, provider, body) VALUES ('2026', ?, ?)", rows)
    db.close()
    with run_in_thread(path) as receiver:
        receiver.wait_until_ingested()
        assert [each["externalId"] for each in receiver.conversations()] == ["b", "a"]
        states = [each["state"] for each in receiver.deliveries()]
        assert states == ["ingested", "rejected", "ingested"]


def test_nothing_is_ingested_twice_by_a_restart(tmp_path, body):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as receiver:
        headers = {"Authorization": f"Bearer {receiver.key}"}
        httpx.post(f"{receiver.url}/webhooks/calls", json=body(), headers=headers)
        before = receiver.wait_for("conv-1")
    with run_in_thread(path) as receiver:
        receiver.wait_until_ingested()
        assert receiver.conversations() == [before]
