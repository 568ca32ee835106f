"""Faults on demand: uploads that fail as networks and servers do, by flag, by API and in Python."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from zelto_agents.receiver import run_in_thread
from zelto_agents.receiver.faults import Fault

COMMAND = str(Path(sys.executable).with_name("zelto-agents"))

ONCE = {"retryAfter": None, "seconds": None, "status": None, "percent": 100.0}


def attempts(receiver) -> list[dict[str, str]]:
    return httpx.get(f"{receiver.url}/page/attempts").json()["data"]


@pytest.mark.parametrize("status", [400, 401, 408, 413, 429, 500, 503, 302])
def test_the_next_uploads_get_a_status_and_never_reach_the_raw_log(receiver, send, body, status):
    fault = receiver.faults.add(f"{status} x2")
    assert [send(body(name)).status_code for name in "abc"] == [status, status, 200]
    assert [each["externalId"] for each in receiver.conversations()] == ["c"]
    assert receiver.raw_count() == 1
    assert (fault.hits, receiver.faults.in_force()) == (2, [])
    newest, oldest = attempts(receiver)
    assert oldest == {"at": oldest["at"], "fault": str(fault), "externalId": "a"}
    assert newest == {"at": newest["at"], "fault": str(fault), "externalId": "b"}


@pytest.mark.parametrize(
    ("words", "wait"),
    [("429", "1"), ("429 retry-after=7", "7"), ("503 retry-after=0", "0"), ("503", None)],
)
def test_an_answer_says_when_to_come_again(receiver, send, body, words, wait):
    receiver.faults.add(words)
    assert send(body()).headers.get("retry-after") == wait


def test_a_refused_key_answers_as_the_contract_says(receiver, send, body):
    receiver.faults.add("401")
    assert send(body()).json() == {"error": "Unauthorized"}


def test_a_slow_upload_is_late_and_complete(receiver, send, body):
    receiver.faults.add("slow=200ms x1")
    before = time.monotonic()
    assert send(body()).json() == {"received": True}
    assert time.monotonic() - before >= 0.2
    assert receiver.conversation("conv-1") is not None
    assert attempts(receiver) == []


def test_a_hanging_upload_gets_no_answer(receiver, http, body):
    receiver.faults.add("hang x1")
    with pytest.raises(httpx.ReadTimeout):
        http.post("/webhooks/calls", json=body(), timeout=0.2)
    assert [each["fault"] for each in attempts(receiver)] == ["hang"]
    assert http.post("/webhooks/calls", json=body()).status_code == 200


def test_what_hangs_or_waits_does_not_delay_a_stop(http, body):
    from threading import Event, Thread

    with run_in_thread() as receiver:
        receiver.faults.add("hang x1")
        receiver.faults.add("slow=600s x1")
        ended: list[str] = []
        begun = Event()

        def upload() -> None:
            try:
                begun.set()
                httpx.post(f"{receiver.url}/webhooks/calls", json=body(), timeout=60)
                ended.append("answered")
            except httpx.TransportError as fault:
                ended.append(type(fault).__name__)

        threads = [Thread(target=upload) for _ in range(2)]
        for thread in threads:
            thread.start()
        while receiver.faults.in_force():
            begun.wait(0.01)
        receiver.stop()
        for thread in threads:
            thread.join(20)
        assert sorted(ended) in (["ReadError", "answered"], ["ReadError", "ReadError"])


def test_a_reset_cuts_the_connection_before_any_answer(receiver, http, body):
    receiver.faults.add("reset x1")
    with pytest.raises(httpx.ReadError):
        http.post("/webhooks/calls", json=body())
    assert (receiver.raw_count(), attempts(receiver)[0]["fault"]) == (0, "reset")
    assert http.post("/webhooks/calls", json=body()).status_code == 200


def test_a_lost_answer_leaves_the_conversation_behind(receiver, http, body):
    receiver.faults.add("lost x1")
    with pytest.raises(httpx.ReadError):
        http.post("/webhooks/calls", json=body())
    assert receiver.wait_for("conv-1")["deliveries"] == 1
    assert attempts(receiver) == []


def test_a_swallowed_upload_is_kept_and_never_becomes_a_conversation(receiver, send, body):
    receiver.faults.add("swallow x1")
    answer = send(body())
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    [delivery] = receiver.deliveries("conv-1")
    assert (delivery["status"], delivery["state"]) == (200, "failed")
    assert "fault 1 on demand (swallow)" in delivery["reason"]
    assert receiver.conversations() == []
    send(body())
    assert receiver.conversation("conv-1") is not None


def test_a_share_of_the_uploads_is_spread_evenly(receiver, send, body):
    receiver.faults.add("503 20%")
    statuses = [send(body(f"c{number}")).status_code for number in range(10)]
    assert statuses == [200, 200, 200, 200, 503] * 2


def test_faults_take_turns_in_the_order_they_were_added(receiver, send, body):
    receiver.faults.add("503 x1")
    receiver.faults.add("500 x1")
    assert [send(body()).status_code for _ in range(3)] == [503, 500, 200]


def test_only_the_newest_attempts_are_kept(receiver, http, body):
    receiver.faults.add("503")
    for number in range(201):
        http.post("/webhooks/calls", json=body(f"c{number}"))
    shown = [each["externalId"] for each in attempts(receiver)]
    assert shown == [f"c{number}" for number in reversed(range(1, 201))]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b" " * 3_000_000])
def test_a_fault_meets_any_body(receiver, http, content):
    receiver.faults.add("503")
    answer = http.post("/webhooks/calls", content=content)
    assert (answer.status_code, attempts(receiver)[0]["externalId"]) == (503, None)


def test_only_uploads_meet_faults(receiver, http):
    receiver.faults.add("503")
    assert http.get("/readyz").status_code == 200
    assert http.get("/v1/agents").status_code == 200
    assert http.get("/webhooks/calls").status_code == 405


def test_faults_survive_a_stop_and_a_start(receiver, send, body):
    receiver.faults.add("503 x1")
    receiver.stop()
    receiver.start()
    assert send(body()).status_code == 503


def test_over_http_a_fault_is_added_listed_and_removed(receiver, send, body):
    url = f"{receiver.url}/page/faults"
    added = httpx.post(url, json={"kind": "status", "status": 429, "retryAfter": 3, "left": 2})
    expected = ONCE | {
        "id": 1,
        "kind": "status",
        "status": 429,
        "retryAfter": 3,
        "left": 2,
        "hits": 0,
    }
    assert (added.status_code, added.json()) == (201, expected)
    assert send(body()).headers["retry-after"] == "3"
    slow = httpx.post(url, json={"kind": "slow", "seconds": 0.5, "percent": 20}).json()
    assert slow == ONCE | {
        "id": 2, "kind": "slow", "seconds": 0.5, "percent": 20.0, "left": None, "hits": 0
    }  # fmt: skip
    assert httpx.get(url).json() == {"data": [expected | {"left": 1, "hits": 1}, slow]}
    assert httpx.delete(f"{url}/1").status_code == 204
    assert httpx.get(url).json() == {"data": [slow]}
    assert httpx.delete(url).status_code == 204
    assert httpx.get(url).json() == {"data": []}


@pytest.mark.parametrize("path", ["1", "x", "9" * 30])
def test_a_fault_that_is_not_in_force_is_not_found(receiver, path):
    answer = httpx.delete(f"{receiver.url}/page/faults/{path}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize(
    ("sent", "path", "message"),
    [
        ({}, "kind", "Field required"),
        ({"kind": "status"}, "", "kind status, and no other, has a status"),
        ({"kind": "status", "status": 200}, "", "status is from 300 to 599"),
        ({"kind": "hang", "status": 503}, "", "kind status, and no other, has a status"),
        ({"kind": "slow"}, "", "kind slow, and no other, has seconds"),
        ({"kind": "slow", "seconds": -1}, "", "seconds is over 0 and at most 3600"),
        ({"kind": "hang", "left": 0}, "", "left is a whole number, 1 or more"),
        ({"kind": "hang", "percent": 101}, "", "percent is over 0 and at most 100"),
        ({"kind": "hang", "retryAfter": 1}, "", "retryAfter is a number of seconds, 0 or more, of kind status"),
        ({"kind": "hang", "colour": 1}, "colour", "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_fault_that_is_none_is_refused_with_its_path(receiver, sent, path, message):
    answer = httpx.post(f"{receiver.url}/page/faults", json=sent)
    details = [{"path": path, "message": message}]
    assert (answer.status_code, answer.json()["details"]) == (400, details)
    assert receiver.faults.in_force() == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"NaN"])
def test_a_fault_that_is_not_json_is_refused(receiver, content):
    answer = httpx.post(f"{receiver.url}/page/faults", content=content)
    assert (answer.status_code, answer.json()["error"]) == (400, "Validation failed")


@pytest.mark.parametrize("path", ["faults", "attempts"])
def test_a_name_that_is_not_loopback_is_turned_away(receiver, path):
    answer = httpx.get(f"{receiver.url}/page/{path}", headers={"Host": "evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("DELETE", ""), ("DELETE", "/1")])
def test_a_page_of_another_origin_changes_nothing(receiver, method, path, origin):
    receiver.faults.add("503")
    url = f"{receiver.url}/page/faults{path}"
    answer = httpx.request(method, url, content=b'{"kind":"hang"}', headers={"Origin": origin})
    assert answer.status_code == 403
    assert [str(fault) for fault in receiver.faults.in_force()] == ["503"]


def test_the_page_itself_may_change_faults(receiver):
    url = f"{receiver.url}/page/faults"
    assert (
        httpx.post(url, json={"kind": "hang"}, headers={"Origin": receiver.url}).status_code == 201
    )


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("503", Fault("status", 503)),
        ("503 x3", Fault("status", 503, left=3)),
        ("slow=2s 20%", Fault("slow", seconds=2.0, percent=20.0)),
        ("slow=2", Fault("slow", seconds=2.0)),
        ("slow=1.5s x2 12.5%", Fault("slow", seconds=1.5, left=2, percent=12.5)),
        ("  hang   x1 ", Fault("hang", left=1)),
        ("reset 50%", Fault("reset", percent=50.0)),
        ("429 retry-after=7s", Fault("status", 429, retry_after=7)),
    ],
)
def test_words_are_faults(words, fault):
    assert Fault.parse(words) == fault
    assert Fault.parse(str(fault)).kind == fault.kind


@pytest.mark.parametrize(
    "words",
    ["", "sloww", "slow", "slow=fast", "200", "600", "503=1", "hang=2s", "503 x0", "503 xx", "503 0%",
     "503 101%", "503 x1 x2", "hang retry-after=1", "status", "status=503", "slow=٣s", "503 3", "slow=9999999s"],
)  # fmt: skip
def test_other_words_are_refused_and_told_what_a_fault_is(words):
    with pytest.raises(ValueError, match=r"is no fault: .* A fault is a status"):
        Fault.parse(words)


def test_faults_cost_no_thread_or_task_that_stays(receiver, http, body):
    receiver.faults.add("hang x5")
    for _ in range(5):
        with pytest.raises(httpx.ReadTimeout):
            http.post("/webhooks/calls", content=json.dumps(body()), timeout=0.05)
    assert http.post("/webhooks/calls", json=body()).status_code == 200


def command(*options: str) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([COMMAND, "receiver", "--port", "0", "--json", *options], **pipes)


def test_the_flag_puts_faults_in_force_from_the_start(body):
    with command("--fault", "503 x3", "--fault", "slow=2s 20%") as process:
        start = json.loads(process.stdout.readline())
        shown = httpx.get(f"{start['url']}/page/faults").json()["data"]
        assert [(each["kind"], each["left"], each["percent"]) for each in shown] == [
            ("status", 3, 100.0),
            ("slow", None, 20.0),
        ]
        answer = httpx.post(f"{start['url']}/webhooks/calls", json=body())
        assert answer.json() == {"error": "Service Unavailable", "details": "a fault on demand"}
        process.terminate()


def test_a_flag_that_is_no_fault_is_wrong_usage_and_explained():
    with command("--fault", "sloww") as process:
        assert process.wait(30) == 2
        words = " ".join(process.stderr.read().replace("│", " ").split())
        assert "'sloww' is no fault" in words
        assert "A fault is a status" in words
