"""What goes wrong around ``Zelto``, and what it does not do to the host or to the other calls."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scripted_server import ScriptedServer
from talking import settings_for, talk, waiting
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver


def test_a_host_is_not_held_while_another_process_has_the_outbox_locked(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    with Zelto(settings=settings) as zelto:
        talk(zelto)
        assert zelto.flush()
        lock = os.open(tmp_path / "outbox" / "outbox.lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        for number in range(20):
            talk(zelto, f"locked-{number}")
        assert time.monotonic() - started < 1.0  # a lock is waited for much longer than that
        assert zelto.flush(30)
        os.close(lock)
    assert receiver.wait_for("locked-19")


def test_one_bad_delivery_does_not_stop_the_others(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with_agent = Settings.load(
        {},
        api_key=receiver.key,
        base_url=receiver.url,
        outbox=tmp_path / "outbox",
        agent_id="support",
    )
    with Zelto(settings=with_agent) as zelto:
        odd: Any = b"[1]"
        zelto.upload(odd)
        zelto.upload(b"no json")
        zelto.enrich("conv-0", cost=1)
        talk(zelto)
        zelto.flush()
    assert receiver.wait_for("conv-1")
    assert {d.state for d in waiting(tmp_path / "outbox")} == {"dead", "awaited", "sent"}


def test_a_proxy_that_cannot_be_used_is_named_and_kills_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("ALL_PROXY", "socks4://127.0.0.1:1")
    with Zelto(settings=settings_for("https://zelto.example", tmp_path)) as zelto:
        talk(zelto)
        assert not zelto.flush(10)
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["due"]
    assert "check the proxy variables and SSL_CERT_FILE" in caplog.text


def test_what_a_host_changes_afterwards_is_not_sent(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        arguments = {"city": "Paris"}
        with zelto.call("conv-1", agent_id="a") as call:
            call.tool("get_weather", arguments)
            arguments["city"] = "Rome"
            call.tool("get_weather", arguments)
        assert zelto.flush()
    assert [turn["content"] for turn in receiver.wait_for("conv-1")["turns"]] == [
        '{"name":"get_weather","arguments":{"city":"Paris"},"result":null}',
        '{"name":"get_weather","arguments":{"city":"Rome"},"result":null}',
    ]


def test_odd_values_cost_themselves_and_not_the_call(settings: Settings, receiver: RunningReceiver):
    from datetime import UTC, datetime

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("hostile")

        __repr__ = __str__

    moment: Any = datetime(2026, 11, 23, tzinfo=UTC)
    odd: Any = "Bob"
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="a", started_at=moment, customer=odd) as call:
            call.turn("user", "Hi")
            call.tool("look", {"what": Hostile()})
            call.metadata({"who": Hostile()})
            call.end(at=moment)
        zelto.enrich("conv-1", metadata={"score": float("nan"), "when": moment}, cost="0.02")  # type: ignore[arg-type]
        assert zelto.flush()
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    assert conversation["startedAt"].startswith("2026-11-23T00:00:00")
    assert conversation["cost"] == 0.02
    assert conversation["metadata"] == {
        "who": "[unreadable Hostile]",
        "score": None,
        "when": "2026-11-23 00:00:00+00:00",
    }


def test_swapped_arguments_put_nothing_that_was_said_into_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto, zelto.call("conv-1", agent_id="a") as call:
        call.turn("I am Ann Smith", "user")
    assert "a turn's role is not one of" in caplog.text
    assert "Ann Smith" not in caplog.text


def test_a_flush_finds_out_that_a_sweep_has_delivered(tmp_path: Path):
    with ScriptedServer(503, 200) as server:
        with Zelto(settings=settings_for(server.url, tmp_path)) as zelto:
            talk(zelto)
            assert not zelto.flush()
            server.wait_for(2)
            # The answer may be on its way still; each flush waits for an attempt of its own.
            assert any(zelto.flush() or talk(zelto, "conv-2") for _ in range(200))


def test_a_thread_that_cannot_start_harms_nobody_and_is_tried_again(
    settings: Settings, receiver: RunningReceiver, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("zelto_agents._delivery.RESTART_AFTER", 0.0)
    zelto = Zelto(settings=settings)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        talk(zelto)
        assert not zelto.flush(0.1)
        zelto.close()
    talk(zelto, "conv-2")
    assert zelto.flush(10)
    zelto.close()
    assert receiver.wait_for("conv-1")


def test_a_slow_resolver_does_not_hold_the_end_of_the_process(tmp_path: Path):
    code = (
        "import socket, threading\n"
        "socket.getaddrinfo = lambda *a, **k: threading.Event().wait(60)\n"
        "from zelto_agents import Zelto\n"
        "with Zelto(shutdown_budget=0.5).call('conv-1', agent_id='a') as call:\n"
        "    call.turn('user', 'Hi')\n"
    )
    environment = os.environ | {
        "ZELTO_API_KEY": "zk_1",
        "ZELTO_BASE_URL": "https://zelto.example",
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=20)
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["due"]


def test_a_dead_letter_does_not_cloud_what_is_flushed_after_it(tmp_path: Path):
    with ScriptedServer(400, 200) as server:
        with Zelto(settings=settings_for(server.url, tmp_path)) as zelto:
            talk(zelto, "bad")
            assert not zelto.flush()
            talk(zelto, "good")
            assert zelto.flush()


def test_an_enrichment_of_a_call_that_nobody_knows_is_said(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto:
        zelto.enrich("misspelt", cost=1)
        zelto.flush()
    assert "no call misspelt is kept here (yet): its enrichment waits for it" in caplog.text


def test_impossible_moments_are_now(settings: Settings, receiver: RunningReceiver):
    from datetime import datetime

    impossible: list[Any] = [datetime.min, 10**400, "soon"]  # noqa: DTZ901 - that is the point
    with Zelto(settings=settings) as zelto:
        for number, moment in enumerate(impossible):
            call = zelto.call(f"conv-{number}", agent_id="a", started_at=moment)
            call.turn("user", "Hi")
            call.end(at=moment)
        assert zelto.flush()
    for number in range(len(impossible)):
        assert receiver.wait_for(f"conv-{number}")


def test_a_close_in_a_loop_that_is_ending_raises_nothing(
    settings: Settings, receiver: RunningReceiver
):
    async def main() -> None:
        async with Zelto(settings=settings) as zelto:
            talk(zelto)
            await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(main())
    assert receiver.wait_for("conv-1")
