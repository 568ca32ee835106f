"""``--replay`` works the whole raw log in again, and gives what was there before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from native_bodies import as_bytes, retell_event, vapi_report
from zelto_agents.receiver import RunningReceiver


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zelto.db"


def everything(receiver: RunningReceiver) -> dict[str, Any]:
    agents = receiver.store.read(
        lambda db: [dict(row) for row in db.execute("SELECT * FROM agents ORDER BY seq")]
    )
    return {
        "conversations": receiver.conversations(),
        "deliveries": receiver.deliveries(),
        "agents": agents,
    }


def lively_traffic(receiver: RunningReceiver, body: Any) -> Iterator[tuple[bytes, str | None, str]]:
    """Bodies of every kind, two organisations, re-sends, faults, and ids that refer to others."""
    yield as_bytes(body("a", version="v1")), None, "north"
    yield as_bytes(body("a", call={"cost": 0.5}, agent={"externalId": "x", "name": "X"})), None, "north"  # fmt: skip
    yield as_bytes(body("a", version="s")), "livekit", "south"
    yield as_bytes({"call": {"externalId": "dial"}, "agent": {"externalId": "x"}}), None, "north"
    yield b"{", None, "north"
    yield as_bytes(body("b")), "bland", "north"
    yield as_bytes({"call": {"externalId": 7}}), None, "south"
    yield as_bytes(vapi_report()), "vapi", "north"
    yield as_bytes({"message": {"type": "status-update"}}), "vapi", "north"
    yield as_bytes(retell_event("call_ended")), "retell", "south"
    yield as_bytes(retell_event("call_analyzed")), "retell", "south"
    receiver.wait_until_ingested()
    agent_id = receiver.conversation("a", "north")["agent"]["id"]
    yield as_bytes(body("c", agentId=agent_id)), None, "north"
    yield as_bytes(body("d", agentId=agent_id)), None, "south"
    yield as_bytes(body("dial")), None, "north"


def test_the_result_equals_what_was_there_before(path, body):
    with RunningReceiver(path) as receiver:
        names = ("north", "south")
        keys = {name: receiver.store.mint_key(organisation=name) for name in names}
        for content, provider, organisation in lively_traffic(receiver, body):
            headers = {"Authorization": f"Bearer {keys[organisation]}"}
            if provider is not None:
                headers["X-Zelto-Provider"] = provider
            httpx.post(f"{receiver.url}/webhooks/calls", content=content, headers=headers)
            receiver.wait_until_ingested()
        _settled(receiver)
        before = everything(receiver)
        states = {each["state"] for each in before["deliveries"]}
        assert states == {"ingested", "unconnected", "ignored", "failed", "rejected"}
    for _ in range(2):
        with RunningReceiver(path, replay=True) as receiver:
            receiver.wait_until_ingested()
            assert everything(receiver) == before
            headers = {"Authorization": f"Bearer {keys['south']}"}
            assert httpx.get(f"{receiver.url}/v1/agents", headers=headers).status_code == 200


def _settled(receiver: RunningReceiver) -> None:
    """Until no recording is tried any more: nothing answers at these addresses."""
    for each in receiver.conversations():
        receiver.wait_for(
            each["externalId"],
            where=lambda c: c["recording"] is None or c["recording"]["tries"] > 0,
        )


def test_a_change_by_hand_is_undone(path, body):
    with RunningReceiver(path) as receiver:
        headers = {"Authorization": f"Bearer {receiver.key}"}
        httpx.post(f"{receiver.url}/webhooks/calls", json=body(), headers=headers)
        before = receiver.wait_for("conv-1")
        receiver.store._writing.change(
            lambda db, _: db.execute("UPDATE conversations SET version = 'by hand'")
        ).result()
        assert receiver.conversation("conv-1") != before
    with RunningReceiver(path, replay=True) as receiver:
        receiver.wait_until_ingested()
        assert receiver.conversations() == [before]


def test_a_replay_that_was_cut_off_goes_on_at_the_next_start(path, body):
    with RunningReceiver(path) as receiver:
        headers = {"Authorization": f"Bearer {receiver.key}"}
        for number in range(30):
            httpx.post(f"{receiver.url}/webhooks/calls", json=body(f"c{number}"), headers=headers)
        receiver.wait_until_ingested()
        before = everything(receiver)
    RunningReceiver(path, replay=True).close()
    with RunningReceiver(path) as receiver:
        receiver.wait_until_ingested()
        assert json.dumps(everything(receiver)) == json.dumps(before)
