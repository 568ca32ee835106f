"""What the page lives on: no key, loopback names only, never cached, told of every change."""

from __future__ import annotations

import json

import httpx
import pytest

from zelto_agents.receiver import run_in_thread

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
PATHS = ["/", "/page/page.js", "/page/page.css", "/page/conversations", "/page/problems"]


@pytest.mark.parametrize("path", PATHS)
def test_everything_is_served_strictly_and_uncached(receiver, path):
    answer = httpx.get(receiver.url + path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [*PATHS, "/page/stream", "/page/conversations/x"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "10.0.0.1"])
def test_a_name_that_is_not_loopback_is_turned_away(receiver, path, host):
    answer = httpx.get(receiver.url + path, headers={"Host": host})
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
    assert first["counts"] == {
        "conversations": 101,
        "deliveries": 101,
        "problems": 0,
        "touched": 101,
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


def test_one_conversation_comes_with_its_document_and_deliveries(receiver, send, body):
    sent = body(version="v1")
    send(sent)
    send(b'{"call": {"externalId": "conv-1", "cost": "free"}, "agent": {"externalId": "support"}}')
    conversation = receiver.conversation("conv-1")
    page = httpx.get(f"{receiver.url}/page/conversations/{conversation['id']}").json()
    assert page == {
        "conversation": conversation,
        "document": sent,
        "deliveries": receiver.deliveries("conv-1"),
    }
    assert [each["state"] for each in page["deliveries"]] == ["ingested", "rejected"]


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
