"""Whatever goes wrong around the plugin, or is given to it, the conversation is the same."""

from __future__ import annotations

import errno
import functools
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import AgentSession

from livekit_scenarios.beside import BUDGET, Attached, arrives, impatient, unharmed, until
from scripted_server import ScriptedServer, hang, reset
from zelto_agents import Call, Settings, Zelto
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver


@pytest.fixture
def client(settings: Settings) -> Iterator[Zelto]:
    with Zelto(settings=impatient(settings)) as client:
        yield client


@pytest.mark.parametrize("place", ["a file", "nowhere"])
def test_an_outbox_that_cannot_be_made_is_not_noticed_and_the_call_arrives(
    place: str, settings: Settings, tmp_path: Path, receiver: RunningReceiver
):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" if place == "a file" else Path("/proc/zelto/outbox")
    with Zelto(settings=impatient(settings, outbox=folder)) as client:
        assert unharmed(Attached(zelto=client))
        assert arrives(client, receiver)["endedReason"]


@pytest.mark.parametrize(
    "fault",
    [
        functools.partial(OSError, errno.ENOSPC, "No space left on device"),
        functools.partial(sqlite3.OperationalError, "database or disk is full"),
        functools.partial(sqlite3.OperationalError, "attempt to write a readonly database"),
    ],
    ids=["system", "full", "read-only"],
)
def test_a_disk_that_takes_nothing_is_not_noticed_and_the_call_arrives(
    fault: Callable[[], Exception],
    client: Zelto,
    receiver: RunningReceiver,
    monkeypatch: pytest.MonkeyPatch,
):
    transact, refused = SqliteOutbox._transact, []

    def refuse(outbox: SqliteOutbox, *args: Any, **options: Any) -> Any:
        if outbox._folder is None:  # in memory there is room
            return transact(outbox, *args, **options)
        refused.append(outbox)
        raise fault()

    monkeypatch.setattr(SqliteOutbox, "_transact", refuse)
    assert unharmed(Attached(zelto=client))
    assert arrives(client, receiver)["endedReason"]
    assert refused


@pytest.mark.parametrize("answer", [hang, reset, 500, (200, {}, "surprise")])
def test_a_receiver_in_trouble_is_not_noticed(answer: Any, settings: Settings):
    with ScriptedServer(answer) as server:
        with Zelto(settings=impatient(settings, base_url=server.url)) as client:
            client.upload({"call": {"externalId": "before"}, "agent": {"externalId": "support"}})
            server.wait_for(1)  # so that the trouble is there while the call is on
            assert unharmed(Attached(zelto=client))


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ZELTO_API_KEY": "no key at all\n"},
        {"ZELTO_API_KEY": "zk_1", "ZELTO_BASE_URL": "nonsense"},
        {"ZELTO_API_KEY": "zk_1", "ZELTO_BASE_URL": "http://127.0.0.1:9", "ZELTO_AGENT_ID": "\0"},
        {"ZELTO_SHUTDOWN_BUDGET": "soon", "ZELTO_OUTBOX_MAX_BYTES": "all", "ZELTO_RETAIN": "no"},
        {"ZELTO_OUTBOX": "postgresql://nobody@127.0.0.1:9/nothing"},
    ],
    ids=["none", "key", "url", "agent", "numbers", "database"],
)
def test_bad_settings_are_not_noticed(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    defaults = {"ZELTO_OUTBOX": str(tmp_path / "outbox"), "ZELTO_SHUTDOWN_BUDGET": str(BUDGET)}
    for name, value in (defaults | environment).items():
        monkeypatch.setenv(name, value.replace("\0", ""))
    monkeypatch.setattr(Zelto, "_shared", None)
    beside = Attached()
    assert unharmed(beside, budget=2.0)
    assert len(beside.calls) == 1
    if Zelto._shared is not None:
        Zelto._shared.close()


def broken_text(_: str) -> str:
    raise ValueError("a bug of the user's")


GARBAGE: tuple[dict[str, Any], ...] = (
    {"ctx": "no context"},
    {"ctx": object()},
    {"zelto": 3},
    {"external_id": object(), "agent_id": object(), "version": 3, "system_prompt": 4},
    {"metadata": [1], "customer": "Ada", "recording_url": 5},
    {"redact": "no function"},
    {"redact": broken_text},
)


@pytest.mark.parametrize("moment", ["attached", "started", "closed"])
def test_garbage_in_the_one_line_is_not_noticed(
    moment: str, client: Zelto, monkeypatch: pytest.MonkeyPatch
):
    class Garbage(Attached):
        def attached(self, session: AgentSession[Any]) -> None:
            """Not yet."""

        def attach_all(self, session: AgentSession[Any]) -> None:
            for stranger in (None, "session", 3, object(), type(session)):
                self.attach(stranger)
            for options in GARBAGE:
                self.attach(session, **options)

    garbage = Garbage(zelto=client)
    monkeypatch.setattr(garbage, moment, garbage.attach_all)
    assert unharmed(garbage)
    assert all(isinstance(call, Call) for call in garbage.calls)


@pytest.mark.parametrize("moments", [("started",), ("closed",), ("attached", "started", "closed")])
def test_attached_late_or_again_and_again_it_changes_nothing(
    moments: tuple[str, ...], client: Zelto, monkeypatch: pytest.MonkeyPatch
):
    beside = Attached(zelto=client)
    monkeypatch.setattr(beside, "attached", lambda _: None)
    for moment in moments:
        monkeypatch.setattr(beside, moment, beside.attach)
    assert unharmed(beside)
    assert len(beside.calls) == len(moments)
    assert len(set(map(id, beside.calls))) == 1


def test_a_thread_that_cannot_start_is_not_noticed_and_the_call_is_kept_once_it_can(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    start = threading.Thread.start

    def start_others(thread: threading.Thread) -> None:
        if thread.name.startswith("zelto"):
            raise RuntimeError("can't start new thread")
        start(thread)

    client = Zelto(settings=impatient(settings))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start_others)
        assert unharmed(Attached(zelto=client))
        assert not client.flush(0)
    client.close()
    until(lambda: kept_in(settings.outbox) == ["AJ_harmless"])


def kept_in(folder: Path) -> list[str]:
    outbox = SqliteOutbox(folder)
    try:
        return [one.external_id for one in outbox.deliveries()]
    finally:
        outbox.close()
