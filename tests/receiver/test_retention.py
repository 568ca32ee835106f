"""Only the newest conversations are kept when so many are asked for; everything otherwise."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx
import pytest

from zelto_agents.receiver import RunningReceiver


def post(receiver: RunningReceiver, key: str | None, *bodies: dict[str, object] | bytes) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    for body in bodies:
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        httpx.post(f"{receiver.url}/webhooks/calls", headers=headers, **sent)
    receiver.wait_until_ingested()


def kept(receiver: RunningReceiver) -> list[str]:
    return [each["externalId"] for each in receiver.conversations()]


def test_the_newest_are_kept_with_their_bodies(tmp_path, body):
    with RunningReceiver(tmp_path / "a.db", keep=3) as receiver:
        for number in range(5):
            post(receiver, receiver.key, body(f"c{number}"), body(f"c{number}", version="v2"))
        assert kept(receiver) == ["c4", "c3", "c2"]
        assert [each["id"] for each in receiver.deliveries()] == [5, 6, 7, 8, 9, 10]
        assert receiver.raw_body(4) is None
        assert receiver.conversation("c2")["deliveries"] == 2


def test_bodies_that_came_to_nothing_go_when_they_are_older(tmp_path, body):
    dial = {"call": {"externalId": "dial"}, "agent": {"externalId": "support"}}
    with RunningReceiver(tmp_path / "a.db", keep=1) as receiver:
        post(receiver, receiver.key, b"{", dial, body("a"), b"[", body("b"), b"]")
        assert kept(receiver) == ["b"]
        assert [each["id"] for each in receiver.deliveries()] == [4, 5, 6]


def test_what_was_kept_before_is_cut_as_well_and_agents_stay(tmp_path, body):
    path = tmp_path / "a.db"
    with RunningReceiver(path) as receiver:
        key = receiver.key
        for number in range(4):
            agent = {"externalId": f"agent-{number}"}
            post(receiver, key, body(f"c{number}", agent=agent))
        assert len(kept(receiver)) == 4
        first = receiver.conversation("c0")["agent"]["id"]
    with RunningReceiver(path, keep=2) as receiver:
        post(receiver, key, body("new", agentId=first))
        assert kept(receiver) == ["new", "c3"]
        assert receiver.conversation("new")["agent"]["externalId"] == "agent-0"
    with RunningReceiver(path, keep=2, replay=True) as receiver:
        receiver.wait_until_ingested()
        assert kept(receiver) == ["new", "c3"]


def test_what_was_kept_before_is_cut_at_once(tmp_path, body):
    path = tmp_path / "a.db"
    with RunningReceiver(path) as receiver:
        post(receiver, receiver.key, *(body(f"c{number}") for number in range(4)))
    with RunningReceiver(path, keep=2) as receiver:
        assert kept(receiver) == ["c3", "c2"]
        assert [each["id"] for each in receiver.deliveries()] == [3, 4]
        found = httpx.get(f"{receiver.url}/page/conversations", params={"q": "c1"}).json()
        assert found["data"] == []


def test_files_of_recordings_go_too(tmp_path, body):
    folder = tmp_path / "a.db-recordings"
    with RunningReceiver(tmp_path / "a.db", keep=1) as receiver:
        call = {"recordingUrl": "http://127.0.0.1:9/a.wav"}
        post(receiver, receiver.key, body("a", call=call))
        found = receiver.wait_for("a", where=lambda each: each["recording"]["state"] == "failed")
        folder.mkdir(exist_ok=True)
        names = receiver.store.read(_recordings)
        for name in names:
            Path(folder / name).write_bytes(b"RIFF")
        post(receiver, receiver.key, body("b"))
        assert found["externalId"] not in kept(receiver)
        assert (receiver.store.read(_recordings), list(folder.iterdir())) == ([], [])


def _recordings(db: sqlite3.Connection) -> list[str]:
    return [row["id"] for row in db.execute("SELECT id FROM recordings")]


def test_a_purged_conversation_may_come_again(tmp_path, body):
    with RunningReceiver(tmp_path / "a.db", keep=1) as receiver:
        post(receiver, receiver.key, body("a"), body("b"), body("a"))
        assert kept(receiver) == ["a"]


@pytest.mark.parametrize("keep", [None, 1])
def test_the_raw_log_is_append_only_all_the_same(tmp_path, body, keep):
    with RunningReceiver(tmp_path / "a.db", keep=keep) as receiver:
        post(receiver, receiver.key, body("a"), body("b"))
        db = sqlite3.connect(receiver.db)
        try:
            for statement in ("UPDATE raw SET body = x''", "DELETE FROM raw"):
                with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                    db.execute(statement)
        finally:
            db.close()


def test_all_is_kept_unless_asked(receiver, send, body):
    for number in range(5):
        send(body(f"c{number}"))
    assert len(kept(receiver)) == 5
