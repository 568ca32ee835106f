"""``zelto-agents drain``: what waits is tried at once, and what is left is explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripted_server import ScriptedServer
from talking import settings_for, talk, waiting
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver


def drain(
    folder: Path, url: str, key: str = "zk_1", *arguments: str, **more: str
) -> tuple[int, str, str]:
    environment = os.environ | {
        "ZELTO_API_KEY": key,
        "ZELTO_BASE_URL": url,
        "ZELTO_OUTBOX": str(folder / "outbox"),
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-m", "zelto_agents.cli", "drain", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def leave_waiting(settings: Settings, *names: str, agent: str | None = "a") -> None:
    with Zelto(settings=settings) as zelto:
        for name in names:
            talk(zelto, name, agent_id=agent)
        zelto.flush()


def test_a_call_that_is_backed_off_is_tried_at_once(tmp_path: Path):
    with ScriptedServer((503, {"Retry-After": "900"}, "")) as away:
        leave_waiting(settings_for(away.url, tmp_path), "conv-1")
        code, out, errors = drain(tmp_path, away.url)
        assert (code, out) == (1, "0 sent, 1 retried, 0 held, 0 dead, 1 waiting, 0 elsewhere\n")
        assert "1 x due again later: status 503" in errors


def test_all_that_waits_is_sent_and_the_exit_code_says_so(
    receiver: RunningReceiver, tmp_path: Path
):
    receiver.stop()
    settings = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "outbox"
    )
    leave_waiting(settings, "conv-1", "conv-2")
    receiver.start()
    code, out, _ = drain(tmp_path, receiver.url, receiver.key or "", "--json")
    assert code == 0
    assert json.loads(out) == {
        "sent": 2,
        "retried": 0,
        "held": 0,
        "dead": 0,
        "waiting": 0,
        "elsewhere": 0,
    }


def test_a_refused_key_is_named_each_time(receiver: RunningReceiver, tmp_path: Path):
    leave_waiting(settings_for(receiver.url, tmp_path), "conv-1")
    for _ in range(2):
        code, out, errors = drain(tmp_path, receiver.url, "zk_1")
        assert (code, out) == (1, "0 sent, 0 retried, 1 held, 0 dead, 1 waiting, 0 elsewhere\n")
        assert "1 x held: the key was refused (status 401): check ZELTO_API_KEY" in errors


def test_a_missing_agent_is_named(receiver: RunningReceiver, tmp_path: Path):
    key = receiver.key or ""
    leave_waiting(settings_for(receiver.url, tmp_path), "conv-1", agent=None)
    code, _, errors = drain(tmp_path, receiver.url, key)
    assert (code, "1 x held: no agent is named: set ZELTO_AGENT_ID" in errors) == (1, True)
    assert drain(tmp_path, receiver.url, key, ZELTO_AGENT_ID="a")[0] == 0
    assert receiver.wait_for("conv-1")


def test_dead_letters_are_shown_with_their_reason_and_wait_for_nothing(tmp_path: Path):
    with ScriptedServer((400, {}, "version: too long")) as server:
        leave_waiting(settings_for(server.url, tmp_path), "conv-1")
        code, _, errors = drain(tmp_path, server.url)
    assert code == 0
    assert "1 x dead letter conv-1: status 400, version: too long" in errors


def test_calls_for_another_base_url_are_named_with_the_way_to_send_them(
    receiver: RunningReceiver, tmp_path: Path
):
    leave_waiting(settings_for("http://127.0.0.1:9", tmp_path), "conv-1")
    code, out, errors = drain(tmp_path, receiver.url, receiver.key or "")
    assert (code, out) == (1, "0 sent, 0 retried, 0 held, 0 dead, 0 waiting, 1 elsewhere\n")
    assert "waits for http://127.0.0.1:9: drain with ZELTO_BASE_URL=http://127.0.0.1:9" in errors


def test_a_call_that_was_made_before_the_key_was_set_goes_where_the_key_belongs(
    receiver: RunningReceiver, tmp_path: Path
):
    leave_waiting(Settings.load({}, outbox=tmp_path / "outbox"), "conv-1")
    assert [d.base_url for d in waiting(tmp_path / "outbox")] == [""]
    assert drain(tmp_path, receiver.url, receiver.key or "")[0] == 0
    assert receiver.wait_for("conv-1")


@pytest.mark.parametrize(("url", "key"), [("http://127.0.0.1:9", ""), ("htp://x", "zk_1")])
def test_without_key_or_url_nothing_is_tried(url: str, key: str, tmp_path: Path):
    code, out, errors = drain(tmp_path, url, key)
    assert (code, out) == (1, "")
    assert "nothing can be sent without a usable ZELTO_API_KEY and ZELTO_BASE_URL" in errors


def test_another_setting_that_is_not_usable_is_named_and_does_not_stop_it(
    receiver: RunningReceiver, tmp_path: Path
):
    code, _, errors = drain(tmp_path, receiver.url, receiver.key or "", ZELTO_RETAIN="1d")
    assert code == 0
    assert (
        "environment ZELTO_RETAIN is not usable: expected a number of seconds, 0 or more; "
        "the default (86400) is used" in errors
    )
