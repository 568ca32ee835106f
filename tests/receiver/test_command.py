"""The real ``zelto-agents receiver`` process: what it prints, how it ends, what survives it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripted_server import ScriptedServer, hang

COMMAND = [str(Path(sys.executable).with_name("zelto-agents")), "receiver"]
KEY = "zelto_dev_[A-Za-z0-9_-]{43}"


@contextlib.contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def started(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def upload(start: dict[str, str], key: str, body: dict[str, object]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{start['url']}/webhooks/calls", json=body, headers=headers)


def test_it_prints_the_exact_lines_to_export_once_it_listens():
    with running() as process:
        lines = []
        while "Ctrl-C stops" not in "".join(lines[-1:]):
            lines.append(process.stdout.readline())
        text = "".join(lines)
        [key] = re.findall(rf"^    export ZELTO_API_KEY=({KEY})$", text, re.MULTILINE)
        [url] = re.findall(
            r"^    export ZELTO_BASE_URL=(http://127\.0\.0\.1:\d+)$", text, re.MULTILINE
        )
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"{url}/v1/agents", headers=headers).status_code == 200


def test_json_is_one_line_for_scripts(tmp_path):
    path = tmp_path / "zelto.db"
    with running("--json", "--db", str(path)) as process:
        start = started(process)
        assert re.fullmatch(KEY, start["key"])
        assert start == {
            "url": start["url"],
            "key": start["key"],
            "page": f"{start['url']}/",
            "db": str(path),
        }
        assert httpx.get(start["page"]).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_a_page_open(how):
    with running("--json") as process:
        start = started(process)
        with httpx.stream("GET", f"{start['url']}/page/stream", timeout=10) as stream:
            assert next(stream.iter_lines()).startswith("data:")
            process.send_signal(how)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")
        assert not Path(start["db"]).parent.exists()


def test_a_call_acknowledged_right_before_a_kill_is_there_after_a_restart(tmp_path, body):
    path = str(tmp_path / "zelto.db")
    with running("--json", "--db", path) as process:
        start = started(process)
        key = start["key"]
        for number in range(20):
            assert upload(start, key, body(f"conv-{number}")).status_code == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    with running("--json", "--db", path) as process:
        start = started(process)
        assert start["key"] is None
        # What was left is ingested before what comes now.
        assert upload(start, key, body("last")).status_code == 200
        with httpx.stream("GET", f"{start['url']}/page/stream", timeout=10) as stream:
            updates = (json.loads(line[6:]) for line in stream.iter_lines() if line[:5] == "data:")
            next(each for each in updates if each["counts"]["conversations"] == 21)
        page = httpx.get(f"{start['url']}/page/conversations").json()["data"]
        assert [each["externalId"] for each in page] == [
            "last",
            *(f"conv-{number}" for number in reversed(range(20))),
        ]


def test_a_taken_port_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)], check=False, capture_output=True, text=True
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"zelto-agents receiver: port {port} on 127.0.0.1 is taken; "
        "choose another with --port, or --port 0 for any\n"
    )


def test_a_file_that_is_no_database_is_said_in_one_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and long enough to be sure of it\n" * 100)
    done = subprocess.run(
        [*COMMAND, "--port", "0", "--db", str(path)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"zelto-agents receiver: {path} cannot be used as its database: file is not a database\n"
    )


def test_a_folder_that_is_missing_is_said_in_one_line(tmp_path):
    path = tmp_path / "missing" / "zelto.db"
    done = subprocess.run(
        [*COMMAND, "--port", "0", "--db", str(path)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr


def test_without_its_extra_it_says_what_to_install():
    code = "import sys; sys.modules['uvicorn'] = None; from zelto_agents.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "receiver"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        'zelto-agents receiver: the receiver needs an extra: pip install "zelto-agents[receiver]"\n'
    )


def test_help_ends_with_exit_codes_and_two_examples():
    done = subprocess.run([*COMMAND, "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    _, codes, rest = done.stdout.partition("Exit codes:")
    assert codes
    examples = [line.strip() for line in rest.splitlines() if "zelto-agents receiver" in line]
    assert examples == [
        "zelto-agents receiver",
        "zelto-agents receiver --db zelto.db --fault '503 x3' --json",
    ]


def test_wrong_usage_is_exit_code_two():
    assert (
        subprocess.run([*COMMAND, "--port", "x"], check=False, capture_output=True).returncode == 2
    )


def test_only_so_many_conversations_are_kept_and_all_are_worked_in_again(tmp_path, body):
    path = str(tmp_path / "zelto.db")
    with running("--json", "--db", path, "--keep", "2") as process:
        start = started(process)
        for number in range(4):
            assert upload(start, start["key"], body(f"conv-{number}")).status_code == 200
        key = start["key"]
        before = _listed(start, key, 2)
        assert [each["referenceId"] for each in before] == ["conv-3", "conv-2"]
    with running("--json", "--db", path, "--replay") as process:
        assert _listed(started(process), key, 2) == before


def _listed(start: dict[str, str], key: str, newest: int) -> list[dict[str, object]]:
    """What REST shows once ingest is through: the page's stream tells of every change."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.stream("GET", f"{start['url']}/page/stream", timeout=10) as stream:
        for line in stream.iter_lines():
            answer = httpx.get(f"{start['url']}/v1/conversations", headers=headers)
            found = answer.json()["data"]
            if line and len(found) == newest and found[0]["referenceId"] == "conv-3":
                return found
    raise AssertionError("the stream ended")


def test_recordings_from_here_are_fetched_only_when_allowed(body):
    call = {"recordingUrl": "http://127.0.0.1:9/a.wav"}
    for options, reason in ([], "private or reserved"), (["--allow-private"], "connection failed"):
        with running("--json", *options) as process:
            start = started(process)
            upload(start, start["key"], body(call=call))
            assert reason in _why(start)


def test_a_recording_that_is_too_large_or_too_slow_is_not_kept(body):
    with ScriptedServer((200, {"Content-Type": "audio/wav"}, "x" * 2000), hang) as server:
        call = {"recordingUrl": f"{server.url}/a.wav"}
        for limit, reason in (
            (("--recording-max-bytes", "1999"), "it is larger than 1999 bytes"),
            (("--recording-max-seconds", "0.2"), "it took longer than 0.2 s"),
        ):
            with running("--json", "--allow-private", *limit) as process:
                start = started(process)
                upload(start, start["key"], body(call=call))
                assert reason in _why(start)


def _why(start: dict[str, str]) -> str:
    with httpx.stream("GET", f"{start['url']}/page/stream", timeout=10) as stream:
        for _ in stream.iter_lines():
            listed = httpx.get(f"{start['url']}/page/conversations").json()["data"]
            if listed:
                url = f"{start['url']}/page/conversations/{listed[0]['id']}"
                recording = httpx.get(url).json()["conversation"]["recording"]
                if recording["why"]:
                    return str(recording["why"])
    raise AssertionError("the stream ended")
