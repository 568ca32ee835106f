"""``zelto-agents drain --watch``: a sidecar that delivers what others leave, until it is stopped."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from commands import NOWHERE, a_put, environment, gone, leave, opened, running, states
from postgres_server import PostgresServer
from scripted_server import ScriptedServer, hang
from talking import until
from zelto_agents.outbox import Outcome
from zelto_agents.receiver import RunningReceiver

LIVES = """
import sys
from zelto_agents import Zelto
call = Zelto().call("cut-off", agent_id="a")
call.turn("user", "Hi", start=0.4, end=1.1)
sys.stdin.readline()
"""


class Watching(NamedTuple):
    """A watch that runs, and its ``/healthz``."""

    process: subprocess.Popen[str]
    url: str

    def health(self) -> tuple[int, dict[str, Any]]:
        answer = httpx.get(self.url, timeout=20)
        return answer.status_code, answer.json()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(how)
        out, errors = self.process.communicate(timeout=20)
        return self.process.returncode, out, errors


@contextlib.contextmanager
def watching(env: dict[str, str], *options: str) -> Iterator[Watching]:
    arguments = ("drain", "--watch", "--json", "--health-port", "0", *options)
    with running(*arguments, env=env) as process:
        assert process.stdout is not None
        yield Watching(process, json.loads(process.stdout.readline())["health"])


@pytest.fixture
def env(tmp_path: Path, receiver: RunningReceiver) -> dict[str, str]:
    """An outbox in a folder, and the receiver."""
    return environment(tmp_path / "outbox", receiver.url, receiver.key)


def test_it_delivers_what_another_process_puts_while_it_watches(
    store: str, receiver: RunningReceiver
):
    with watching(environment(store, receiver.url, receiver.key)) as watch:
        until(lambda: watch.health()[0] == 200)
        with opened(store) as engine:
            engine.put(a_put("conv-1", receiver.url), now=time.time())
        assert receiver.wait_for("conv-1", 20)
        until(
            lambda: watch.health() == (200, {"status": "ok", "waiting": 0, "oldest_waiting_s": 0.0})
        )
        code, _, errors = watch.stop()
    assert code == 0
    assert "stopped: 1 were sent" in errors
    assert states(store) == {"conv-1": "sent"}


def test_a_receiver_that_comes_up_later_gets_everything(
    env: dict[str, str], receiver: RunningReceiver, tmp_path: Path
):
    receiver.stop()
    with opened(tmp_path / "outbox") as engine:
        for number in range(20):
            engine.put(a_put(f"conv-{number}", receiver.url), now=time.time())
    with watching(env) as watch:
        until(lambda: bool(_attempts(tmp_path / "outbox")))
        until(lambda: watch.health()[1]["waiting"] == 20)
        receiver.start()
        until(lambda: set(states(tmp_path / "outbox").values()) == {"sent"}, 60)
        assert watch.stop()[0] == 0
    assert len(receiver.conversations()) == 20


def _attempts(place: Path) -> int:
    with opened(place) as engine:
        return engine.stats().attempts


def test_it_finishes_the_call_of_a_process_that_dies_beside_it(
    env: dict[str, str], receiver: RunningReceiver, tmp_path: Path
):
    with watching(env):
        agent = subprocess.Popen([sys.executable, "-c", LIVES], env=env, stdin=subprocess.PIPE)
        with agent:
            until(lambda: states(tmp_path / "outbox") == {"cut-off": "live"})
            agent.kill()
        assert receiver.wait_for("cut-off", 30)["endedReason"] == "agent-process-died"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_although_a_request_hangs_and_its_claims_are_free(
    how: signal.Signals, tmp_path: Path
):
    with ScriptedServer(hang) as server:
        with opened(tmp_path / "outbox") as engine:
            for number in range(20):
                engine.put(a_put(f"conv-{number}", server.url), now=time.time())
        with watching(environment(tmp_path / "outbox", server.url)) as watch:
            server.wait_for(8)
            code, out, _ = watch.stop(how)
            assert (code, out) == (0, "")
        with opened(tmp_path / "outbox") as engine:
            (held,) = engine._run(
                lambda db: db.execute("SELECT COUNT(*) FROM delivery WHERE lease_until > 0")
            ).fetchone()
            (known,) = engine._run(lambda db: db.execute("SELECT COUNT(*) FROM process")).fetchone()
        assert (held, known) == (0, 0)


def test_what_is_under_way_when_it_is_stopped_is_finished_and_nothing_more(
    tmp_path: Path,
):
    stopped = threading.Event()

    def answer_after_the_stop(_: ScriptedServer, request: Any) -> None:
        stopped.wait(20)
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    with ScriptedServer(answer_after_the_stop) as server:
        with opened(tmp_path / "outbox") as engine:
            for number in range(40):
                engine.put(a_put(f"conv-{number:02}", server.url), now=time.time())
        with watching(environment(tmp_path / "outbox", server.url)) as watch:
            server.wait_for(8)
            watch.process.send_signal(signal.SIGTERM)
            stopped.set()
            _, errors = watch.process.communicate(timeout=20)
            assert watch.process.returncode == 0, errors
    counts = list(states(tmp_path / "outbox").values())
    assert counts.count("sent") == len(server.requests)
    assert 8 <= counts.count("sent") < 40
    assert counts.count("due") == 40 - counts.count("sent")


def test_the_health_file_is_touched_while_all_is_well_and_removed_at_the_end(
    env: dict[str, str], tmp_path: Path
):
    file = tmp_path / "healthy"
    file.write_text("of one that was killed")
    with watching(env, "--health-file", str(file)) as watch:
        until(lambda: file.exists() and not file.read_bytes())
        first = file.stat().st_mtime_ns
        until(lambda: file.stat().st_mtime_ns > first)
        assert watch.stop()[0] == 0
    assert not file.exists()


def test_an_outbox_that_fails_for_a_while_is_told_and_used_again(
    postgres: PostgresServer, postgres_place: str, receiver: RunningReceiver
):
    with watching(environment(postgres_place, receiver.url, receiver.key)) as watch:
        until(lambda: watch.health()[0] == 200)
        postgres.stop()
        until(lambda: watch.health()[0] == 503, 60)
        assert watch.health()[1]["reason"] == "the outbox cannot be used; the log says why"
        postgres.start()
        with opened(postgres_place) as engine:
            engine.put(a_put("conv-1", receiver.url), now=time.time())
        assert receiver.wait_for("conv-1", 60)
        until(lambda: watch.health()[0] == 200, 60)
        code, _, errors = watch.stop()
    assert code == 0
    assert "cannot be used" in errors
    assert "s3cr" not in errors


def test_a_database_that_answers_nothing_does_not_keep_it_from_ending(
    postgres: PostgresServer, postgres_place: str
):
    with watching(environment(postgres_place)) as watch:
        until(lambda: watch.health()[0] == 200)
        with postgres.frozen():
            assert watch.stop()[0] == 0


def test_a_folder_that_is_removed_under_it_is_made_anew(
    env: dict[str, str], receiver: RunningReceiver, tmp_path: Path
):
    with watching(env) as watch:
        until(lambda: watch.health()[0] == 200)
        shutil.rmtree(tmp_path / "outbox")
        leave(tmp_path / "outbox", "conv-1", url=receiver.url, key="zk_wrong")
        assert receiver.wait_for("conv-1", 60)
        until(lambda: watch.health()[0] == 200)
        assert watch.stop()[0] == 0


def test_a_refused_key_is_told_and_a_new_one_sends(
    env: dict[str, str], receiver: RunningReceiver, tmp_path: Path
):
    gone(
        Outcome("due", away="key", status=401, key_mark="k1"),
        tmp_path / "outbox",
        "a",
        receiver.url,
    )
    with watching({**env, "ZELTO_API_KEY": "zk_wrong"}) as watch:
        until(lambda: _attempts(tmp_path / "outbox") > 1)
        code, _, errors = watch.stop()
        assert (code, "refused the key (status 401): check ZELTO_API_KEY" in errors) == (0, True)
        assert "zk_wrong" not in errors
    with watching(env):
        assert receiver.wait_for("a", 20)


def test_two_that_watch_the_same_outbox_send_nothing_twice(
    env: dict[str, str], receiver: RunningReceiver, tmp_path: Path
):
    with watching(env) as one, watching(env) as other:
        until(lambda: one.health()[0] == other.health()[0] == 200)
        with opened(tmp_path / "outbox") as engine:
            for number in range(200):
                engine.put(a_put(f"conv-{number}", receiver.url), now=time.time())
        until(lambda: set(states(tmp_path / "outbox").values()) == {"sent"}, 60)
        assert (one.stop()[0], other.stop()[0]) == (0, 0)
    assert receiver.raw_count() == 200


def test_other_paths_are_not_there(env: dict[str, str]):
    with watching(env) as watch:
        assert httpx.get(watch.url.replace("healthz", "")).status_code == 404


def test_a_taken_port_or_a_file_that_cannot_be_written_is_one_line(tmp_path: Path):
    env = environment(tmp_path / "outbox")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running("drain", "--watch", "--health-port", port, env=env) as process:
            out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert errors == (
        f"zelto-agents drain: --health-host 127.0.0.1, --health-port {port}: "
        "Address already in use\n"
    )
    file = str(tmp_path / "missing" / "healthy")
    with running("drain", "--watch", "--health-file", file, env=env) as process:
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors.count("\n")) == (1, "", 1)
    assert f"--health-file {file} cannot be written" in errors


def test_the_start_is_told_on_stderr_for_people(tmp_path: Path):
    with running("drain", "--watch", env=environment(tmp_path / "outbox")) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert line.endswith(f"watching {tmp_path / 'outbox'} for {NOWHERE}\n")
    assert (process.returncode, out) == (0, "")
