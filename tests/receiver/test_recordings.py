"""Recordings are fetched in the background, kept, and served again; failures are shown."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from faults.disks import CannotMountError, fill_up, small_disk
from talking import until
from zelto_agents.receiver import Limits, RunningReceiver, reads
from zelto_agents.receiver.store import Store

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 40
OGG = b"OggS" + bytes(5000)
QUICK = Limits(allow_private=True, backoff=(0.01, 0.01))
Answer = tuple[int, dict[str, str], bytes]


class Storage:
    """A file server: each path's answers, one after another, the last one for good."""

    def __init__(self, certificate: trustme.LeafCert | None = None) -> None:
        self.hosts: list[str | None] = []
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        storage = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                storage.asked.append(self.path)
                storage.hosts.append(self.headers["Host"])
                storage.hold.wait(10)
                answers = storage.answers[self.path]
                status, headers, body = answers[0] if len(answers) == 1 else answers.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            certificate.configure_cert(context)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def put(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def audio(body: bytes = WAV, content_type: str = "audio/wav") -> Answer:
    return 200, {"Content-Type": content_type}, body


@pytest.fixture
def storage() -> Iterator[Storage]:
    server = Storage()
    yield server
    server.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[RunningReceiver]:
    with RunningReceiver(tmp_path / "zelto.db", limits=QUICK) as running:
        yield running


def recorded(body: Callable[..., Any], url: str, external_id: str = "conv-1") -> Any:
    return body(external_id, call={"recordingUrl": url})


def wait(receiver: RunningReceiver, state: str = "ready", external_id: str = "conv-1") -> Any:
    return receiver.wait_for(
        external_id, where=lambda each: (each["recording"] or {}).get("state") == state
    )


def files(receiver: RunningReceiver) -> list[Path]:
    return sorted(Path(f"{receiver.db}-recordings").iterdir())


def test_a_recording_is_fetched_kept_and_served(receiver, storage, send, http, body):
    url = storage.put("/a.wav", audio())
    send(recorded(body, url))
    conversation = wait(receiver)
    recording = conversation["recording"]
    assert recording == {
        "state": "ready",
        "url": recording["url"],
        "contentType": "audio/wav",
        "bytes": len(WAV),
        "why": None,
        "tries": 1,
        "nextTryAt": None,
    }
    assert conversation["recordingUrl"] == url
    answer = httpx.get(receiver.url + recording["url"])
    assert (answer.status_code, answer.content) == (200, WAV)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["x-content-type-options"] == "nosniff"
    transcript = http.get(f"/v1/conversations/{conversation['id']}/transcript").json()
    assert transcript["recordingUrl"] == receiver.url + recording["url"]
    assert http.get(transcript["recordingUrl"]).content == WAV


def test_its_file_is_for_its_owner_only(receiver, storage, send, body):
    send(recorded(body, storage.put("/a.wav", audio())))
    wait(receiver)
    [file] = files(receiver)
    assert (stat.S_IMODE(file.stat().st_mode), file.read_bytes()) == (0o600, WAV)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("asked", "status", "content", "where"),
    [
        ("bytes=0-3", 206, WAV[:4], f"bytes 0-3/{len(WAV)}"),
        ("bytes=100-", 206, WAV[100:], f"bytes 100-{len(WAV) - 1}/{len(WAV)}"),
        ("bytes=-10", 206, WAV[-10:], f"bytes {len(WAV) - 10}-{len(WAV) - 1}/{len(WAV)}"),
        (f"bytes={len(WAV)}-", 416, None, f"bytes */{len(WAV)}"),
    ],
)
def test_parts_can_be_asked_for(
    receiver, storage, send, body, asked, status, content, where
):  # fmt: skip
    send(recorded(body, storage.put("/a.wav", audio())))
    path = wait(receiver)["recording"]["url"]
    answer = httpx.get(receiver.url + path, headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (status, where)
    assert content is None or answer.content == content


def test_the_page_s_own_address_or_the_key_opens_it_and_nothing_else(
    receiver, storage, send, http, body
):
    send(recorded(body, storage.put("/a.wav", audio())))
    url = receiver.url + wait(receiver)["recording"]["url"]
    other = receiver.store.mint_key(organisation="other")

    def status(**headers: str) -> int:
        return httpx.get(url, headers=headers).status_code

    assert status() == 200
    assert status(Host="evil.example") == 403
    assert status(Host="evil.example", Authorization=f"Bearer {receiver.key}") == 200
    assert status(Authorization="Bearer wrong") == 401
    assert status(Authorization=f"Bearer {other}") == 404
    assert http.get("/recordings/none").status_code == 404


def test_the_same_address_again_is_not_fetched_again(receiver, storage, send, body):
    url = storage.put("/a.wav", audio())
    send(recorded(body, url))
    before = wait(receiver)["recording"]
    send(recorded(body, url) | {"version": "v2"})
    send(body(version="v3"))
    send(recorded(body, storage.put("/b.wav", audio()), "conv-2"))
    wait(receiver, external_id="conv-2")
    assert receiver.conversation("conv-1")["recording"] == before
    assert storage.asked == ["/a.wav", "/b.wav"]


def test_a_changed_address_is_fetched_and_the_old_stays_until_then(receiver, storage, send, body):
    send(recorded(body, storage.put("/a.wav", audio())))
    old = wait(receiver)["recording"]
    storage.hold.clear()
    send(recorded(body, storage.put("/b.ogg", audio(OGG, "audio/ogg"))))
    between = receiver.conversation("conv-1")["recording"]
    assert (between["state"], between["url"], between["bytes"]) == ("waiting", old["url"], len(WAV))
    assert httpx.get(receiver.url + old["url"]).content == WAV
    storage.hold.set()
    new = wait(receiver)["recording"]
    assert new["url"] != old["url"]
    assert httpx.get(receiver.url + new["url"]).content == OGG
    assert httpx.get(receiver.url + old["url"]).status_code == 404
    assert [file.name for file in files(receiver)] == [new["url"].rpartition("/")[2]]


def test_a_failed_fetch_is_tried_again_until_it_works(receiver, storage, send, body):
    url = storage.put("/a.wav", (404, {}, b""), (503, {}, b""), audio())
    send(recorded(body, url))
    recording = wait(receiver)["recording"]
    assert (recording["tries"], recording["why"]) == (3, None)
    assert storage.asked == ["/a.wav"] * 3


def test_a_try_whose_time_comes_meanwhile_is_not_forgotten(tmp_path, storage, body):
    moments = count()

    def clock() -> datetime:
        """A second passes each time that somebody looks."""
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=next(moments))

    limits = Limits(allow_private=True, backoff=(1.05, 1.05))
    store = Store(tmp_path / "zelto.db", clock=clock, limits=limits)
    url = storage.put("/a.wav", (404, {}, b""), (503, {}, b""), audio())
    content = json.dumps(recorded(body, url)).encode()
    store.settle(store.append("zelto", content), None)
    with contextlib.closing(store):
        assert store.wait(lambda: store.read(states) == ["ready"], 10)


