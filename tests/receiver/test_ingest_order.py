"""Of several bodies of one call the one that came last into the raw log counts, whatever happens."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from zelto_agents.receiver import RunningReceiver, reads, run_in_thread
from zelto_agents.receiver.store import Store
from zelto_agents.receiver.verdict import judge

Body = Callable[..., dict[str, Any]]
ROUNDS = 20


def post(receiver: RunningReceiver, key: str | None, body: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{receiver.url}/webhooks/calls", json=body, headers=headers).status_code


def long_words(count: int) -> dict[str, Any]:
    return {"turns": [{"role": "user", "content": "x" * count}]}


class _Seen(logging.Handler):
    """Knows when the writing thread has said that ingest waits."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("ingest waits"):
            self.stuck.set()


@pytest.fixture
def seen() -> Any:
    handler = _Seen()
    log = logging.getLogger("zelto_agents.receiver._writing")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def most_pages(receiver: RunningReceiver, more: int | None) -> None:
    """Leaves room for so many more pages only; None for no limit, as on a disk that was emptied."""

    def limit(db: Any, _touched: int) -> None:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {2**31 if more is None else pages + more}")

    receiver.store._writing.change(limit).result()


def test_what_a_full_disk_kept_from_ingest_is_ingested_once_there_is_room_and_in_order(
    receiver: RunningReceiver, body: Body, seen: _Seen
):
    most_pages(receiver, 15)  # for the raw log's copy of the body, and not for the conversation's
    assert post(receiver, receiver.key, body(version="v1", transcript=long_words(40_000))) == 200
    assert seen.stuck.wait(10)
    assert post(receiver, receiver.key, body(version="v2")) == 200
    assert receiver.conversation("conv-1") is None
    most_pages(receiver, None)
    receiver.wait_until_ingested()
    assert [each["state"] for each in receiver.deliveries("conv-1")] == ["ingested"] * 2
    found = receiver.conversation("conv-1")
    assert found is not None
    assert (found["version"], found["deliveries"]) == ("v2", 2)


def test_what_a_full_disk_still_keeps_from_ingest_at_the_end_is_ingested_at_the_next_start(
    tmp_path: Path, body: Body, seen: _Seen
):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as receiver:
        most_pages(receiver, 15)
        post(receiver, receiver.key, body(version="v1", transcript=long_words(40_000)))
        assert seen.stuck.wait(10)
        post(receiver, receiver.key, body(version="v2"))
    with run_in_thread(path) as receiver:
        receiver.wait_until_ingested()
        assert receiver.wait_for("conv-1")["version"] == "v2"


def test_an_older_body_that_is_ingested_late_does_not_replace_a_newer_one(
    tmp_path: Path, body: Body
):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as receiver:
        for version in ("v1", "v2"):
            post(receiver, receiver.key, body(version=version))
        receiver.wait_until_ingested()
        receiver.store._writing.change(
            lambda db, _: db.execute("DELETE FROM outcomes WHERE raw_id = 1")
        ).result()
    with run_in_thread(path) as receiver:
        receiver.wait_until_ingested()
        assert receiver.wait_for("conv-1")["version"] == "v2"
        assert [each["state"] for each in receiver.deliveries("conv-1")] == ["ignored", "ingested"]


def test_a_large_revision_and_a_newer_small_one_at_once_end_as_the_raw_log_has_them(
    receiver: RunningReceiver, body: Body
):
    async def send_all() -> None:
        headers = {"Authorization": f"Bearer {receiver.key}"}
        async with httpx.AsyncClient(base_url=receiver.url, headers=headers, timeout=30) as client:
            for number in range(ROUNDS):
                large = body(f"c{number}", version="v1", transcript=long_words(200_000))
                small = body(f"c{number}", version="v2")
                answers = await asyncio.gather(
                    client.post("/webhooks/calls", json=large),
                    client.post("/webhooks/calls", json=small),
                )
                assert [answer.status_code for answer in answers] == [200, 200]

    asyncio.run(send_all())
    receiver.wait_until_ingested()
    newest = {
        f"c{number}": json.loads(
            receiver.raw_body(receiver.deliveries(f"c{number}")[-1]["id"]) or b""
        )["version"]
        for number in range(ROUNDS)
    }
    assert {each["externalId"]: each["version"] for each in receiver.conversations()} == newest


def test_a_body_whose_verdict_is_late_is_waited_for(tmp_path: Path, body: Body):
    store = Store(tmp_path / "zelto.db")
    try:
        bodies = [json.dumps(body(version=version)).encode() for version in ("v1", "v2", "v3")]
        first, second, third = [store.append(None, each) for each in bodies]
        assert [each.on_disk.result() for each in (first, second, third)] == [1, 2, 3]
        store.settle(third, judge(None, bodies[2]))
        store.settle(second, None)  # nobody judged it: its client is gone
        assert store.read(reads.conversations, limit=9) == []
        store.settle(first, judge(None, bodies[0]))
        assert store.wait(lambda: store.read(reads.idle), 10)
        (found,) = store.read(reads.conversations, limit=9)
        assert (found["version"], found["deliveries"]) == ("v3", 3)
    finally:
        store.close()


def test_a_body_that_nobody_gave_a_verdict_does_not_hold_up_the_end(tmp_path: Path, body: Body):
    path = tmp_path / "zelto.db"
    store = Store(path)
    store.append(None, json.dumps(body()).encode()).on_disk.result()
    store.close()
    with run_in_thread(path) as receiver:
        receiver.wait_until_ingested()
        assert len(receiver.conversations()) == 1


def test_a_body_that_our_own_fault_leaves_unjudged_stops_no_other(
    receiver: RunningReceiver, body: Body, monkeypatch: pytest.MonkeyPatch
):
    def broken(provider: str | None, content: bytes) -> Any:
        if b"boom" in content:
            raise ZeroDivisionError
        return judge(provider, content)

    for module in ("app", "_writing"):
        monkeypatch.setattr(f"zelto_agents.receiver.{module}.judge", broken)
    assert post(receiver, receiver.key, body("boom")) == 500
    assert post(receiver, receiver.key, body("conv-1")) == 200
    assert receiver.wait_for("conv-1")["externalId"] == "conv-1"
    assert next((each["state"], each["reason"]) for each in receiver.deliveries()) == (
        "failed",
        "judging broke: ZeroDivisionError",
    )
