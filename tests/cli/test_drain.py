"""``zelto-agents drain``: what waits is tried at once, and what is left is explained."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from commands import COMMAND, NOWHERE, a_put, environment, gone, leave, opened, run, states
from scripted_server import ScriptedServer
from zelto_agents import Settings
from zelto_agents.outbox import Outcome
from zelto_agents.receiver import RunningReceiver

NOTHING = {
    "sent": 0,
    "retried": 0,
    "held": 0,
    "dead": 0,
    "adopted": 0,
    "waiting": 0,
    "elsewhere": 0,
    "confirming": 0,
    "recordings": 0,
}
DIES = """
import os, sys
from zelto_agents import Zelto
zelto = Zelto()
call = zelto.call("cut-off", agent_id="a")
call.turn("user", "Hi", start=0.4, end=1.1)
sys.stdin.readline()
os._exit(1)
"""


def test_a_call_that_is_backed_off_is_tried_at_once(tmp_path: Path):
    with ScriptedServer((503, {"Retry-After": "900"}, "")) as away:
        leave(tmp_path / "outbox", "conv-1", url=away.url)
        done = run("drain", env=environment(tmp_path / "outbox", away.url))
    assert done.code == 1
    assert done.out == "0 sent, 1 retried, 1 waiting\n"
    assert "1 x due again later: status 503; its receiver is down" in done.errors


def test_all_that_waits_is_sent_and_the_exit_code_says_so(store: str, receiver: RunningReceiver):
    with opened(store) as engine:
        for number in range(30):
            engine.put(
                a_put(f"conv-{number}", receiver.url, due_at=time.time() + 900), now=time.time()
            )
    done = run("drain", "--json", env=environment(store, receiver.url, receiver.key))
    assert (done.code, done.errors) == (0, "")
    assert done.json == NOTHING | {"sent": 30}
    assert set(states(store).values()) == {"sent"}
    assert receiver.raw_count() == 30


def test_an_outage_ends_it_after_a_few_attempts(tmp_path: Path):
    with opened(tmp_path / "outbox") as engine:
        for number in range(100):
            engine.put(a_put(f"conv-{number}"), now=time.time())
    done = run("drain", "--json", env=environment(tmp_path / "outbox"))
    assert done.code == 1
    assert done.json["waiting"] == 100
    assert done.json["retried"] < 20


def test_a_call_whose_process_died_is_adopted_and_sent(tmp_path: Path, receiver: RunningReceiver):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    process = subprocess.Popen([sys.executable, "-c", DIES], env=env, stdin=subprocess.PIPE)
    with process:
        deadline = time.monotonic() + 20
        while states(tmp_path / "outbox") != {"cut-off": "live"}:
            assert time.monotonic() < deadline
        process.kill()
    done = run("drain", "--json", env=env)
    assert done.code == 0
    assert done.json == NOTHING | {"sent": 1, "adopted": 1}
    assert receiver.wait_for("cut-off")["endedReason"] == "agent-process-died"


def test_what_is_only_to_be_confirmed_does_not_wait(tmp_path: Path):
    arrived = Outcome("due", due_at=time.time() + 50, status=200)
    gone(arrived, tmp_path / "outbox", "conv-1")
    with opened(tmp_path / "outbox") as engine:
        # It keeps its time because it is the one of the request whose fate is not known.
        engine._run(lambda db: db.execute("UPDATE delivery SET unsure_until = due_at"))
    done = run("drain", "--json", env=environment(tmp_path / "outbox"))
    assert (done.code, done.json) == (0, NOTHING | {"confirming": 1})
    assert "arrived; sent once more, in case an older revision comes late" in done.errors


def test_a_refused_key_is_named_each_time(tmp_path: Path, receiver: RunningReceiver):
    leave(tmp_path / "outbox", "conv-1", url=receiver.url)
    for _ in range(2):
        done = run("drain", "--json", env=environment(tmp_path / "outbox", receiver.url))
        assert (done.code, done.json) == (1, NOTHING | {"held": 1, "waiting": 1})
        assert "1 x held: the key was refused (status 401): check ZELTO_API_KEY" in done.errors


def test_a_missing_agent_is_named(tmp_path: Path, receiver: RunningReceiver):
    leave(tmp_path / "outbox", "conv-1", url=receiver.url, agent=None)
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    done = run("drain", env=env)
    assert done.code == 1
    assert "1 x held: no agent is named: set ZELTO_AGENT_ID" in done.errors
    assert run("drain", env={**env, "ZELTO_AGENT_ID": "a"}).code == 0
    assert receiver.wait_for("conv-1")


def test_dead_letters_are_shown_with_their_reason_and_wait_for_nothing(tmp_path: Path):
    with ScriptedServer((400, {}, "version: too long")) as server:
        leave(tmp_path / "outbox", "conv-1", url=server.url)
        done = run("drain", env=environment(tmp_path / "outbox", server.url))
    assert done.code == 0
    assert "1 x dead letter conv-1: status 400, version: too long" in done.errors


def test_calls_for_another_base_url_are_named_with_the_way_to_send_them(
    tmp_path: Path, receiver: RunningReceiver
):
    leave(tmp_path / "outbox", "conv-1")
    done = run("drain", "--json", env=environment(tmp_path / "outbox", receiver.url, receiver.key))
    assert (done.code, done.json) == (1, NOTHING | {"elsewhere": 1})
    assert (
        f"1 x waits for {NOWHERE}: drain with ZELTO_BASE_URL={NOWHERE}, "
        f"or send it to yours: zelto-agents outbox retry --from {NOWHERE}\n"
    ) in done.errors


def test_a_call_that_was_made_before_the_key_was_set_goes_where_the_key_belongs(
    tmp_path: Path, receiver: RunningReceiver
):
    leave(tmp_path / "outbox", "conv-1", key="")
    with opened(tmp_path / "outbox") as engine:
        assert [d.base_url for d in engine.deliveries()] == [""]
    assert run("drain", env=environment(tmp_path / "outbox", receiver.url, receiver.key)).code == 0
    assert receiver.wait_for("conv-1")


def test_what_the_spare_kept_while_the_database_was_away_is_moved_and_sent(
    postgres_place: str, tmp_path: Path, receiver: RunningReceiver
):
    spare = Settings.load(dict(os.environ), outbox=postgres_place).outbox
    with opened(spare) as engine:
        engine.put(a_put("strayed", receiver.url), now=time.time())
    env = environment(postgres_place, receiver.url, receiver.key)
    assert f"{spare} kept calls while the database was away" in run("outbox", "list", env=env).out
    done = run("drain", "--json", env=env)
    assert (done.code, done.json) == (0, NOTHING | {"sent": 1})
    assert (states(spare), states(postgres_place)) == ({}, {"strayed": "sent"})


@pytest.mark.parametrize(("url", "key"), [(NOWHERE, ""), ("htp://x", "zk_1")])
@pytest.mark.parametrize("options", [[], ["--watch"]])
def test_without_key_or_url_nothing_is_tried(
    url: str, key: str, options: list[str], tmp_path: Path
):
    done = run("drain", *options, env=environment(tmp_path / "outbox", url, key))
    assert (done.code, done.out) == (1, "")
    assert "nothing can be sent without a usable ZELTO_API_KEY and ZELTO_BASE_URL" in done.errors


def test_another_setting_that_is_not_usable_is_named_and_does_not_stop_it(tmp_path: Path):
    done = run("drain", env=environment(tmp_path / "outbox", ZELTO_RETAIN="1d"))
    assert done.code == 0
    assert (
        "environment ZELTO_RETAIN is not usable: expected a number of seconds, 0 or more; "
        "the default (86400) is used" in done.errors
    )


def test_an_outbox_that_cannot_be_used_is_one_line_and_no_success(tmp_path: Path):
    (tmp_path / "outbox").write_text("a file, not a folder")
    done = run("drain", env=environment(tmp_path / "outbox"))
    assert (done.code, done.out, done.errors.count("\n")) == (1, "", 1)
    assert done.errors.startswith("zelto-agents drain: the outbox in ")


def test_on_a_terminal_there_is_a_bar_on_stderr(tmp_path: Path, receiver: RunningReceiver):
    leave(tmp_path / "outbox", "conv-1", url=NOWHERE)
    with opened(tmp_path / "outbox") as engine:
        engine.put(a_put("conv-2", receiver.url), now=time.time())
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        while part := _part(ours):
            shown.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    process = subprocess.run(
        [COMMAND, "drain", "--json"],
        env=environment(tmp_path / "outbox", receiver.url, receiver.key, TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    reader.join(20)
    os.close(ours)
    assert json.loads(process.stdout) == NOTHING | {"sent": 1, "elsewhere": 1}
    assert b"sending" in shown


def _part(file: int) -> bytes:
    try:
        return os.read(file, 4096)
    except OSError:  # the other end is closed
        return b""


def test_health_is_only_for_a_watch(tmp_path: Path):
    done = run("drain", "--health-port", "0", env=environment(tmp_path / "outbox"))
    assert done.code == 2
    assert "--watch" in done.errors