def states(db: sqlite3.Connection) -> list[str]:
    return [row["state"] for row in db.execute("SELECT state FROM recordings")]


def test_after_its_tries_it_failed_and_is_fetched_on_demand(receiver, storage, send, body):
    url = storage.put("/a.wav", (500, {}, b""))
    send(recorded(body, url))
    conversation = wait(receiver, "failed")
    assert conversation["recording"] == {
        "state": "failed",
        "url": None,
        "contentType": None,
        "bytes": None,
        "why": "it answered 500",
        "tries": 3,
        "nextTryAt": None,
    }
    storage.put("/a.wav", audio())
    assert receiver.store.retry_recording(conversation["id"])
    assert wait(receiver)["recording"]["tries"] == 1
    assert not receiver.store.retry_recording(conversation["id"])
    assert not receiver.store.retry_recording("nobody")


def test_while_it_waits_it_says_why_and_until_when(tmp_path, storage, body):
    limits = Limits(allow_private=True, backoff=(60.0,))
    with RunningReceiver(tmp_path / "a.db", limits=limits) as receiver:
        _post(receiver, recorded(body, storage.put("/a.wav", (500, {}, b""))))
        found = receiver.wait_for("conv-1", where=lambda each: each["recording"]["tries"] == 1)
    recording = found["recording"]
    assert (recording["state"], recording["why"]) == ("waiting", "it answered 500")
    assert recording["nextTryAt"] > found["updatedAt"]
    assert storage.asked == ["/a.wav"]


