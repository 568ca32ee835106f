"""``zelto.install``: the worker's main process delivers what its jobs leave; real workers and jobs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import AgentServer, JobContext
from livekit.plugins import zelto

from commands import a_put, environment, opened, states
from scripted_server import ScriptedServer, hang
from talking import until
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

PROGRAM = Path(__file__).with_name("installed_worker.py")
FOREVER = 600
# A worker has to import, to fork and to end; the machine may be busy.
PATIENCE = 60


class Worker:
    """A worker as its command line runs it, whose output is a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def job(self) -> dict[str, Any]:
        """What its job says of itself, once it runs."""
        until(lambda: '"threads": ' in self.log, PATIENCE)
        (line,) = [line for line in self.log.splitlines() if '"threads": ' in line]
        return dict(json.loads(line))

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def working(env: dict[str, str], seconds: float, folder: Path) -> Iterator[Worker]:
    """A worker that gets one call of so many seconds."""
    log = folder / "worker.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "start"],
            env={**env, "CALL_SECONDS": str(seconds)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    with process:
        try:
            yield Worker(process, log)
        finally:
            process.kill()


def received(receiver: RunningReceiver, call: str) -> dict[str, Any]:
    """The document of a call, once it has arrived."""
    until(lambda: bool(receiver.deliveries(call)), PATIENCE)
    return dict(json.loads(receiver.raw_body(receiver.deliveries(call)[-1]["id"]) or b""))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def the_call(outbox: Path, state: str) -> str:
    """The id of the only call, once it is in this state."""
    until(lambda: list(states(outbox).values()) == [state], PATIENCE)
    return next(iter(states(outbox)))


def test_the_call_of_a_killed_job_is_delivered_while_the_worker_idles(
    receiver: RunningReceiver, tmp_path: Path
):
    outbox = tmp_path / "outbox"
    with working(environment(outbox, receiver.url, receiver.key), FOREVER, tmp_path) as worker:
        job = worker.job()
        call = the_call(outbox, "live")
        os.kill(job["pid"], signal.SIGKILL)
        document = received(receiver, call)
        assert worker.stop() == 0
    assert document["call"]["endedReason"] == "agent-process-died"
    assert document["metadata"]["livekit"]["roomName"] == "room"
    assert "zelto-watch" not in job["threads"]
    assert worker.log.count(f"watching {outbox} for {receiver.url}") == 1
    assert receiver.raw_count() == 1


def test_a_receiver_that_was_down_during_the_call_gets_it_from_the_idle_worker(
    receiver: RunningReceiver, tmp_path: Path
):
    outbox = tmp_path / "outbox"
    receiver.stop()
    with working(environment(outbox, receiver.url, receiver.key), 1, tmp_path) as worker:
        pid = worker.job()["pid"]
        call = the_call(outbox, "due")
        until(lambda: gone(pid), PATIENCE)
        receiver.start()
        assert received(receiver, call)["call"]["endedReason"] == "customer-ended-call"
        assert worker.stop() == 0


def test_a_job_that_is_killed_last_leaves_nothing_when_the_worker_ends(
    receiver: RunningReceiver, tmp_path: Path
):
    outbox = tmp_path / "outbox"
    with working(environment(outbox, receiver.url, receiver.key), FOREVER, tmp_path) as worker:
        pid = worker.job()["pid"]
        call = the_call(outbox, "live")
        os.kill(pid, signal.SIGKILL)
        assert worker.stop() == 0
    assert states(outbox) == {call: "sent"}
    assert received(receiver, call)["call"]["endedReason"] == "agent-process-died"


def test_what_waits_for_later_is_tried_once_more_when_the_worker_ends(tmp_path: Path):
    outbox = tmp_path / "outbox"
    with ScriptedServer((503, {"Retry-After": "600"}, ""), 200) as server:
        with working(environment(outbox, server.url), 1, tmp_path) as worker:
            worker.job()
            call = the_call(outbox, "due")
            server.wait_for(1)
            assert worker.stop() == 0
    assert states(outbox) == {call: "sent"}
    assert len(server.requests) == 2


def test_a_receiver_that_hangs_does_not_keep_the_worker_from_ending(tmp_path: Path):
    outbox = tmp_path / "outbox"
    with ScriptedServer(hang) as server:
        with working(environment(outbox, server.url), 1, tmp_path) as worker:
            worker.job()
            call = the_call(outbox, "due")
            server.wait_for(1)
            assert worker.stop() == 0
            left = "0 sent, 1 still wait: no answer so far, or not due yet"
            assert f"stopped watching the outbox: {left}" in worker.log
    assert states(outbox) == {call: "due"}


def test_a_call_in_a_thread_of_the_worker_arrives(receiver: RunningReceiver, tmp_path: Path):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key, CALL_SECONDS="1")
    subprocess.run([sys.executable, str(PROGRAM), "thread"], env=env, check=True, timeout=90)
    ((call, state),) = states(tmp_path / "outbox").items()
    assert (state, receiver.raw_count()) == ("sent", 1)
    assert received(receiver, call)["call"]["endedReason"] == "customer-ended-call"


