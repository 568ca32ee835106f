"""Deliveries of one call and the raw log: what came, what changed, what it was."""

from __future__ import annotations

import json
import subprocess

import httpx
import pytest
from playwright.sync_api import expect

from browser.calls import WHOLE, a_call, said

DIAL = {"call": {"externalId": "dial"}, "agent": {"externalId": "support"}}
BAD = {"call": {"externalId": "bad", "cost": -1}, "agent": {"externalId": "support"}}
LOST = {"call": {"externalId": "lost"}, "agentId": "0b9e7a52-6f0e-4a7c-9a53-2f4f1f6f0d11"}
LOST |= {"transcript": {"turns": [said("user", "Hi")]}}


def test_revisions_are_compared_and_duplicates_marked(page, send, open_call):
    send(a_call(turns=[said("user", "Hi", 1, 2)]))
    send(a_call(turns=[said("user", "Hi", 1, 2)]))
    changed = a_call(turns=[said("user", "Hi", 1, 2), said("assistant", "Hello", 3, 4)])
    changed["call"].pop("cost")
    send(changed | {"version": "v8"})
    open_call(query="?tab=deliveries")
    rows = page.locator(".delivery")
    expect(rows.locator("summary b")).to_have_text(["#3", "#2", "#1"])
    expect(rows.nth(1).locator("summary")).to_contain_text("same as #1")
    expect(rows.locator(".since").last).to_have_text("first")
    expect(rows.locator(".since").first).to_contain_text("+")
    expect(page.locator(".walk")).to_have_text("3 deliveries: 200, 200, 200")
    rows.nth(0).locator("summary").click()
    kinds, paths = (page.locator(f".change-{each}") for each in ("kind", "path"))
    expect(kinds).to_have_text(["removed", "changed", "added"])
    expect(paths).to_have_text(["call.cost", "version", "transcript.turns[1]"])
    expect(page.locator(".change.changed del")).to_have_text("v7")
    expect(page.locator(".change.changed ins")).to_have_text("v8")
    rows.nth(1).locator("summary").click()
    expect(rows.nth(1)).to_contain_text("Nothing: the same bytes came again.")


def test_a_delivery_is_sent_again_and_joins_the_others(page, receiver, send, open_call):
    send(WHOLE)
    open_call(query="?tab=deliveries")
    page.locator(".delivery summary").click()
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".delivery")).to_have_count(2)
    expect(page.locator(".delivery").first).to_contain_text("same as #1")
    assert receiver.raw_body(2) == receiver.raw_body(1)


@pytest.fixture
def copied(page, receiver):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=receiver.url)
    return lambda: page.evaluate("navigator.clipboard.readText()")


def test_the_curl_line_sends_the_same_bytes(page, receiver, send, open_call, copied):
    send(a_call(name='it\'s "quoted" $HOME `x`\n'))
    open_call(query="?tab=deliveries")
    page.locator(".delivery summary").click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    line = copied().replace("curl ", "curl -sS ", 1)
    out = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "ZELTO_API_KEY": receiver.key},
    )
    assert json.loads(out.stdout) == {"received": True}
    assert receiver.raw_body(2) == receiver.raw_body(1)


def test_a_body_is_downloaded_whole(page, receiver, send, open_call):
    turns = [said("user", "word " * 2000, at, at + 1) for at in range(60)]
    send(a_call(turns=turns))
    open_call(query="?tab=deliveries")
    page.locator(".delivery summary").click()
    expect(page.locator(".delivery-body")).to_contain_text("Cut here")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == receiver.raw_body(1)


def test_problems_come_with_their_reasons_the_grave_ones_first(page, receiver, send):
    for body in (DIAL, BAD, LOST, b"{"):
        send(body)
    page.goto(f"{receiver.url}/#/problems")
    expect(page.locator(".group .day")).to_have_text(["Failed quietly", "Rejected", "Unconnected"])
    expect(page.locator(".row-title")).to_have_text(["lost", "Delivery 4", "bad", "dial"])
    expect(page.locator("#count-problems")).to_have_text("4")
    expect(page).to_have_title("(4 problems) Zelto receiver")
    page.locator(".row", has_text="bad").click()
    expect(page.locator(".reason")).to_contain_text("call.cost: Input should be greater than")
    expect(page.locator(".raw .json")).to_contain_text('"externalId": "bad"')
    send(a_call("lost"))
    expect(page.locator("#count-problems")).to_have_text("3")
    expect(page.locator(".row-title")).to_have_text(["Delivery 4", "bad", "dial"])


def test_an_empty_id_is_said_to_be_none(page, receiver, send):
    send({"call": {"externalId": ""}, "agent": {"externalId": "support"}})
    page.goto(f"{receiver.url}/#/problems")
    expect(page.locator(".row-title")).to_have_text(["no id"])
    page.locator(".row").click()
    expect(page.locator(".heading h2")).to_have_text("no id")
    page.goto(f"{receiver.url}/#/log")
    expect(page.locator(".row-title")).to_have_text(["no id"])


def test_the_log_has_everything_newest_first_and_is_filtered(page, receiver, send):
    for body in (WHOLE, DIAL, b"{"):
        send(body)
    page.goto(f"{receiver.url}/#/log")
    expect(page.locator(".row-number")).to_have_text(["#3", "#2", "#1"])
    page.get_by_label("State").select_option(label="rejected")
    expect(page.locator(".row-number")).to_have_text(["#3"])
    send(b"[]")
    expect(page.locator(".row-number")).to_have_text(["#4", "#3"])
    page.get_by_label("Provider").select_option(label="vapi")
    expect(page.locator(".list .note")).to_have_text("Nothing in the log is like that.")
    page.goto(f"{receiver.url}/#/log/1")
    page.get_by_role("link", name="open it").click()
    expect(page.locator(".bubble").first).to_have_text("Hello, how can I help?")


def test_the_request_shows_the_headers_that_came(page, receiver, send):
    send(a_call())
    page.goto(f"{receiver.url}/#/log/1")
    shown = page.locator(".http")
    expect(shown).to_contain_text("x-zelto-provider: livekit")
    expect(shown).to_contain_text("user-agent: python-httpx/")
    expect(shown).not_to_contain_text("authorization")


def test_more_problems_than_one_part_has_are_loaded_by_scrolling(page, receiver):
    headers = {"Authorization": f"Bearer {receiver.key}"}
    with httpx.Client(base_url=receiver.url, headers=headers) as http:
        for _ in range(130):
            http.post("/webhooks/calls", json=DIAL)
            http.post("/webhooks/calls", content=b"{")
    receiver.wait_until_ingested()
    page.goto(f"{receiver.url}/#/problems")
    rows = page.locator("#list .row")
    expect(rows.first).to_be_visible()
    while rows.count() < 260:
        before = rows.count()
        rows.last.scroll_into_view_if_needed()
        expect(rows.nth(before)).to_be_attached()
    expect(page.locator(".group .day")).to_have_text(["Rejected", "Unconnected"])