@pytest.mark.parametrize(
    ("content_type", "content", "told"),
    [
        ("audio/ogg; codecs=opus", b"anything", "audio/ogg"),
        ("video/webm", b"anything", "video/webm"),
        ("application/octet-stream", WAV, "audio/wav"),
        ("binary/octet-stream", OGG, "audio/ogg"),
        ("application/octet-stream", b"ID3\x04" + bytes(50), "audio/mpeg"),
        ("application/octet-stream", b"\0\0\0\x20ftypM4A " + bytes(50), "audio/mp4"),
    ],
)
def test_audio_and_video_are_taken(receiver, storage, send, body, content_type, content, told):
    send(recorded(body, storage.put("/a", audio(content, content_type))))
    recording = wait(receiver)["recording"]
    assert recording["contentType"] == told
    assert httpx.get(receiver.url + recording["url"]).headers["content-type"] == told


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (audio(b"<html>", "text/html"), "it is text/html, not audio or video"),
        (audio(WAV, "text/html"), "it is text/html, not audio or video"),
        (audio(b"plain", "application/octet-stream"),
         "it is application/octet-stream, not audio or video"),
        ((200, {}, b"plain"), "it is of no known type, not audio or video"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_at_once(receiver, storage, send, body, answer, why):
    send(recorded(body, storage.put("/a", answer)))
    recording = wait(receiver, "failed")["recording"]
    assert (recording["why"], recording["tries"]) == (why, 1)
    assert files(receiver) == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_recording_over_the_limit_is_refused(tmp_path, storage, body, declared):
    headers = {"Content-Type": "audio/wav"}
    if not declared:
        headers["Content-Length"] = ""
    limits = Limits(allow_private=True, max_bytes=1000)
    with RunningReceiver(tmp_path / "a.db", limits=limits) as receiver:
        answer = (200, headers, WAV) if declared else _chunked(WAV)
        _post(receiver, recorded(body, storage.put("/a.wav", answer)))
        recording = wait(receiver, "failed")["recording"]
        assert recording["why"] == "it is larger than 1000 bytes"
        assert files(receiver) == []


def _chunked(body: bytes) -> Answer:
    headers = {"Content-Type": "audio/wav", "Transfer-Encoding": "chunked"}
    return 200, headers, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def test_a_fetch_that_takes_too_long_is_given_up(tmp_path, storage, body):
    storage.hold.clear()
    limits = Limits(allow_private=True, max_seconds=0.05, backoff=())
    with RunningReceiver(tmp_path / "a.db", limits=limits) as receiver:
        _post(receiver, recorded(body, storage.put("/a.wav", audio())))
        assert wait(receiver, "failed")["recording"]["why"] == "it took longer than 0.05 s"


@pytest.mark.parametrize(
    "url",
    [
        "{storage}/a.wav",
        "http://localhost:{port}/a.wav",
        "http://[::1]:{port}/a.wav",
        "http://[::ffff:127.0.0.1]:{port}/a.wav",
        "http://0.0.0.0:{port}/a.wav",
        "http://2130706433:{port}/a.wav",
        "http://10.0.0.1/a.wav",
        "http://192.168.1.1/a.wav",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/a.wav",
        "http://224.0.0.1/a.wav",
        "http://240.0.0.1/a.wav",
        "http://[fe80::1]/a.wav",
        "http://[fd00::1]/a.wav",
        "http://[64:ff9b::7f00:1]/a.wav",
        "http://[2002:7f00:1::]/a.wav",
    ],
)
def test_private_and_reserved_addresses_are_refused_unless_allowed(tmp_path, storage, body, url):
    storage.put("/a.wav", audio())
    port = storage.server.server_port
    with RunningReceiver(tmp_path / "a.db") as receiver:
        _post(receiver, recorded(body, url.format(storage=storage.url, port=port)))
        recording = wait(receiver, "failed")["recording"]
    assert recording["why"] == (
        "its address is private or reserved; --allow-private fetches it all the same"
    )
    assert (recording["tries"], storage.asked) == (1, [])


def test_redirects_are_followed_five_times_at_most(receiver, storage, send, body):
    for number in range(6):
        storage.put(f"/{number}", (302, {"Location": f"/{number + 1}"}, b""))
    storage.put("/6", audio())
    send(recorded(body, f"{storage.url}/1"))
    assert wait(receiver)["recording"]["bytes"] == len(WAV)
    send(recorded(body, f"{storage.url}/0", "conv-2"))
    recording = wait(receiver, "failed", "conv-2")["recording"]
    assert recording["why"] == "it redirects more than 5 times"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("ftp://files.example/a.wav", "it is neither an http nor an https address"),
        ("file:///etc/passwd", "it is neither an http nor an https address"),
    ],
)
def test_each_redirect_is_judged_like_the_first_address(
    receiver, storage, send, body, location, why
):
    send(recorded(body, storage.put("/a", (302, {"Location": location}, b""))))
    recording = wait(receiver, "failed")["recording"]
    assert (recording["why"], recording["tries"]) == (why, 1)