def test_importing_a_worker_starts_nothing():
    code = (
        "import os, sys, threading; from pathlib import Path; import livekit.agents\n"
        "before = threading.active_count(), os.listdir('/proc/self/fd')\n"
        f"sys.path.insert(0, {str(PROGRAM.parent)!r})\n"
        "import installed_worker\n"
        "assert (threading.active_count(), os.listdir('/proc/self/fd')) == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)


def watches() -> int:
    return sum(thread.name == "zelto-watch" for thread in threading.enumerate())


def is_over() -> bool:
    """Whether the watch has ended, and whoever ended it has said so."""
    return not {"zelto-watch", "zelto-end"} & {thread.name for thread in threading.enumerate()}


async def run(server: AgentServer, meanwhile: Callable[[], Awaitable[object]]) -> None:
    """A worker without jobs, from its start to its end."""
    started = asyncio.Event()
    server.once("worker_started", started.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run(devmode=True, unregistered=True))
        await started.wait()
        try:
            await meanwhile()
        finally:
            await server.aclose()


async def answer(ctx: JobContext) -> None:
    """No call ever comes in."""


def installed(settings: Settings, times: int = 1) -> AgentServer:
    server = AgentServer(ws_url="ws://127.0.0.1:9", api_key="key", api_secret="s" * 32)
    server.rtc_session()(answer)
    for _ in range(times):
        zelto.install(server, zelto=Zelto(settings=settings))
    return server


def test_installed_twice_it_is_one_watch_that_ends_with_the_worker_and_starts_again_with_it(
    settings: Settings, receiver: RunningReceiver
):
    server = installed(settings, times=2)
    assert watches() == 0

    async def deliver(name: str) -> None:
        assert watches() == 1
        with opened(settings.outbox) as engine:
            engine.put(a_put(name, receiver.url), now=time.time())
        await asyncio.to_thread(receiver.wait_for, name, 20)

    for name in ("conv-1", "conv-2"):
        asyncio.run(run(server, lambda name=name: deliver(name)))
        until(is_over)


def test_a_server_that_was_handed_to_another_process_as_for_a_reload_has_its_watch(
    settings: Settings,
):
    server = pickle.loads(pickle.dumps(installed(settings)))
    seen: list[int] = []

    async def look() -> None:
        seen.append(watches())

    asyncio.run(run(server, look))
    assert seen == [1]
    until(is_over)


async def nothing() -> None:
    """No need to wait."""


def test_switched_off_it_does_and_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "livekit.plugins.zelto")

    async def look() -> None:
        assert watches() == 0

    environ = {"ZELTO_ENABLED": "0", "ZELTO_RETAIN": "soon"}
    server = installed(Settings.load(environ, outbox=tmp_path / "outbox"))
    asyncio.run(run(server, look))
    assert [r for r in caplog.records if "zelto" in r.name] == []
    assert not (tmp_path / "outbox").exists()


def test_a_setting_that_cannot_be_used_is_named_once_and_the_worker_runs(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    broken = Settings.load(
        {"ZELTO_RETAIN": "soon", "ZELTO_API_KEY": "zk_1"},
        base_url=settings.base_url,
        outbox=settings.outbox,
    )
    asyncio.run(run(installed(broken), nothing))
    (record,) = [r for r in caplog.records if "zelto" in r.name and r.levelno > logging.INFO]
    assert "environment ZELTO_RETAIN is not usable" in record.getMessage()
    until(is_over)


def test_without_a_key_it_delivers_nothing_and_says_what_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "livekit.plugins.zelto")
    keyless = Settings.load({}, outbox=tmp_path / "outbox")
    with opened(keyless.outbox) as engine:
        engine.put(a_put("conv-1", ""), now=time.time())
    asyncio.run(run(installed(keyless), nothing))
    until(is_over)
    assert [r.getMessage() for r in caplog.records if r.name == "livekit.plugins.zelto"] == [
        "ZELTO_API_KEY is not set (or not usable): the worker's main process delivers nothing",
        "stopped watching the outbox: 0 sent, 1 still wait: there is no usable key and base URL",
    ]


def test_an_outbox_that_cannot_be_written_is_told_once_and_the_worker_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    unusable = Settings.load({}, api_key="zk_1", outbox=tmp_path / "file" / "outbox")

    def errors() -> int:
        return sum(record.levelno >= logging.ERROR for record in caplog.records)

    asyncio.run(run(installed(unusable), lambda: asyncio.to_thread(until, lambda: errors() > 0)))
    until(is_over)
    assert errors() == 1


def test_what_is_no_server_is_told_and_nothing_is_raised(caplog: pytest.LogCaptureFixture):
    zelto.install("server")  # type: ignore[arg-type]
    assert "install failed" in caplog.text


def test_a_worker_that_gives_its_connection_up_is_watched_until_it_is_closed(
    settings: Settings,
):
    server = installed(settings)

    async def give_up_and_close() -> None:
        started = asyncio.Event()
        server.once("worker_started", started.set)
        running = asyncio.create_task(server.run(devmode=True, unregistered=True))
        await started.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert watches() == 1, "its jobs may go on"
        await server.aclose()

    asyncio.run(give_up_and_close())
    until(is_over)
