"""The page in a real browser: it teaches, it is live, and a conversation can be read."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from browser.calls import WHOLE, a_call, said, with_recording


def test_the_empty_page_teaches_how_to_begin(page, receiver):
    page.goto(receiver.url)
    welcome = page.locator(".welcome")
    for line in (
        'zelto.attach(session, agent_id="support")',
        'ZeltoProcessor(runner_args, agent_id="support")',
        'with zelto.call("conv-42", agent_id="support") as call:',
        f"export ZELTO_BASE_URL={receiver.url}",
    ):
        expect(welcome).to_contain_text(line)
    assert page.title() == "Zelto receiver"


def test_conversations_appear_and_change_without_a_reload(page, receiver, send):
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate("window.untouched = true")
    send(a_call("a", name="Ann Lee"))
    expect(page.locator(".row-title")).to_have_text(["Ann Lee"])
    send(a_call("b", name="Bo Chen"))
    expect(page.locator(".row-title")).to_have_text(["Bo Chen", "Ann Lee"])
    send(a_call("a", name="Ann Lee-Park"))
    expect(page.locator(".row-title")).to_have_text(["Bo Chen", "Ann Lee-Park"])
    expect(page).to_have_title("(2) Zelto receiver")
    send(b"{")
    expect(page.locator("#count-problems")).to_have_text("1")
    assert page.evaluate("window.untouched") is True


def test_the_open_conversation_follows_its_resends(page, send, open_call):
    send(a_call())
    open_call()
    send(a_call(turns=[said("user", "Hi", 1, 2), said("assistant", "Hello", 2.5, 3)]))
    expect(page.locator(".bubble")).to_have_text(["Hi", "Hello"])


def test_a_conversation_is_read_from_top_to_bottom(page, send, open_call):
    send(with_recording("https://recordings.invalid/conv-1.ogg"))
    open_call()
    expect(page.locator(".heading h2")).to_have_text("Ann Lee")
    expect(page.locator(".heading > p").first).to_have_text("Support line · v7 · 7 turns")
    names, values = (page.locator(f".facts {tag}").all_inner_texts() for tag in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts.pop("Started")
    assert {name: " ".join(value.split()) for name, value in facts.items()} == {
        "Duration": "20 s",
        "Ended": "customer ended call",
        "Cost": "$0.048",
        "Caller": "Ann Lee +15550100",
        "Source": "livekit",
        "Deliveries": "1",
    }
    expect(page.locator(".reference")).to_have_text("conv-1")
    expect(page.locator(".bubble")).to_have_text(
        [
            "Hello, how can I help?",
            "Where is my parcel?",
            "It is at the depot, and",
            "Thanks!",
            "Goodbye then.",
        ]
    )
    expect(page.locator(".by time").first).to_have_text(re.compile("^0:00.5 . 0:02.5$"))
    expect(page.locator(".silence")).to_have_text(["3.5 s to answer"])
    expect(page.locator("#turn-5 .marks")).to_have_text("interrupted")
    expect(page.locator(".marks")).to_have_count(1)
    expect(page.locator(".closing")).to_have_text("customer ended call · 20 s")


def test_without_a_caller_the_id_is_the_heading_and_not_said_again(page, send, open_call):
    body = a_call()
    del body["call"]["customer"]
    send(body)
    open_call()
    expect(page.locator(".heading h2")).to_have_text("conv-1")
    expect(page.locator(".heading").get_by_text("conv-1")).to_have_count(1)


def test_a_row_tells_when_the_call_came_which_the_list_is_ordered_by(page, receiver, send):
    page.clock.set_fixed_time("2026-06-01T12:00:00Z")
    send(a_call())  # which began months ago
    page.goto(receiver.url)
    came = receiver.conversation("conv-1")["createdAt"]
    clock = "{ hour: '2-digit', minute: '2-digit' }"
    shown = page.evaluate(f"(at) => new Date(at).toLocaleTimeString(undefined, {clock})", came)
    row = page.locator(".row time")
    expect(row).to_have_text(shown)
    expect(row).to_have_attribute("title", re.compile("^Arrived "))


def test_tools_open_where_they_ran(page, send, open_call):
    send(WHOLE)
    open_call()
    found, failed = page.locator(".tool").all()
    expect(found.locator(".outcome")).to_have_text("done in 500 ms")
    expect(failed.locator(".outcome")).to_have_text("failed in 100 ms")
    expect(found.get_by_text("the depot")).to_be_hidden()
    found.locator("summary").click()
    expect(found.get_by_text("the depot")).to_be_visible()
    failed.locator("summary").click()
    expect(failed.get_by_text("nobody answers")).to_be_visible()


def test_prompt_and_metadata_are_folded(page, send, open_call):
    send(WHOLE)
    open_call()
    prompt = page.get_by_text("Be kind.")
    expect(prompt).to_be_hidden()
    page.get_by_text("System prompt").click()
    expect(prompt).to_be_visible()


def test_tabs_show_the_document_and_every_delivery(page, send, open_call):
    send(WHOLE)
    send(WHOLE | {"version": "v8"})
    open_call()
    page.get_by_role("tab", name="JSON").click()
    shown = json.loads(page.locator(".json").inner_text())
    assert (shown["version"], len(shown["transcript"]["turns"])) == ("v8", 8)
    page.get_by_role("tab", name="Deliveries").click()
    expect(page.locator(".delivery .chip")).to_have_text(["ingested", "ingested"])
    page.locator(".delivery summary").last.click()
    expect(page.locator(".delivery").last.locator(".raw .json")).to_contain_text('"v7"')


def test_an_unknown_address_says_so(page, receiver, complaints):
    page.goto(f"{receiver.url}/#/c/nowhere")
    expect(page.locator("#main")).to_contain_text("There is nothing under this address.")
    [complaint] = complaints
    assert "404" in complaint
    complaints.clear()


def test_it_comes_back_after_an_outage(page, receiver, send, complaints):
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("Live")
    receiver.stop()
    expect(page.locator("#live")).to_have_text("Reconnecting")
    receiver.start()
    send(a_call())
    expect(page.locator(".row-title")).to_have_text(["Ann Lee"])
    complaints[:] = [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each]