def test_a_name_is_resolved_once_and_what_was_judged_is_connected_to(
    receiver, storage, send, body, monkeypatch
):
    lookups: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> Any:
        if host != "recordings.test":
            return real(host, *rest, **more)
        lookups.append(host)
        place = "127.0.0.1" if len(lookups) == 1 else "127.0.0.2"
        return real(place, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    storage.put("/a.wav", audio())
    send(recorded(body, f"http://recordings.test:{storage.server.server_port}/a.wav"))
    wait(receiver)
    assert lookups == ["recordings.test"]
    assert storage.hosts == [f"recordings.test:{storage.server.server_port}"]


@pytest.mark.parametrize(
    ("name", "state"), [("recordings.test", "ready"), ("other.test", "failed")]
)
def test_a_certificate_is_checked_against_the_name(
    receiver, send, body, monkeypatch, tmp_path, name, state
):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "ca.pem"))
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real(
            "127.0.0.1" if host == "recordings.test" else host, *rest, **more
        ),
    )
    storage = Storage(authority.issue_cert(name))
    try:
        storage.put("/a.wav", audio())
        send(recorded(body, f"https://recordings.test:{storage.server.server_port}/a.wav"))
        wait(receiver, state)
    finally:
        storage.close()


def test_what_was_not_fetched_yet_is_fetched_after_a_restart(tmp_path, storage, body):
    path, url = tmp_path / "a.db", storage.put("/a.wav", audio())
    storage.hold.clear()
    with RunningReceiver(path, limits=QUICK) as receiver:
        _post(receiver, recorded(body, url))
        receiver.wait_until_ingested()
    storage.hold.set()
    with RunningReceiver(path, limits=QUICK) as receiver:
        assert wait(receiver)["recording"]["bytes"] == len(WAV)
        assert len(files(receiver)) == 1


def test_what_was_refused_as_private_is_fetched_once_a_start_allows_it(tmp_path, storage, body):
    path, url = tmp_path / "a.db", storage.put("/a.wav", audio())
    with RunningReceiver(path) as receiver:
        _post(receiver, recorded(body, url))
        _post(receiver, recorded(body, "http://127.0.0.1:1/none.wav", "conv-2"))
        wait(receiver, "failed")
        wait(receiver, "failed", "conv-2")
    with RunningReceiver(path) as receiver:
        assert receiver.conversation("conv-1")["recording"]["state"] == "failed"
    with RunningReceiver(path, limits=QUICK) as receiver:
        assert wait(receiver)["recording"]["bytes"] == len(WAV)
        assert wait(receiver, "failed", "conv-2")["recording"]["tries"] == 3


