from __future__ import annotations

import http.server
import io
import json
import math
import shutil
import struct
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from zelto_agents.receiver import RunningReceiver
from zelto_agents.receiver.rehost import Limits

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


# Not for longer: while it is open, an event loop counts as running in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    # Recordings come from a server on this machine.
    with RunningReceiver(limits=Limits(allow_private=True)) as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What the console and the content policy complained about: every page checks its own."""
    return []


@pytest.fixture
def page(browser: Browser, receiver: RunningReceiver, complaints: list[str]) -> Iterator[Page]:
    # Closed before the receiver: a page whose receiver is gone complains.
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda line: complaints.append(f"{line.type}: {line.text}"))
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " (fault) => console.error(`blocked: ${fault.violatedDirective} ${fault.blockedURI}`))"
    )
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def send(receiver: RunningReceiver) -> Iterator[Callable[..., httpx.Response]]:
    headers = {"Authorization": f"Bearer {receiver.key}", "X-Zelto-Provider": "livekit"}
    with httpx.Client(base_url=receiver.url, headers=headers) as client:

        def _send(body: dict[str, Any] | bytes) -> httpx.Response:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = client.post("/webhooks/calls", content=content)
            receiver.wait_until_ingested()
            return answer

        yield _send


def wav(seconds: float, rate: int = 8000) -> bytes:
    """A tone of this length."""
    tone = (int(9000 * math.sin(step / 4)) for step in range(int(seconds * rate)))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", each) for each in tone))
    return out.getvalue()


class Sounds:
    """A server of recordings: ``files`` by path; for what is not there, a page that says so."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        sounds = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = sounds.files.get(self.path)
                content = b"<p>Not here.</p>" if found is None else found
                self.send_response(200)
                self.send_header("Content-Type", "text/html" if found is None else "audio/wav")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def sounds() -> Iterator[Sounds]:
    server = Sounds()
    yield server
    server.close()


@pytest.fixture
def accessible() -> Callable[[Page], None]:
    """Fails with what axe-core finds on the page as it is."""
    axe = Axe()

    def check(page: Page) -> None:
        found = axe.run(page).response["violations"]
        told = [(each["id"], [node["html"][:200] for node in each["nodes"][:4]]) for each in found]
        assert told == []

    return check


@pytest.fixture
def open_call(page: Page, receiver: RunningReceiver) -> Callable[..., None]:
    """Opens the conversation of an external id, the newest without one."""

    def _open(external_id: str | None = None, query: str = "") -> None:
        found = receiver.conversations()
        named = [each for each in found if external_id in (None, each["externalId"])]
        page.goto(f"{receiver.url}/#/c/{named[0]['id']}{query}")
        page.locator(".heading").first.wait_for()

    return _open
