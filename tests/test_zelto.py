"""Zelto as its hosts use it: against a real receiver, and against everything that goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scripted_server import ScriptedServer, hang
from talking import settings_for, talk, waiting
from zelto_agents import CallIngest, Settings, Zelto
from zelto_agents._trouble import Trouble
from zelto_agents.facts import TurnSaid
from zelto_agents.receiver import RunningReceiver


def test_a_voice_call_arrives_whole(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        with zelto.call(
            "conv-42",
            agent_id="support",
            agent_name="Support",
            version="7",
            system_prompt="Be kind.",
            customer={"number": "+15551234567", "name": "Ada"},
            metadata={"team": "blue"},
            recording_url="https://example.com/a.ogg",
            started_at=1_795_000_000.0,
        ) as call:
            call.turn("agent", "Hello.", start=0.2, end=1.0, interrupted=True)
            call.turn("human", "Weather?", start=1.4, end=2.1)
            call.tool("get_weather", {"city": "Paris"}, result="sunny", start=2.2, end=2.7)
            call.tool("get_weather", {"city": "Rome"}, error="no route", start=2.8, end=2.9)
            call.usage({"type": "llm_usage", "model": "m", "input_tokens": 3})
            call.cost(0.0123)
            call.end("customer-ended-call", at=1_795_000_010.0)
        assert zelto.flush()
    body = json.loads(receiver.raw_body(receiver.deliveries("conv-42")[0]["id"]) or b"")
    assert body == {
        "call": {
            "externalId": "conv-42",
            "startedAt": "2026-11-18T11:06:40Z",
            "endedAt": "2026-11-18T11:06:50Z",
            "durationSeconds": 10.0,
            "endedReason": "customer-ended-call",
            "cost": 0.0123,
            "recordingUrl": "https://example.com/a.ogg",
            "customer": {"number": "+15551234567", "name": "Ada"},
        },
        "agent": {"externalId": "support", "name": "Support"},
        "version": "7",
        "transcript": {
            "turns": [
                {"role": "assistant", "content": "Hello.", "startSeconds": 0.2, "endSeconds": 1.0},
                {"role": "user", "content": "Weather?", "startSeconds": 1.4, "endSeconds": 2.1},
                {
                    "role": "tool",
                    "content": '{"name":"get_weather","arguments":{"city":"Paris"},"result":"sunny"}',
                    "startSeconds": 2.2,
                    "endSeconds": 2.7,
                },
                {
                    "role": "tool",
                    "content": '{"name":"get_weather","arguments":{"city":"Rome"},"error":"no route"}',
                    "startSeconds": 2.8,
                    "endSeconds": 2.9,
                },
            ]
        },
        "systemPrompt": "Be kind.",
        "metadata": {
            "team": "blue",
            "zelto": {
                "turns": [{"index": 0, "interrupted": True}],
                "usage": [{"type": "llm_usage", "model": "m", "input_tokens": 3}],
                "cost": {
                    "given": "0.0123",
                    "complete": False,
                    "lines": [
                        {
                            "provider": "unknown",
                            "model": "m",
                            "kind": "llm",
                            "quantities": {"input_tokens": 3},
                            "unpriced": "its provider is not known",
                        }
                    ],
                },
            },
        },
    }


def test_the_same_document_twice_is_one_conversation_updated_in_place(
    settings: Settings, receiver: RunningReceiver
):
    document = CallIngest.model_validate_json(
        '{"call":{"externalId":"c","cost":0.5},"agent":{"externalId":"a"},'
        '"transcript":{"turns":[{"role":"user","content":"Hi"}]}}'
    )
    with Zelto(settings=settings) as zelto:
        zelto.upload(document)
        assert zelto.flush()
        zelto.upload(document)
        assert zelto.flush()
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    assert (conversation["deliveries"], conversation["cost"]) == (2, 0.5)


def test_an_enrichment_sends_the_whole_document_again(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as first:
        talk(first)
        assert first.flush()
    with Zelto(settings=settings) as later:
        later.enrich(
            "conv-1", recording_url="https://example.com/a.ogg", cost=0.25, metadata={"k": "v"}
        )
        assert later.flush()
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    assert conversation["recordingUrl"] == "https://example.com/a.ogg"
    assert conversation["cost"] == 0.25
    assert conversation["metadata"] == {"k": "v"}
    assert [turn["content"] for turn in conversation["turns"]] == ["Hi"]


def test_native_bodies_go_out_unchanged_each_once(settings: Settings, receiver: RunningReceiver):
    body = b'{ "message": {"type": "end-of-call-report", "call": {"id": "c-1"}} }'
    with Zelto(settings=settings) as zelto:
        for _ in range(2):
            zelto.upload(body, provider="vapi")
        zelto.upload({"message": {"type": "status-update"}}, provider="vapi")
        assert zelto.flush()
    receiver.wait_until_ingested()
    bodies = [receiver.raw_body(delivery["id"]) for delivery in receiver.deliveries()]
    assert sorted(set(bodies)) == [body, b'{"message":{"type":"status-update"}}']  # type: ignore[type-var]


def test_a_call_made_in_async_code_arrives(settings: Settings, receiver: RunningReceiver):
    async def main() -> bool:
        async with Zelto(settings=settings) as zelto:
            talk(zelto)
            return await zelto.aflush()

    assert asyncio.run(main())
    assert receiver.wait_for("conv-1")


def test_a_call_that_ends_while_the_receiver_is_down_is_sent_by_another_process(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    receiver.stop()
    with Zelto(settings=settings) as zelto:
        talk(zelto)
        assert not zelto.flush()
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["due"]
    receiver.start()
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
    }
    code = "from zelto_agents import Zelto; z = Zelto(); z.call('other', agent_id='a'); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE
    ) as other:
        assert receiver.wait_for("conv-1", timeout=20)
        other.communicate(b"\n")
    known = {d.external_id: d.state for d in waiting(tmp_path / "outbox")}
    assert known == {"conv-1": "sent", "other": "sent"}


def test_a_script_that_just_ends_delivers_its_call(receiver: RunningReceiver, tmp_path: Path):
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        # A name, not an address: looking it up takes a thread, which Python refuses late.
        "ZELTO_BASE_URL": receiver.url.replace("127.0.0.1", "localhost"),
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
    }
    code = (
        "from zelto_agents import Zelto\n"
        "with Zelto().call('conv-1', agent_id='a', channel='text') as call:\n"
        "    call.turn('user', 'Hi')\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)
    assert receiver.wait_for("conv-1")


def test_a_key_that_is_refused_holds_the_call_until_another_key_comes(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    bad = Settings.load({}, api_key="zk_wrong", base_url=receiver.url, outbox=tmp_path / "outbox")
    with Zelto(settings=bad) as zelto:
        talk(zelto)
        talk(zelto, "conv-2")
        assert not zelto.flush()
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert errors == [
        f"{receiver.url} refused the key (status 401): check ZELTO_API_KEY; "
        "calls are held until it is right"
    ]
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["held", "held"]
    with Zelto(settings=settings) as zelto:
        talk(zelto, "conv-3")
        assert receiver.wait_for("conv-1")
        assert receiver.wait_for("conv-2")


def test_a_refused_document_is_a_dead_letter_with_its_reason(tmp_path: Path):
    with ScriptedServer((400, {}, '{"error":"Validation failed"}')) as server:
        with Zelto(settings=settings_for(server.url, tmp_path)) as zelto:
            talk(zelto)
            zelto.flush()
    (delivery,) = waiting(tmp_path / "outbox")
    assert (delivery.state, delivery.status) == ("dead", 400)
    assert delivery.details == '{"error":"Validation failed"}'


def test_after_a_fault_the_call_is_tried_again_by_itself(tmp_path: Path):
    with ScriptedServer(500, 200) as server:
        with Zelto(settings=settings_for(server.url, tmp_path)) as zelto:
            talk(zelto)
            server.wait_for(2)
            zelto.flush()
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["sent"]


def test_shutdown_is_held_no_longer_than_the_budget_and_the_call_is_durable(tmp_path: Path):
    with ScriptedServer(hang) as server:
        zelto = Zelto(settings=settings_for(server.url, tmp_path, shutdown_budget=0.5))
        talk(zelto)
        started = time.monotonic()
        zelto.close()
        held = time.monotonic() - started
    assert held < 0.5 + 0.5  # the budget, and room for a busy machine
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["due"]


MISUSE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"api_key": ""}, {}, "ZELTO_API_KEY is not set (or not usable): calls are kept in"),
    ({"base_url": "htp://x"}, {}, "argument base_url is not usable: expected a URL such as"),
    ({}, {"agent_id": None}, "names no agent and is held: pass agent_id, or set ZELTO_AGENT_ID"),
]


@pytest.mark.parametrize(("setting", "option", "said"), MISUSE)
def test_what_keeps_a_call_from_being_sent_is_said_once_and_the_call_is_kept(
    setting: dict[str, Any],
    option: dict[str, Any],
    said: str,
    receiver: RunningReceiver,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    given = {"api_key": receiver.key, "base_url": receiver.url, "outbox": tmp_path / "outbox"}
    with Zelto(settings=Settings.load({}, **(given | setting))) as zelto:
        talk(zelto, "conv-1", **option)
        talk(zelto, "conv-2", **option)
        assert not zelto.flush()
    assert sum(said in record.getMessage() for record in caplog.records) == 1
    assert len(waiting(tmp_path / "outbox")) == 2
    mended = Settings.load({}, **given, agent_id="support")
    with Zelto(settings=mended) as zelto:
        talk(zelto, "conv-3")
        assert receiver.wait_for("conv-1")
        assert receiver.wait_for("conv-2")


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ({"version": "v" * 300}, "version"),
        ({"agent_uuid": "no uuid"}, "agentId"),
        ({"recording_url": "no url"}, "recordingUrl"),
        ({"external_id": ""}, "externalId"),
        ({"cost": "abc"}, "cost"),
        ({"cost": -1}, "cost"),
    ],
)
def test_a_value_that_cannot_be_sent_is_named_and_the_call_arrives_without_it(
    option: dict[str, Any],
    field: str,
    settings: Settings,
    receiver: RunningReceiver,
    caplog: pytest.LogCaptureFixture,
):
    with Zelto(settings=settings) as zelto:
        talk(zelto, **{"external_id": "conv-1", **option})
        assert zelto.flush()
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    assert list(conversation["metadata"]["zelto"]["refused"]) == [field]
    (name,) = option
    assert any(name in record.getMessage() for record in caplog.records)


def test_a_recording_whose_url_cannot_be_sent_is_named_and_kept(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto, zelto.call("conv-1", agent_id="support") as call:
        call.turn("user", "Hi")
        call.recording("no url")
    refused = receiver.wait_for("conv-1")["metadata"]["zelto"]["refused"]["recordingUrl"]
    assert refused["value"] == "no url"
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        f"recording_url cannot be sent as recordingUrl ({refused['why']}); "
        "the call is sent without it, and the value is in metadata.zelto.refused"
    ]


@pytest.mark.parametrize(
    ("told", "kept", "why"),
    [
        ("abc", "abc", "Input should be a valid number, unable to parse string as a number"),
        (10**400, str(10**400), "Input should be a valid number"),
        (float("nan"), "nan", "Input should be a finite number"),
        (-1, "-1", "Input should be greater than or equal to 0"),
    ],
    ids=["a word", "too large", "not a number", "negative"],
)
def test_what_is_no_cost_is_named_and_the_cost_that_is_known_stays(
    told: Any,
    kept: str,
    why: str,
    settings: Settings,
    receiver: RunningReceiver,
    caplog: pytest.LogCaptureFixture,
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support", cost=0.5) as call:
            call.turn("user", "Hi")
            call.cost(told)
        assert zelto.flush()
        zelto.enrich("conv-1", cost=told, metadata={"tenant": "acme"})
        assert zelto.flush()
    conversation = receiver.wait_for("conv-1", where=lambda one: "tenant" in one["metadata"])
    assert conversation["cost"] == 0.5
    refused = conversation["metadata"]["zelto"]["refused"]["cost"]
    assert refused == {"value": kept, "why": why}
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        f"argument cost cannot be sent as cost ({why}); the call is sent without it, "
        "and the value is in metadata.zelto.refused"
    ] * 2


@pytest.mark.parametrize("name", ["customer", "metadata"])
def test_what_is_no_mapping_is_named_and_the_call_arrives_without_it(
    name: str, settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    example = {"customer": "{'number': '+15550100'}", "metadata": "{'tenant': 'acme'}"}[name]
    said = f"{name} must be a mapping such as {example}, not str: left out"
    odd: Any = {name: "Ada"}
    with Zelto(settings=settings) as zelto:
        talk(zelto, recording_url="https://example.com/a.ogg", **odd)
        assert zelto.flush()
        zelto.enrich("conv-1", cost=1, **odd)
        assert zelto.flush()
        if name == "metadata":
            zelto.call("conv-2", agent_id="a").metadata(odd["metadata"])
    conversation = receiver.wait_for("conv-1", where=lambda one: one["cost"] == 1)
    assert conversation["recordingUrl"] == "https://example.com/a.ogg"
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert errors == [said] * (3 if name == "metadata" else 2)


def test_nothing_that_a_host_passes_raises(settings: Settings):
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("hostile")

        __repr__ = __str__

    with Zelto(settings=settings) as zelto:
        call = zelto.call("x", agent_id="a")
        for value in (None, 7, b"\xff", [], Hostile(), object(), float("nan")):
            odd: Any = value
            call.turn(odd, odd, start=odd, end=odd)
            call.tool(odd, odd, result=odd)
            call.metadata(odd)
            call.customer(odd, odd)
            call.usage(odd)
            call.cost(odd)
            call.recording(odd)
            call.prompt(odd)
            zelto.enrich(odd, cost=odd, recording_url=odd, metadata=odd, customer=odd)
            zelto.upload(odd, provider="zelto")
        call.end(at=float("nan"))
        zelto.flush()


def test_disabled_it_does_nothing_at_all(tmp_path: Path):
    with Zelto(enabled=False, outbox=tmp_path / "outbox") as zelto:
        talk(zelto)
        zelto.enrich("conv-1", cost=1)
        assert zelto.flush()
    assert not (tmp_path / "outbox").exists()


def test_before_the_first_call_there_is_no_thread_and_no_file(tmp_path: Path):
    before = set(threading.enumerate())
    zelto = Zelto(outbox=tmp_path / "outbox")
    assert set(threading.enumerate()) == before
    assert not (tmp_path / "outbox").exists()
    zelto.close()


def test_after_close_no_thread_is_left_and_a_further_call_starts_it_again(
    settings: Settings, receiver: RunningReceiver
):
    before = set(threading.enumerate())
    zelto = Zelto(settings=settings)
    for name in ("conv-1", "conv-2"):
        talk(zelto, name)
        zelto.close()
        for left in set(threading.enumerate()) - before:
            left.join(5)
            assert not left.is_alive()
        assert receiver.wait_for(name)


def test_an_unusable_outbox_is_said_once_and_the_call_is_sent_from_memory(
    receiver: RunningReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    settings = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "file"
    )
    with Zelto(settings=settings) as zelto:
        talk(zelto)
        assert zelto.flush()
    assert receiver.wait_for("conv-1")
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "set ZELTO_OUTBOX to another folder; until then, calls are kept in memory" in errors[0]


def test_the_outbox_holds_no_key_and_no_redacted_word(
    settings: Settings, receiver: RunningReceiver, tmp_path: Path
):
    receiver.stop()
    with Zelto(settings=settings) as zelto:
        hide = lambda text: text.replace("hunter2", "***")  # noqa: E731
        with zelto.call("conv-1", agent_id="a", redact=hide, system_prompt="hunter2") as call:
            call.turn("user", "my password is hunter2")
            call.tool("check", {"pin": "hunter2"}, result=["hunter2"])
            call.metadata({"note": "hunter2"})
        zelto.flush()
    files = list((tmp_path / "outbox").iterdir())
    written = b"".join(file.read_bytes() for file in files)
    assert b"my password is ***" in written
    assert b"hunter2" not in written
    assert (receiver.key or "?").encode() not in written
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_forked_child_uses_a_thread_and_a_connection_of_its_own(
    settings: Settings, receiver: RunningReceiver
):
    zelto = Zelto(settings=settings)
    talk(zelto, "parent-1")
    assert zelto.flush()
    child = os.fork()
    if child == 0:
        talk(zelto, "child-1")
        os._exit(0 if zelto.flush(10) else 1)
    assert os.waitpid(child, 0)[1] == 0
    talk(zelto, "parent-2")
    assert zelto.flush()
    zelto.close()
    for name in ("parent-1", "child-1", "parent-2"):
        assert receiver.wait_for(name)


def test_trouble_of_one_kind_is_said_once_in_a_while(caplog: pytest.LogCaptureFixture):
    now = 0.0
    trouble = Trouble(every=60, clock=lambda: now)
    for now in (0.0, 1.0, 59.0, 60.0):
        trouble.say(logging.ERROR, "kind", "away for %d", now)
    assert [r.getMessage() for r in caplog.records] == ["away for 0", "away for 60"]


def test_facts_of_one_call_from_many_threads_all_arrive(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        call = zelto.call("conv-1", agent_id="a")

        def speak(name: str) -> None:
            for number in range(200):
                call.add(TurnSaid(at=time.time(), id=f"{name}{number}", role="user", text="x"))

        threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        call.end()
        assert zelto.flush(10)
    receiver.wait_until_ingested()
    assert len(receiver.conversations()[0]["turns"]) == 800


def test_many_clients_with_the_same_settings_share_one_thread(
    settings: Settings, receiver: RunningReceiver
):
    clients = [Zelto(settings=settings) for _ in range(20)]
    for number, client in enumerate(clients):
        talk(client, f"conv-{number}")
    assert sum(thread.name == "zelto-delivery" for thread in threading.enumerate()) == 1
    for client in clients[1:]:
        client.close()
    talk(clients[0], "last")
    assert clients[0].flush()
    clients[0].close()
    for name in ("conv-0", "conv-19", "last"):
        assert receiver.wait_for(name)


def test_a_client_that_nobody_holds_any_more_still_delivers_at_the_end_of_the_process(
    receiver: RunningReceiver, tmp_path: Path
):
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
    }
    code = (
        "import gc\n"
        "from zelto_agents import Zelto\n"
        "def chat():\n"
        "    with Zelto().call('conv-1', agent_id='a') as call:\n"
        "        call.turn('user', 'Hi')\n"
        "chat(); gc.collect()\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)
    assert receiver.wait_for("conv-1")


def test_hostile_texts_and_absurd_times_arrive_as_valid_json(
    settings: Settings, receiver: RunningReceiver
):
    big = "word " * 200_000
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="a") as call:
            call.turn("user", "lone \ud800 surrogate \0", start=1.0, end=2.0)
            call.turn("user", "", start=2.0, end=3.0)
            call.turn("user", "absurd", start=-1e300, end=float("nan"))
            call.turn("assistant", big, start=4.0, end=1e18)
            call.metadata({"odd": float("inf"), "deep": {"\ud800": {1, 2}}})
        assert zelto.flush(10)
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    heard = [(t["content"], t["startSeconds"], t["endSeconds"]) for t in conversation["turns"]]
    assert sorted(heard, key=lambda turn: turn[0] != "absurd") == [
        ("absurd", None, None),
        ("lone \ufffd surrogate \ufffd", 1.0, 2.0),
        (big, 4.0, None),
    ]
    assert conversation["metadata"] == {"odd": None, "deep": {"\ufffd": [1, 2]}}
