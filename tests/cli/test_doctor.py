"""``zelto-agents doctor``: what is right, what is wrong, and what to do about it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from commands import KEY, NOWHERE, Ended, a_put, environment, gone, leave, opened, run
from postgres_server import PASSWORD
from zelto_agents.cli._checks import check_disk
from zelto_agents.outbox import Outcome
from zelto_agents.receiver import RunningReceiver


def marks(done: Ended) -> dict[str, list[str]]:
    """By mark, what has it."""
    found: dict[str, list[str]] = {"✓": [], "!": [], "✗": []}
    for mark, name in re.findall(r"^([✓!✗]) ([\w ]+):", done.out, re.MULTILINE):
        found[mark].append(name)
    return found


@pytest.fixture
def answering() -> Iterator[Any]:
    """A server that answers as the test says, with whatever date."""

    class Handler(BaseHTTPRequestHandler):
        status, ahead = 200, 0.0

        def do_GET(self) -> None:
            self.send_response(Handler.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + Handler.ahead)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        Handler.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        yield Handler
        server.shutdown()
        thread.join()


def test_when_all_is_well_it_says_so_and_everything_that_is_set(
    tmp_path: Path, receiver: RunningReceiver
):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    done = run("doctor", env=env)
    assert (done.code, done.errors) == (0, "")
    assert marks(done)["✗"] == []
    assert {"settings", "outbox", "waiting", "key", "clock"} <= set(marks(done)["✓"])
    assert f"{receiver.url} accepts the key" in done.out
    assert f"ZELTO_BASE_URL          {receiver.url}  (environment ZELTO_BASE_URL)" in done.out
    assert "ZELTO_RETAIN            86400  (default)" in done.out
    for name in ("python", "sqlite", "zelto-agents", "livekit-agents", "httpx", "pydantic"):
        assert re.search(rf"\b{name} \d+\.\d+", done.out), name


def test_neither_the_key_nor_a_part_of_it_is_printed(tmp_path: Path, receiver: RunningReceiver):
    key = receiver.key or ""
    for options in ((), ("--json",)):
        out = run("doctor", *options, env=environment(tmp_path / "o", receiver.url, key)).out
        assert key not in out
        assert key[10:20] not in out
        assert re.search(r"set \(mark [0-9a-f]{12}\)", out)


def test_json_is_one_object(tmp_path: Path, receiver: RunningReceiver):
    found = run(
        "doctor", "--json", env=environment(tmp_path / "o", receiver.url, receiver.key)
    ).json
    assert set(found) == {"ok", "checks", "settings", "versions"}
    assert found["ok"] is True
    assert {check["state"] for check in found["checks"]} <= {"ok", "warning"}


def test_a_key_that_is_refused_is_to_be_mended(tmp_path: Path, receiver: RunningReceiver):
    done = run("doctor", env=environment(tmp_path / "outbox", receiver.url))
    assert (done.code, marks(done)["✗"]) == (1, ["key"])
    assert f"{receiver.url} refuses the key (status 401)\n    check ZELTO_API_KEY" in done.out
    assert KEY not in done.out


def test_no_key_at_all_is_to_be_mended(tmp_path: Path):
    done = run("doctor", env=environment(tmp_path / "outbox", key=None))
    assert (done.code, marks(done)["✗"]) == (1, ["key"])
    assert "ZELTO_API_KEY           not set" in done.out


def test_a_receiver_that_is_down_is_to_be_mended(tmp_path: Path):
    done = run("doctor", env=environment(tmp_path / "outbox"))
    assert (done.code, marks(done)["✗"]) == (1, ["base URL"])
    assert f"{NOWHERE} does not answer (ConnectError: " in done.out


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "is not Zelto's API"),
        (501, "is not Zelto's API"),
        (302, "is not Zelto's API"),
        (503, "is not well"),
    ],
)
def test_another_answer_is_told(tmp_path: Path, answering: Any, status: int, words: str):
    answering.status = status
    done = run("doctor", env=environment(tmp_path / "outbox", answering.url))
    assert (done.code, marks(done)["✗"]) == (1, ["base URL"])
    assert f"{answering.url} {words} (status {status})" in done.out


@pytest.mark.parametrize(("ahead", "words"), [(3600, "60 min behind"), (-90, "90 s ahead of")])
def test_a_clock_that_is_wrong_is_a_warning(
    tmp_path: Path, answering: Any, ahead: float, words: str
):
    answering.ahead = ahead
    done = run("doctor", env=environment(tmp_path / "outbox", answering.url))
    assert (done.code, marks(done)["!"]) == (0, ["clock"])
    assert re.search(words.replace("90", "(89|90|91)"), done.out)


def test_a_setting_that_cannot_be_used_is_to_be_mended(tmp_path: Path, receiver: RunningReceiver):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key, ZELTO_RETAIN="1d")
    done = run("doctor", env=env)
    assert (done.code, marks(done)["✗"]) == (1, ["settings"])
    assert "environment ZELTO_RETAIN is not usable" in done.out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_to_be_mended(tmp_path: Path):
    (tmp_path / "outbox").mkdir(mode=0o500)
    done = run("doctor", env=environment(tmp_path / "outbox"))
    assert (done.code, "outbox" in marks(done)["✗"]) == (1, True)


def test_a_folder_that_cannot_be_one_is_to_be_mended(tmp_path: Path, receiver: RunningReceiver):
    (tmp_path / "file").write_text("")
    env = environment(tmp_path / "file" / "outbox", receiver.url, receiver.key)
    done = run("doctor", env=env)
    assert (done.code, marks(done)["✗"]) == (1, ["outbox"])
    assert "set ZELTO_OUTBOX to another folder" in done.out


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no tmpfs here")
def test_a_file_system_that_a_restart_empties_is_a_warning(receiver: RunningReceiver):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        env = environment(Path(folder) / "outbox", receiver.url, receiver.key)
        done = run("doctor", env=env)
    assert (done.code, "disk" in marks(done)["!"]) == (0, True)
    assert "is on tmpfs, which a restart may empty" in done.out


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "tmpfs", "overlay"])
def test_a_file_system_that_does_not_keep_an_outbox_well_is_a_warning(tmp_path: Path, kind: str):
    (found,) = check_disk(tmp_path, kind)
    assert (found.state, f"is on {kind}, which" in found.text) == ("warning", True)
    assert found.hint


def test_what_it_writes_is_not_there_any_more(tmp_path: Path, receiver: RunningReceiver):
    run("doctor", env=environment(tmp_path / "outbox", receiver.url, receiver.key))
    with opened(tmp_path / "outbox") as engine:
        assert engine.deliveries() == []


def test_what_waits_and_a_closed_gate_are_told(tmp_path: Path, receiver: RunningReceiver):
    gone(Outcome("dead", status=400), tmp_path / "outbox", "dead", receiver.url)
    away = Outcome("due", away="outage", status=503, wait=90)
    gone(away, tmp_path / "outbox", "waits", receiver.url)
    done = run("doctor", env=environment(tmp_path / "outbox", receiver.url, receiver.key))
    assert (done.code, marks(done)["!"]) == (0, ["waiting", "gate"])
    assert "1 due, 1 dead; " in done.out
    assert "zelto-agents outbox list --state dead says why" in done.out
    assert f"{receiver.url} takes no calls now; tried again in " in done.out


def test_what_waits_for_another_base_url_is_told(tmp_path: Path, receiver: RunningReceiver):
    leave(tmp_path / "outbox", "conv-1", "conv-2")
    done = run("doctor", env=environment(tmp_path / "outbox", receiver.url, receiver.key))
    assert (done.code, marks(done)["!"]) == (0, ["waiting"])
    assert f"2 for {NOWHERE} alone" in done.out
    assert f"zelto-agents outbox retry --from {NOWHERE}" in done.out


def test_an_outbox_that_is_nearly_full_is_a_warning(tmp_path: Path, receiver: RunningReceiver):
    with opened(tmp_path / "outbox") as engine:
        engine.put(a_put("conv-1", receiver.url), now=time.time())
    env = environment(tmp_path / "outbox", receiver.url, receiver.key, ZELTO_OUTBOX_MAX_BYTES="150")
    assert "the outbox is nearly full" in run("doctor", env=env).out


def test_a_database_is_told_with_its_version_and_without_its_password(
    postgres_place: str, receiver: RunningReceiver
):
    env = environment(postgres_place, receiver.url, receiver.key)
    for options in ((), ("--json",)):
        done = run("doctor", *options, env=env)
        assert done.code == 0, done.out
        assert re.search(r"Postgres \d+.*with TLS, answers in \d", done.out)
        assert PASSWORD not in done.out
        assert "s3cr" not in done.out


def test_a_database_that_is_away_is_to_be_mended(receiver: RunningReceiver):
    env = environment("postgresql://zelto:s3cret@127.0.0.1:9/zelto", receiver.url, receiver.key)
    done = run("doctor", env=env)
    assert (done.code, marks(done)["✗"]) == (1, ["outbox"])
    assert "s3cret" not in done.out


def test_a_folder_of_recordings_that_nobody_can_fetch_from_is_to_be_mended(
    tmp_path: Path, receiver: RunningReceiver
):
    env = environment(
        tmp_path / "o", receiver.url, receiver.key, ZELTO_RECORDINGS=str(tmp_path / "r")
    )
    done = run("doctor", env=env)
    assert (done.code, marks(done)["✗"]) == (1, ["recordings"])
    assert "a folder needs ZELTO_RECORDINGS_URL" in done.out
    served = run("doctor", env=env | {"ZELTO_RECORDINGS_URL": "https://example.com/r"})
    assert (served.code, "recordings" in marks(served)["✓"]) == (0, True)


def test_a_bucket_for_recordings_without_its_extra_is_to_be_mended(
    tmp_path: Path, receiver: RunningReceiver
):
    env = environment(tmp_path / "o", receiver.url, receiver.key, ZELTO_RECORDINGS="s3://b/calls")
    assert "recordings" in marks(run("doctor", env=env))["✓"]
    (tmp_path / "obstore.py").write_text("raise ImportError")
    done = run("doctor", env=env | {"PYTHONPATH": str(tmp_path)})
    assert (done.code, marks(done)["✗"]) == (1, ["recordings"])
    assert 'pip install "zelto-agents[recording]"' in done.out


def test_values_are_shown_as_a_person_writes_them(tmp_path: Path):
    out = run("doctor", env=environment(tmp_path / "o", ZELTO_SAMPLE="0.1")).out
    assert "ZELTO_REDACT            not set  (default)" in out
    assert "ZELTO_SAMPLE            0.1  (environment ZELTO_SAMPLE)" in out
    assert "ZELTO_ENABLED           1  (default)" in out
    out = run("doctor", env=environment(tmp_path / "o", ZELTO_REDACT="phone, card,email")).out
    assert "ZELTO_REDACT            card,email,phone:US  (environment ZELTO_REDACT)" in out


def test_a_value_that_cannot_be_used_is_shown_as_that(tmp_path: Path):
    unusable = {
        "ZELTO_BASE_URL": "nope",
        "ZELTO_REDACT": "faxes",
        "ZELTO_RECORDINGS": "ftp://x",
        "ZELTO_RETAIN": "1d",
    }
    out = run("doctor", env=environment(tmp_path / "o", key="k e y") | unusable).out
    assert "ZELTO_API_KEY           not usable  (environment ZELTO_API_KEY)" in out
    assert "ZELTO_BASE_URL          not usable  (environment ZELTO_BASE_URL)" in out
    assert "ZELTO_REDACT            not usable  (environment ZELTO_REDACT)" in out
    assert "ZELTO_RECORDINGS        not usable  (environment ZELTO_RECORDINGS)" in out
    assert "ZELTO_RETAIN            86400  (default, for ZELTO_RETAIN is not usable)" in out


def test_a_base_url_that_is_refused_is_shown_as_that(tmp_path: Path):
    out = run("doctor", env=environment(tmp_path / "o", "http://zelto.internal")).out
    assert "ZELTO_BASE_URL          not usable  (environment ZELTO_BASE_URL)" in out
