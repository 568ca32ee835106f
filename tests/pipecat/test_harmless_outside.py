"""Whatever goes wrong around the plugin, or is given to it, the pipeline is the same."""

from __future__ import annotations

import dataclasses
import errno
import functools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipecat.processors.frame_processor import FrameProcessorSetup

from harming import hurt, raising
from pipecat_scenarios.beside import (
    DEADLINE,
    Both,
    Last,
    Observing,
    arrives,
    unharmed,
    until,
    without,
)
from pipecat_scenarios.harmless import Beside
from pipecat_zelto import SETUP_FILE, ZeltoProcessor
from scripted_server import ScriptedServer, hang, reset
from zelto_agents import Call, Settings, Zelto
from zelto_agents.outbox._files import FILE_NAME
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver


def changed(settings: Settings, **changes: Any) -> Settings:
    """Settings with little patience at their end, and with these changes."""
    assert settings.api_key is not None
    known = {"api_key": settings.api_key.get_secret_value(), "base_url": settings.base_url}
    known |= {"outbox": settings.outbox, "shutdown_budget": 0.3}
    return Settings.load({}, **(known | changes))


@pytest.fixture
def client(settings: Settings) -> Iterator[Zelto]:
    with Zelto(settings=changed(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def unsent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zelto]:
    """Keeps all that it is given."""
    outbox = tmp_path_factory.mktemp("unsent") / "outbox"
    with Zelto(settings=Settings.load({}, outbox=outbox)) as client:
        yield client


@pytest.fixture
def no_client_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The process's own client is made anew, and ends with the test."""
    monkeypatch.setenv("ZELTO_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.setenv("ZELTO_SHUTDOWN_BUDGET", "0.3")
    monkeypatch.setattr(Zelto, "_shared", None)
    yield
    if Zelto._shared is not None:
        Zelto._shared.close()


@pytest.mark.parametrize("place", ["a file", "nowhere"])
def test_an_outbox_that_cannot_be_made_is_not_noticed_and_the_call_arrives(
    place: str, settings: Settings, tmp_path: Path, receiver: RunningReceiver
):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" if place == "a file" else Path("/proc/zelto/outbox")
    with Zelto(settings=changed(settings, outbox=folder)) as client:
        assert unharmed(Last(zelto=client, agent_id="support"), "short")
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
    assert unharmed(Last(zelto=client, agent_id="support"), "short")
    assert arrives(client, receiver)["endedReason"]
    assert refused


def test_an_outbox_that_another_process_has_locked_is_not_waited_for(
    client: Zelto, settings: Settings, receiver: RunningReceiver
):
    client.call("first", agent_id="support").end()
    assert client.flush(DEADLINE)
    code = (
        "import sqlite3, sys; outbox = sqlite3.connect(sys.argv[1]); "
        "outbox.execute('BEGIN EXCLUSIVE'); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(settings.outbox / FILE_NAME)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert unharmed(Last(zelto=client, agent_id="support", external_id="second"), "short")
        holder.communicate()
    assert client.flush(DEADLINE)
    assert receiver.wait_for("second")


@pytest.mark.parametrize("answer", [hang, reset, 401, 422, 500, (200, {}, "surprise")])
def test_a_receiver_in_trouble_is_not_noticed(answer: Any, settings: Settings):
    with ScriptedServer(answer) as server:
        with Zelto(settings=changed(settings, base_url=server.url)) as client:
            client.upload({"call": {"externalId": "before"}, "agent": {"externalId": "support"}})
            server.wait_for(1)  # so that the trouble is there while the call is on
            assert unharmed(Last(zelto=client, agent_id="support"), "short")


@pytest.mark.parametrize("place", [Last, Observing])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ZELTO_API_KEY": "no key at all\n"},
        {"ZELTO_API_KEY": "zk_1", "ZELTO_BASE_URL": "nonsense"},
        {"ZELTO_API_KEY": "zk_1", "ZELTO_BASE_URL": "http://127.0.0.1:9", "ZELTO_AGENT_ID": " "},
        {"ZELTO_SHUTDOWN_BUDGET": "soon", "ZELTO_OUTBOX_MAX_BYTES": "all", "ZELTO_RETAIN": "no"},
        {"ZELTO_OUTBOX": "postgresql://nobody@127.0.0.1:9/nothing"},
    ],
    ids=["none", "key", "url", "agent", "numbers", "database"],
)
@pytest.mark.usefixtures("no_client_yet")
def test_bad_settings_are_not_noticed(
    environment: dict[str, str], place: Callable[[], Beside], monkeypatch: pytest.MonkeyPatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert unharmed(place(), "short")
    assert Zelto._shared is not None


@pytest.mark.parametrize("place", [Last, Observing, Both])
@pytest.mark.usefixtures("no_client_yet")
def test_a_client_that_cannot_be_made_is_not_noticed(place: Callable[[], Beside]):
    faults = (TypeError, ValueError, RuntimeError)
    with hurt([Zelto.shared], raising(*faults)) as struck:
        assert unharmed(place(), "short")
    assert struck


@pytest.mark.usefixtures("no_client_yet")
def test_a_pipeline_that_is_set_up_by_the_environment_is_the_same(monkeypatch: pytest.MonkeyPatch):
    expected = without("short")
    monkeypatch.setenv("PIPECAT_SETUP_FILES", SETUP_FILE)
    assert expected is without("short")
    assert unharmed(Beside(), "short")
    assert Zelto._shared is not None


def broken_text(_: str) -> str:
    raise ValueError("a bug of the user's")


class Odd:
    """Has whatever it is asked for, and none of it is of use."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


GARBAGE: dict[str, dict[str, Any]] = {
    "a text for arguments": {"runner_args": "no arguments"},
    "odd arguments": {"runner_args": Odd()},
    "arguments of other types": {
        "runner_args": SimpleNamespace(call_data=[1], body=3, session_id=object())
    },
    "a text for a transport": {"transport": "no transport"},
    "an odd transport": {"transport": Odd()},
    "a number for a client": {"zelto": 3},
    "no texts": {"external_id": object(), "agent_id": object(), "version": 3, "system_prompt": 4},
    "no mappings": {"metadata": [1], "customer": "Ada", "recording_url": 5},
    "no names": {"usage_metrics": "yes", "agent_uuid": 3, "agent_name": 4},
    "a text that redacts": {"redact": "no function"},
    "a redaction that fails": {"redact": broken_text},
}


@pytest.mark.parametrize("place", [Last, Observing])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_one_line_is_not_noticed(
    garbage: str, place: Callable[..., Beside], unsent: Zelto
):
    assert unharmed(place(**({"zelto": unsent} | GARBAGE[garbage])), "typed")


@pytest.mark.parametrize("worker", [None, object(), Odd()], ids=["none", "another", "odd"])
def test_a_pipeline_that_is_not_known_is_not_harmed(worker: Any, unsent: Zelto):
    class Lost(ZeltoProcessor):
        async def setup(self, setup: FrameProcessorSetup) -> None:
            known = {one.name: getattr(setup, one.name) for one in dataclasses.fields(setup)}
            await super().setup(FrameProcessorSetup(**(known | {"pipeline_worker": worker})))

    class WithIt(Last):
        def processor(self) -> ZeltoProcessor:
            return Lost(**self.options)

    assert unharmed(WithIt(zelto=unsent), "short")


def test_what_the_users_code_asks_for_is_there_at_any_time(unsent: Zelto):
    for client in (unsent, 3):
        processor = ZeltoProcessor(zelto=client)  # type: ignore[typeddict-item]
        processor.set_recording_url("https://example.com/1.wav")
        assert isinstance(processor.call, Call)
        assert processor.call is processor.call


def test_a_thread_that_cannot_start_is_not_noticed_and_the_call_is_kept_once_it_can(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    start = threading.Thread.start

    def start_others(thread: threading.Thread) -> None:
        if thread.name.startswith("zelto"):
            raise RuntimeError("can't start new thread")
        start(thread)

    client = Zelto(settings=changed(settings))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start_others)
        assert unharmed(Last(zelto=client, external_id="kept"), "short")
        assert not client.flush(0)
    client.close()
    until(lambda: kept_in(settings.outbox) == ["kept"])


def kept_in(folder: Path) -> list[str]:
    outbox = SqliteOutbox(folder)
    try:
        return [one.external_id for one in outbox.deliveries()]
    finally:
        outbox.close()
