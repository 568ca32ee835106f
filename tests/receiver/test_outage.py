"""Stopping and starting again, as tests of the sending side need it."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from zelto_agents.receiver import run_in_thread


def test_while_stopped_connections_are_refused_and_afterwards_all_is_as_before(
    receiver, send, http, body
):
    send(body("before"))
    url = receiver.url
    receiver.stop()
    with pytest.raises(httpx.ConnectError):
        send(body("during"))
    assert [each["externalId"] for each in receiver.conversations()] == ["before"]
    receiver.start()
    assert receiver.url == url
    send(body("after"))
    assert [each["externalId"] for each in receiver.conversations()] == ["after", "before"]


def test_stopping_and_starting_twice_is_harmless(receiver):
    receiver.stop()
    receiver.stop()
    receiver.start()
    receiver.start()
    assert receiver.running
    assert httpx.get(f"{receiver.url}/readyz").status_code == 200


def test_a_taken_port_is_an_error_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        run_in_thread(port=taken.getsockname()[1]).__enter__()


def test_waiting_for_a_conversation_that_never_comes_times_out(receiver):
    with pytest.raises(TimeoutError, match="'nobody' did not arrive"):
        receiver.wait_for("nobody", timeout=0.01)


def test_waiting_can_ask_for_more_than_presence(receiver, http, body):
    http.post("/webhooks/calls", json=body(version="v1"))
    sender = threading.Timer(0.05, http.post, ["/webhooks/calls"], {"json": body(version="v2")})
    sender.start()
    found = receiver.wait_for("conv-1", where=lambda each: each["version"] == "v2")
    sender.join()
    assert found["version"] == "v2"


def test_no_thread_is_left_behind():
    before = set(threading.enumerate())
    with run_in_thread() as receiver:
        httpx.get(f"{receiver.url}/page/conversations")
    left = [t for t in set(threading.enumerate()) - before if t.name.startswith("zelto")]
    assert left == []
