"""Screenshots of every view of the receiver's page, light and dark: docs/screenshots/*.png.

python scripts/screenshots.py [--only NAME] [--phone]
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import sample_calls
from playwright.sync_api import Page, sync_playwright

from zelto_agents.receiver import RunningReceiver
from zelto_agents.receiver.rehost import Limits

OUT = Path(__file__).parents[1] / "docs" / "screenshots"
SIZE = {"width": 1280, "height": 840}
PHONE = {"width": 375, "height": 780}


@contextlib.contextmanager
def recordings(sound: bytes) -> Iterator[str]:
    """A server with one recording, and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/keane.wav"
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav" if found else "text/html")
            content = sound if found else b"<p>This recording is gone.</p>"
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fill(receiver: RunningReceiver, sounds: str) -> None:
    """Sends what a lively morning would."""
    now = sample_calls.now()
    with httpx.Client(base_url=receiver.url, timeout=30) as client:

        def send(provider: str, body: bytes) -> None:
            headers = {"Authorization": f"Bearer {receiver.key}", "X-Zelto-Provider": provider}
            client.post("/webhooks/calls", content=body, headers=headers)

        for provider, body in sample_calls.many(140, now):
            send(provider, json.dumps(body).encode())
        for provider, raw in sample_calls.PROBLEMS:
            send(provider, raw)
        lost = sample_calls.chat(3, now - timedelta(minutes=9))
        lost["call"]["recordingUrl"] = f"{sounds}/gone.wav"
        send("zelto", json.dumps(lost).encode())
        send("zelto", json.dumps(sample_calls.chat(4, now - timedelta(minutes=6))).encode())
        early = sample_calls.parcel_call(now - timedelta(minutes=3))
        early["call"].pop("cost")
        send("livekit", json.dumps(early).encode())
        send("livekit", json.dumps(early).encode())
        whole = sample_calls.parcel_call(now - timedelta(minutes=3), f"{sounds}/keane.wav")
        send("livekit", json.dumps(whole).encode())
    receiver.wait_until_ingested()
    receiver.store.mint_key("CI")
    receiver.wait_for(whole["call"]["externalId"], 20, where=_ready)


def _ready(conversation: dict[str, object]) -> bool:
    recording = conversation["recording"]
    return isinstance(recording, dict) and recording["state"] == "ready"


def _conversation(page: Page) -> None:
    page.locator(".row", has_text="Moira Keane").first.click()
    page.locator(".wave:not([hidden])").wait_for()
    page.evaluate("document.querySelector('.main').scrollTop = 0")
    box = page.locator(".track").bounding_box()
    assert box is not None  # noqa: S101 - it was waited for
    page.mouse.click(box["x"] + box["width"] * 0.395, box["y"] + 10)
    page.mouse.move(2, 2)
    page.locator(".turn.speaking").wait_for()
    page.evaluate("document.querySelector('.main').scrollTop = 0")


def _deliveries(page: Page) -> None:
    _conversation(page)
    page.get_by_role("tab", name="Deliveries").click()
    page.locator(".delivery summary").first.click()
    page.locator(".changes").wait_for()


def _playground(page: Page) -> None:
    page.get_by_label("Sample").select_option(label="With violations")
    page.locator(".violation").first.wait_for()


def _faults(page: Page) -> None:
    page.get_by_role("button", name="503 for the next 3").click()
    page.get_by_role("button", name="2 s slow, every 5th").click()
    page.locator(".fault-list b").nth(1).wait_for()


def _search(page: Page) -> None:
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("searchbox").fill("depot")
    page.locator(".row-match").first.wait_for()


def _nothing(_page: Page) -> None:
    """The view as it opens."""


VIEWS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "conversation": ("#/", _conversation),
    "deliveries": ("#/", _deliveries),
    "search": ("#/", _search),
    "agents": ("#/agents", _nothing),
    "problems": ("#/problems/143", _nothing),
    "log": ("#/log/142", _nothing),
    "playground": ("#/playground", _playground),
    "keys": ("#/keys", _nothing),
    "faults": ("#/faults", _faults),
}


def shoot(only: str | None, *, phone: bool) -> None:
    """Takes every picture, from one receiver that is full and one that is empty."""
    OUT.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    sound = sample_calls.sound(sample_calls.parcel_call(sample_calls.now()))
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(RunningReceiver(limits=Limits(allow_private=True)))
        empty = stack.enter_context(RunningReceiver())
        fill(receiver, stack.enter_context(recordings(sound)))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport=PHONE if phone else SIZE,
                color_scheme=scheme,
                device_scale_factor=1.15,
                locale="en-GB",
                reduced_motion="reduce",
            )
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda line: print(line.text))
            for name, (address, prepare) in {"welcome": ("#/", _nothing), **VIEWS}.items():
                if only in (None, name):
                    httpx.delete(f"{receiver.url}/page/faults")
                    page.goto("about:blank")
                    page.goto(f"{(empty if name == 'welcome' else receiver).url}/{address}")
                    page.locator("#live.on").wait_for(state="attached")
                    page.locator("main > *").first.wait_for(state="attached")
                    prepare(page)
                    suffix = "-phone" if phone else ""
                    page.screenshot(path=OUT / f"{name}-{scheme}{suffix}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["welcome", *VIEWS])
    parser.add_argument("--phone", action="store_true")
    options = parser.parse_args()
    shoot(options.only, phone=options.phone)
