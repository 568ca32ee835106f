"""One attempt over real HTTP: headers, limits, and faults as answers."""

from __future__ import annotations

import logging
import re
import ssl
import subprocess
import sys
import traceback
from typing import Any

import anyio
import pytest
import trustme
from pydantic import SecretStr

from scripted_server import ScriptedServer, hang, reset
from zelto_agents import uploader as module
from zelto_agents.policy import Answer
from zelto_agents.uploader import Uploader, user_agent

KEY = SecretStr("zk_very_secret")


def send(url: str, body: bytes = b"{}", provider: str = "zelto", **more: Any) -> Answer:
    async def main() -> Answer:
        uploader = Uploader(url, KEY, agent=user_agent({"livekit-agents": "1.8.9"}), **more)
        try:
            return await uploader.send(body, provider)
        finally:
            await uploader.aclose()

    return anyio.run(main)


def test_a_request_carries_key_provider_type_and_versions():
    with ScriptedServer(200) as server:
        assert send(server.url, b'{"a":1}', "livekit") == Answer(200, "{}")
    ((headers, body),) = server.requests
    assert body == b'{"a":1}'
    assert headers["Authorization"] == "Bearer zk_very_secret"
    assert headers["X-Zelto-Provider"] == "livekit"
    assert headers["Content-Type"] == "application/json"
    assert re.fullmatch(
        r"zelto-agents/\d\S* python/3\S* livekit-agents/1\.8\.9", headers["User-Agent"]
    )


def test_an_answer_keeps_its_status_details_and_retry_after():
    with ScriptedServer((503, {"Retry-After": "7"}, "busy")) as server:
        assert send(server.url) == Answer(503, "busy", "7")


def test_a_redirect_is_not_followed_because_the_key_would_leak():
    with ScriptedServer(200) as elsewhere, ScriptedServer((302, {}, "")) as server:
        server._answers = [(302, {"Location": elsewhere.url}, "")]
        assert send(server.url).status == 302
    assert elsewhere.requests == []


def test_of_a_huge_answer_only_the_start_is_read():
    with ScriptedServer((500, {}, "x" * 5_000_000)) as server:
        assert send(server.url) == Answer(500, "x" * 2048)


def test_faults_of_the_network_are_answers_with_a_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TOTAL_TIMEOUT", 0.3)
    with ScriptedServer(hang) as server:
        assert send(server.url) == Answer(fault="no answer in time")
    refused = Answer(fault="ConnectError: Connection refused", unsent=True)
    assert send(server.url) == send("https://127.0.0.1:1") == refused
    assert send("http://zelto.invalid").fault.startswith("ConnectError: ")
    with ScriptedServer(reset) as server:
        assert send(server.url).fault in ("RemoteProtocolError", "ReadError")


def test_a_certificate_that_nobody_vouches_for_is_refused():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(200) as server:
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        answer = send(server.url.replace("http:", "https:"))
    assert answer.unsent
    assert answer.fault.startswith("ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED]")
    assert server.requests == []


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
):
    with ScriptedServer(204) as proxy, ScriptedServer(200) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert send(server.url).status == 200
        assert send("http://zelto.example").status == 204
    assert len(proxy.requests) == 1


def test_the_key_is_in_no_log_repr_or_exception(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(401) as server:
        send(server.url)
    uploader = Uploader("http://127.0.0.1:1", KEY, agent="x")
    seen = caplog.text + repr(uploader) + repr(vars(uploader))
    try:
        Uploader("http://127.0.0.1:1", SecretStr("zk_very_secret\n"), agent="x\n")
    except Exception:  # noqa: BLE001
        seen += traceback.format_exc()
    assert "zk_very_secret" not in seen


SEVERAL_AT_ONCE = """
import sys, threading, traceback
from zelto_agents.uploader import import_httpx

OF_THE_HOST = int(sys.argv[1])
sys.setswitchinterval(1e-5)
start, faults = threading.Barrier(8), []

def ours():
    httpx = import_httpx()
    httpx.AsyncClient, httpx.create_ssl_context

def of_the_host():
    import httpx
    httpx.AsyncClient, httpx.main

def attempt(use):
    start.wait()
    try:
        use()
    except BaseException:
        faults.append(traceback.format_exc())

uses = [of_the_host] * OF_THE_HOST + [ours] * (8 - OF_THE_HOST)
threads = [threading.Thread(target=attempt, args=(use,)) for use in uses]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not faults, faults[0]
assert sys.modules.get("httpx._main", "absent") is not None
import httpx._main
"""


@pytest.mark.parametrize("of_the_host", [0, 1, 4])
def test_httpx_can_be_imported_in_several_threads_at_once(of_the_host: int):
    command = [sys.executable, "-c", SEVERAL_AT_ONCE, str(of_the_host)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_httpx_comes_without_its_command_line():
    code = (
        "import sys; from zelto_agents.uploader import import_httpx; import_httpx();"
        " assert not {'rich', 'pygments', 'httpx._main'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
