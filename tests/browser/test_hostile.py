"""What callers and senders put into a call stays text, wherever the page shows it."""

from __future__ import annotations

import json

import httpx
import pytest
from playwright.sync_api import expect

from browser.calls import a_call, said, tool

CORPUS = [
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    '"><svg onload="document.title=\'owned\'">',
    "javascript:document.title='owned'",
    "'-alert(1)-' ${7*7} {{7*7}} &lt;b&gt; \u202e\u0000",
]


def hostile_call(number, text):
    body = a_call(
        f"{number} {text}",
        turns=[
            said("assistant", text, 0, 1),
            said("user", text, 1, 2),
            tool(2, 3, name=text, arguments={text: text}, result=text),
            tool(3, 4, name=text, arguments=text, error=text),
            said("tool", text, 4, 5),
            said("system", text),
        ],
        name=text,
        version=text[:255],
        systemPrompt=text,
        metadata={
            text: text,
            "zelto": {
                "turns": [
                    {"index": 0, text: text, "latency": {text: 1, "endToEnd": 1}},
                    {"index": "<b>", "interrupted": text},
                    7,
                    None,
                ]
            },
        },
    )
    body["agent"] = {"externalId": text, "name": text}
    body["call"] |= {"endedReason": text, "recordingUrl": f"https://x.invalid/{number}"}
    body["call"]["customer"]["number"] = text
    return body


@pytest.fixture
def attacked(receiver, send):
    for number, text in enumerate(CORPUS):
        send(hostile_call(number, text))
        send(hostile_call(number, text) | {"version": f"{text} again"})
        send(json.dumps(text).encode())
    headers = {"Authorization": f"Bearer {receiver.key}", "X-Zelto-Provider": CORPUS[0]}
    httpx.post(f"{receiver.url}/webhooks/calls", content=CORPUS[1].encode(), headers=headers)
    httpx.post(f"{receiver.url}/page/keys", json={"name": CORPUS[0]})
    receiver.wait_until_ingested()


def harmless(page):
    """Nothing was built from text: no picture, script, frame or handler that is not the page's."""
    assert (
        page.locator("main img, .list img, script:not([src='/page/page.js']), iframe").count() == 0
    )
    assert page.locator("[onerror], [onload], main svg:not(.icon)").count() == 0
    assert page.locator("a[href^='javascript'], [src^='javascript']").count() == 0
    assert "owned" not in page.title()


def test_in_every_field_and_every_view(page, receiver, attacked):
    for found in receiver.conversations():
        for tab in ("conversation", "json", "deliveries"):
            page.goto(f"{receiver.url}/#/c/{found['id']}?tab={tab}")
            page.locator(f"#tab-{tab}[aria-selected='true']").wait_for()
        page.locator(".delivery summary").first.click()
        page.locator(".changes").first.wait_for()
        harmless(page)
        page.goto(f"{receiver.url}/#/c/{found['id']}")
        expect(page.locator("#turn-1 .bubble")).to_have_text(found["turns"][1]["content"])
        harmless(page)
    for view in ("agents", "problems", "log", "problems/16", "log/16", "keys", "?q=owned"):
        page.goto(f"{receiver.url}/#/{view}")
        page.locator("main > *").first.wait_for()
        harmless(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Agent", exact=True).wait_for()
    harmless(page)


def test_in_the_playground(page, receiver):
    page.goto(f"{receiver.url}/#/playground")
    named = {CORPUS[0]: 1, "call": {"externalId": CORPUS[0], "cost": CORPUS[1]}}
    page.get_by_label("Body", exact=True).last.fill(json.dumps(named))
    expect(page.locator(".violation").first).to_be_visible()
    expect(page.locator(".verdict-id")).to_contain_text("onerror")
    harmless(page)


def test_in_the_address(page, receiver):
    page.goto(f"{receiver.url}/#/{CORPUS[0]}/%E0%A4%A?turn=<b>&q={CORPUS[1]}")
    expect(page.locator("main")).to_contain_text("There is nothing under this address.")
    page.goto(f"{receiver.url}/#/?q=%3Cimg src=x onerror=alert(1)%3E&agent=<b>")
    expect(page.get_by_role("searchbox")).to_have_value("<img src=x onerror=alert(1)>")
    harmless(page)


def test_odd_metadata_does_not_break_a_conversation(page, receiver, send, open_call):
    odd = (7, "x", {"turns": "x"}, {"turns": {}, "untranscribed": [7, {"role": "user"}]})
    for number, each in enumerate(odd):
        said = f"This is {number}"
        turns = [{"role": "user", "content": said, "startSeconds": 1, "endSeconds": 2}]
        send(a_call(str(number), turns=turns, metadata={"zelto": each}))
        open_call(str(number))
        expect(page.locator(".bubble")).to_have_text([said])
