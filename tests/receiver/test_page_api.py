"""What the page lives on: no key, loopback names only, never cached, told of every change."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from unittest.mock import ANY

import httpx
import pytest

from zelto_agents.receiver import RunningReceiver, run_in_thread

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
PATHS = [
    "/",
    *("/page/page.js", "/page/page.css", "/page/icon.svg"),
    *("/page/conversations", "/page/problems", "/page/log", "/page/agents", "/page/facets"),
    *("/page/counts", "/page/keys"),
]
CHANGES = [
    ("POST", "/page/check"),
    ("POST", "/page/send"),
    ("POST", "/page/deliveries/1/resend"),
    ("POST", "/page/conversations/x/recording/retry"),
    ("POST", "/page/keys"),
    ("DELETE", "/page/keys/x"),
    ("POST", "/page/faults"),
    ("DELETE", "/page/faults"),
]


@pytest.fixture(scope="module")
def untouched() -> Iterator[RunningReceiver]:
    """One that nobody sends anything to."""
    with run_in_thread() as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_everything_is_served_strictly_and_uncached(untouched, path):
    answer = httpx.get(untouched.url + path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [*PATHS, "/page/stream", "/page/conversations/x"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "10.0.0.1"])
def test_a_name_that_is_not_loopback_is_turned_away(untouched, path, host):
    answer = httpx.get(untouched.url + path, headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json() == {"error": "This page answers to its loopback address only"}


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1:9", "[::1]:5", "[::1]"])
def test_every_loopback_name_is_let_in(receiver, host):
    assert httpx.get(receiver.url, headers={"Host": host}).status_code == 200


def test_the_list_is_paged_newest_first(receiver, http, body):
    for number in range(101):
        http.post("/webhooks/calls", json=body(f"c{number}"))
    receiver.wait_until_ingested()
    first = httpx.get(f"{receiver.url}/page/conversations").json()
    assert (len(first["data"]), first["more"]) == (100, True)
    assert httpx.get(f"{receiver.url}/page/counts").json() == {
        "conversations": 101,
        "deliveries": 101,
        "problems": 0,
        "touched": ANY,
    }
    before = first["data"][-1]["seq"]
    second = httpx.get(f"{receiver.url}/page/conversations?before={before}").json()
    assert ([each["externalId"] for each in second["data"]], second["more"]) == (["c0"], False)


@pytest.mark.parametrize(
    "path",
    ["conversations?before=x", f"conversations?before={2**64}", "deliveries/x", "deliveries/-1"],
)
def test_a_bad_parameter_is_refused_in_json(receiver, path):
    answer = httpx.get(f"{receiver.url}/page/{path}")
    assert answer.status_code == 400
    assert answer.json() == {"error": "A parameter of this address is not valid"}


@pytest.mark.parametrize("path", ["conversations/x", "deliveries/9", "missing.js", "../app.py"])
def test_what_is_not_there_is_not_found(receiver, path):
    assert httpx.get(f"{receiver.url}/page/{path}").status_code == 404


def test_a_delivery_comes_with_its_headers_but_the_key(receiver, http, body):
    extra = {"User-Agent": "agent/1", "Cookie": "secret=1", "X-Zelto-Provider": "livekit"}
    http.post("/webhooks/calls", json=body(), headers=extra)
    receiver.wait_until_ingested()
    text = httpx.get(f"{receiver.url}/page/deliveries/1").text
    assert sorted(json.loads(text)["delivery"]["headers"]) == [
        ["content-length", "121"],
        ["content-type", "application/json"],
        ["user-agent", "agent/1"],
        ["x-zelto-provider", "livekit"],
    ]
    assert "secret" not in text
    assert str(receiver.key) not in text


def test_one_conversation_comes_with_its_document_and_deliveries(receiver, send, body):
    sent = body(version="v1")
    send(sent)
    send(b'{"call": {"externalId": "conv-1", "cost": "free"}, "agent": {"externalId": "support"}}')
    conversation = receiver.conversation("conv-1")
    send(sent)
    page = httpx.get(f"{receiver.url}/page/conversations/{conversation['id']}").json()
    same = [None, None, 1]
    assert page == {
        "conversation": receiver.conversation("conv-1"),
        "document": sent,
        "deliveries": [
            each | {"sameAs": first}
            for each, first in zip(receiver.deliveries("conv-1"), same, strict=True)
        ],
    }
    assert [each["state"] for each in page["deliveries"]] == ["ingested", "rejected", "ingested"]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_nothing_is_changed_for_a_foreign_site(untouched, method, path, headers):
    answer = httpx.request(method, untouched.url + path, headers=headers, content=b"{}")
    assert answer.status_code == 403
    assert (untouched.raw_count(), len(httpx.get(f"{untouched.url}/page/keys").json()["data"])) == (
        0,
        1,
    )


def test_a_body_is_checked_without_a_trace(receiver, body):
    bad = json.dumps(body(call={"cost": -1}))
    checked = httpx.post(f"{receiver.url}/page/check", json={"provider": "zelto", "body": bad})
    message = "Input should be greater than or equal to 0"
    assert checked.json() == {
        "status": 400,
        "answer": {
            "error": "Validation failed",
            "details": [{"path": "call.cost", "message": message}],
        },
        "state": "rejected",
        "reason": f"Validation failed: call.cost: {message}",
        "externalId": "conv-1",
    }
    assert receiver.raw_count() == 0


def test_what_the_page_sends_goes_the_way_of_an_upload(receiver, body):
    own = {"Origin": receiver.url, "Sec-Fetch-Site": "same-origin", "X-Zelto-Provider": "livekit"}
    sent = httpx.post(f"{receiver.url}/page/send", json=body(), headers=own)
    assert (sent.status_code, sent.json()) == (200, {"received": True})
    assert receiver.wait_for("conv-1")["source"] == "livekit"
    bad = httpx.post(f"{receiver.url}/page/send", content=b"{", headers=own)
    assert (bad.status_code, bad.json()) == (400, {"error": "Invalid JSON"})
    assert receiver.raw_body(2) == b"{"
    wrong = httpx.post(
        f"{receiver.url}/page/send", json=body(), headers=own | {"X-Zelto-Provider": "x"}
    )
    assert wrong.json()["error"] == "Unsupported provider"


def test_a_delivery_is_sent_again_for_whom_it_came(receiver, send, body):
    key = receiver.store.mint_key("theirs", "them")
    headers = {"Authorization": f"Bearer {key}", "X-Zelto-Provider": "livekit"}
    httpx.post(f"{receiver.url}/webhooks/calls", json=body(), headers=headers)
    receiver.wait_until_ingested()
    assert httpx.post(f"{receiver.url}/page/deliveries/1/resend").status_code == 200
    receiver.wait_until_ingested()
    [conversation] = receiver.conversations()
    assert (conversation["organisation"], conversation["deliveries"]) == ("them", 2)
    assert receiver.raw_body(2) == receiver.raw_body(1)
    assert httpx.post(f"{receiver.url}/page/deliveries/9/resend").status_code == 404


def test_a_body_is_downloaded_as_it_came(receiver, send):
    send(b"<script>alert(1)</script> \xff")
    answer = httpx.get(f"{receiver.url}/page/deliveries/1/body")
    assert answer.content == b"<script>alert(1)</script> \xff"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="delivery-1.json"'


def test_keys_are_made_and_revoked_by_their_whole_id(receiver):
    made = httpx.post(f"{receiver.url}/page/keys", json={"name": "CI"}).json()
    assert receiver.store.accepts(made["key"])
    listed = httpx.get(f"{receiver.url}/page/keys").json()["data"]
    assert [each["name"] for each in listed] == ["receiver", "CI"]
    assert made["key"] not in json.dumps(listed)
    short = listed[1]["id"][:4]
    assert httpx.delete(f"{receiver.url}/page/keys/{short}").status_code == 404
    assert httpx.delete(f"{receiver.url}/page/keys/{listed[1]['id']}").status_code == 204
    assert not receiver.store.accepts(made["key"])
    assert httpx.post(f"{receiver.url}/page/keys", json={"name": ""}).status_code == 400


def test_the_log_is_filtered_and_newest_first(receiver, send, body):
    send(body("a"), "livekit")
    send(b"{", "livekit")
    send(body("b"))

    def ids(**params):
        return [
            each["id"]
            for each in httpx.get(f"{receiver.url}/page/log", params=params).json()["data"]
        ]

    assert (ids(), ids(before=3), ids(state="ingested")) == ([3, 2, 1], [2, 1], [3, 1])
    assert (ids(provider="livekit"), ids(provider="livekit", state="rejected")) == ([2, 1], [2])


def test_an_index_is_made_for_a_database_that_had_none(tmp_path, body):
    path = tmp_path / "zelto.db"
    with run_in_thread(path) as receiver:
        httpx.post(f"{receiver.url}/page/send", json=body("old"))
        receiver.wait_until_ingested()
    db = sqlite3.connect(path)
    for kind, name in db.execute("SELECT type, name FROM sqlite_master").fetchall():
        if name in ("search_who", "search_said") or (kind == "trigger" and "search" in name):
            db.execute(f"DROP {kind} {name}")
    db.commit()
    db.close()
    with run_in_thread(path) as receiver:
        for query in ("old", "hi", "upport"):
            found = httpx.get(f"{receiver.url}/page/conversations?q={query}").json()["data"]
            assert [each["externalId"] for each in found] == ["old"]


def test_a_delivery_shows_its_bytes_as_text(receiver, send):
    send(b"not \xff json")
    page = httpx.get(f"{receiver.url}/page/deliveries/1").json()
    assert page["body"] == "not \ufffd json"
    assert page["delivery"]["reason"] == "Invalid JSON"


def test_the_stream_tells_of_new_and_changed_conversations(receiver, send, body):
    with httpx.stream("GET", f"{receiver.url}/page/stream", timeout=10) as stream:
        updates = (json.loads(line[6:]) for line in stream.iter_lines() if line[:5] == "data:")
        assert next(updates)["data"] == []
        send(body("a"))
        assert [each["externalId"] for each in next(updates)["data"]] == ["a"]
        send(body("a", version="v2"))
        [changed] = next(updates)["data"]
        assert (changed["externalId"], changed["version"]) == ("a", "v2")


def test_an_open_stream_does_not_delay_a_stop(body):
    with run_in_thread() as receiver:
        url = f"{receiver.url}/page/stream"
        with httpx.stream("GET", url, timeout=10) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("data:")
            receiver.stop()
            assert list(lines) == [""]
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
