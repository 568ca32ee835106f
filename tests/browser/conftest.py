from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from zelto_agents.receiver import RunningReceiver, run_in_thread

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


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
    with run_in_thread() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What the console and the content policy complained about; must be empty in the end."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
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
