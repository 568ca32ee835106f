"""Keys: minted and revoked by another process while the receiver runs, listed without secrets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import stat

import httpx
import pytest

from commands import run
from zelto_agents.receiver import RunningReceiver
from zelto_agents.receiver.schema import connect

KEY = "zelto_dev_[A-Za-z0-9_-]{43}"
PLAIN = os.environ | {"COLUMNS": "200"}


def keys(*arguments: str):
    return run("keys", *arguments, env=PLAIN)


def status(receiver: RunningReceiver, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{receiver.url}/v1/agents", headers=headers).status_code


def eventually(condition) -> bool:
    """Whether it holds within a second or so; asked over HTTP, each time."""
    return any(condition() for _ in range(2000))


def test_a_key_minted_by_another_process_is_taken_at_once(receiver):
    made = keys("mint", "--db", str(receiver.db), "--name", "laptop", "--json").json
    assert made == {
        "id": made["id"],
        "name": "laptop",
        "organisation": "default",
        "key": made["key"],
    }
    assert re.fullmatch(KEY, made["key"])
    assert status(receiver, made["key"]) == 200


def test_a_key_revoked_by_another_process_is_refused_soon_and_the_others_are_not(receiver):
    made = keys("mint", "--db", str(receiver.db), "--json").json
    assert status(receiver, made["key"]) == 200
    done = keys("revoke", "--db", str(receiver.db), made["id"], "--json")
    assert (done.code, done.json) == (0, {"revoked": made["id"]})
    assert eventually(lambda: status(receiver, made["key"]) == 401)
    assert status(receiver, receiver.key) == 200
    again = keys("revoke", "--db", str(receiver.db), made["id"])
    assert (again.code, again.out) == (1, "")
    assert again.errors.count("\n") == 1


def test_the_list_tells_names_organisations_and_use_but_no_key(receiver):
    made = keys("mint", "--db", str(receiver.db), "--organisation", "acme", "--json").json
    assert status(receiver, made["key"]) == 200

    def listed():
        return keys("list", "--db", str(receiver.db), "--json").json["keys"]

    receiver.store.wait(lambda: receiver.store.read(_uses) == 1, 10)
    first, second = listed()
    assert first == {
        "id": first["id"],
        "name": "receiver",
        "organisation": "default",
        "createdAt": first["createdAt"],
        "lastUsedAt": None,
        "revokedAt": None,
    }
    assert second == {
        "id": made["id"],
        "name": "key",
        "organisation": "acme",
        "createdAt": second["createdAt"],
        "lastUsedAt": second["lastUsedAt"],
        "revokedAt": None,
    }
    assert second["lastUsedAt"] > second["createdAt"]
    text = keys("list", "--db", str(receiver.db)).out
    assert made["key"] not in text
    assert "acme" in text


def _uses(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(last_used_at) FROM keys").fetchone()[0])


def test_the_last_use_is_not_written_for_every_request(receiver):
    def last_use() -> str | None:
        return receiver.store.read(
            lambda db: db.execute("SELECT last_used_at FROM keys").fetchone()[0]
        )

    status(receiver, receiver.key)
    assert receiver.store.wait(lambda: last_use() is not None, 10)
    first = last_use()
    for _ in range(20):
        status(receiver, receiver.key)
    receiver.store.retry_recording("none")  # goes through the one writer, after all uses
    assert last_use() == first


def test_a_key_may_be_minted_before_the_first_start(tmp_path):
    path = tmp_path / "zelto.db"
    done = keys("mint", "--db", str(path))
    [key] = re.findall(rf"^export ZELTO_API_KEY=({KEY})$", done.out, re.MULTILINE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with RunningReceiver(path) as receiver:
        assert receiver.key is None
        assert status(receiver, key) == 200


def test_only_hashes_are_kept(tmp_path):
    path = tmp_path / "zelto.db"
    key = keys("mint", "--db", str(path), "--json").json["key"]
    with contextlib.closing(connect(path)) as db:
        rows = [dict(row) for row in db.execute("SELECT * FROM keys")]
    assert key not in json.dumps(rows)
    assert all(re.fullmatch("[0-9a-f]{64}", row["hash"]) for row in rows)


@pytest.mark.parametrize("verb", [["list"], ["revoke", "abc"]])
def test_a_file_that_is_missing_is_said_in_one_line_and_not_made(tmp_path, verb):
    path = tmp_path / "zelto.db"
    done = keys(verb[0], "--db", str(path), *verb[1:])
    expected = f"zelto-agents keys {verb[0]}: there is no file {path}\n"
    assert (done.code, done.out, done.errors) == (1, "", expected)
    assert not path.exists()


def test_a_file_that_is_no_database_is_said_in_one_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and long enough to be sure of it\n" * 100)
    done = keys("mint", "--db", str(path))
    assert (done.code, done.out, done.errors.count("\n")) == (1, "", 1)


def test_a_database_without_headers_gets_them_and_keeps_the_rest(tmp_path):
    path = tmp_path / "zelto.db"
    with RunningReceiver(path) as receiver:
        key = receiver.key
        receiver.store.append("zelto", b"{}").on_disk.result()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE raw DROP COLUMN headers")
        db.execute("PRAGMA user_version = 2")
    with RunningReceiver(path) as receiver:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "agent/1"}
        answer = httpx.post(f"{receiver.url}/webhooks/calls", content=b"{}", headers=headers)
        assert answer.status_code == 400
        receiver.wait_until_ingested()
        first, second = (
            httpx.get(f"{receiver.url}/page/deliveries/{number}").json()["delivery"]
            for number in (1, 2)
        )
    assert "headers" not in first
    assert ["user-agent", "agent/1"] in second["headers"]


def test_a_database_of_an_earlier_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "zelto.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE raw (id INTEGER PRIMARY KEY, body BLOB)")
        db.commit()
    before = path.read_bytes()
    with pytest.raises(sqlite3.DatabaseError, match="tables of another version"):
        RunningReceiver(path)
    assert path.read_bytes() == before