def test_what_failed_is_fetched_when_its_call_comes_again(receiver, storage, send, body):
    url = storage.put("/a.wav", (500, {}, b""))
    send(recorded(body, url))
    assert wait(receiver, "failed")["recording"]["tries"] == 3
    storage.put("/a.wav", audio())
    send(recorded(body, url))
    assert wait(receiver)["recording"]["tries"] == 1


def test_each_fetch_that_fails_is_a_line_on_the_console(
    receiver, storage, send, body, caplog: pytest.LogCaptureFixture
):
    send(recorded(body, storage.put("/secret?token=1", (500, {}, b"no words"))))
    wait(receiver, "failed")
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("zelto_agents.receiver")]
    assert lines == [
        "call conv-1: its recording was not fetched: it answered 500 (tried again)",
        "call conv-1: its recording was not fetched: it answered 500 (tried again)",
        "call conv-1: its recording was not fetched: it answered 500 (not tried again)",
    ]
    assert {r.levelname for r in caplog.records} == {"WARNING"}


def test_on_a_full_disk_nothing_is_fetched_again_before_it_is_noted(
    tmp_path, storage, body, caplog: pytest.LogCaptureFixture
):
    def lines() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.name.endswith("rehost")]

    with contextlib.ExitStack() as running:
        try:
            disk = running.enter_context(small_disk(tmp_path / "disk", "12m"))
        except CannotMountError as why:
            pytest.skip(str(why))
        receiver = running.enter_context(RunningReceiver(disk / "zelto.db", limits=QUICK))
        storage.hold.clear()
        _post(receiver, recorded(body, storage.put("/a.wav", audio())))
        until(lambda: storage.asked == ["/a.wav"])
        others = fill_up(disk)
        storage.hold.set()
        until(lambda: caplog.text.count("a change could not be written") == 2)
        assert storage.asked == ["/a.wav"]
        others.unlink()
        assert wait(receiver)["recording"]["tries"] == 2
    assert storage.asked == ["/a.wav"] * 2
    full = "its file could not be written: No space left on device"
    assert lines() == [
        f"call conv-1: its recording was not fetched: {full} (tried again)",
        "call conv-1: what became of its recording cannot be noted yet (OperationalError)",
    ]


def test_a_receiver_that_cannot_note_a_fetch_can_be_stopped(
    tmp_path, storage, body, caplog: pytest.LogCaptureFixture
):
    with RunningReceiver(tmp_path / "zelto.db", limits=QUICK) as receiver:
        storage.hold.clear()
        _post(receiver, recorded(body, storage.put("/a.wav", audio())))
        until(lambda: storage.asked == ["/a.wav"])
        with contextlib.closing(sqlite3.connect(receiver.db)) as db:
            db.execute(
                "CREATE TRIGGER refuse BEFORE UPDATE ON recordings"
                " BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        storage.hold.set()
        until(lambda: "cannot be noted yet" in caplog.text)
    assert storage.asked == ["/a.wav"]


def test_a_file_that_a_crash_left_is_removed_at_the_next_start(tmp_path):
    folder = tmp_path / "a.db-recordings"
    folder.mkdir()
    (folder / "left.part").write_bytes(b"half")
    with RunningReceiver(tmp_path / "a.db"):
        assert list(folder.iterdir()) == []


def test_a_recording_touches_its_conversation_so_that_pages_hear_of_it(
    receiver, storage, send, body
):
    send(body())
    before = receiver.store.read(reads.counts)["touched"]
    send(recorded(body, storage.put("/a.wav", audio())))
    wait(receiver)
    assert receiver.store.read(reads.counts)["touched"] > before + 1


def _post(receiver: RunningReceiver, body: Any) -> None:
    headers = {"Authorization": f"Bearer {receiver.key}"}
    answer = httpx.post(f"{receiver.url}/webhooks/calls", json=body, headers=headers)
    assert answer.status_code == 200
