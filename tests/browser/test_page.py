"""The page in a real browser: live, readable, and deaf to what hostile callers say."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def said(role, content, start=None, end=None):
    turn = {"role": role, "content": content}
    return turn if start is None else turn | {"startSeconds": start, "endSeconds": end}


def tool(start, end, **content):
    return said("tool", json.dumps(content), start, end)


def a_call(external_id="conv-1", turns=(), name="Ann Lee", **fields):
    return {
        "call": {
            "externalId": external_id,
            "startedAt": "2026-03-01T10:00:00Z",
            "durationSeconds": 20,
            "endedReason": "customer-ended-call",
            "cost": 0.0482,
            "recordingUrl": "https://recordings.example/conv-1.ogg",
            "customer": {"name": name, "number": "+15550100"},
        },
        "agent": {"externalId": "support", "name": "Support line"},
        "version": "v7",
        "transcript": {"turns": list(turns) or [said("user", "Hi", 1, 2)]},
        **fields,
    }


WHOLE = a_call(
    turns=[
        said("system", "Be kind."),
        said("assistant", "Hello, how can I help?", 0.5, 2.5),
        said("user", "Where is my parcel?", 3, 4.5),
        tool(4.6, 5.1, name="find_parcel", arguments={"id": 7}, result={"at": "the depot"}),
        tool(5.2, 5.3, name="call_depot", arguments={}, error="nobody answers"),
        said("assistant", "It is at the depot, and", 6, 8),
        said("user", "Thanks!", 7.5, 8.5),
    ],
    metadata={"room": "r1", "zelto": {"turns": [{"index": 5, "interrupted": True}]}},
)


def open_only(page, receiver):
    [conversation] = receiver.conversations()
    page.goto(f"{receiver.url}/#/c/{conversation['id']}")
    page.locator(".turn").first.wait_for()


def test_the_empty_page_teaches_how_to_begin(page, receiver):
    page.goto(receiver.url)
    welcome = page.locator(".welcome")
    for line in (
        'zelto.attach(session, agent_id="support")',
        'ZeltoProcessor(agent_id="support")',
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


def test_the_open_conversation_follows_its_resends(page, receiver, send):
    send(a_call())
    open_only(page, receiver)
    send(a_call(turns=[said("user", "Hi", 1, 2), said("assistant", "Hello", 2.5, 3)]))
    expect(page.locator(".bubble")).to_have_text(["Hi", "Hello"])


def test_a_conversation_is_read_from_top_to_bottom(page, receiver, send):
    send(WHOLE)
    open_only(page, receiver)
    expect(page.locator(".heading h2")).to_have_text("Ann Lee")
    expect(page.locator(".heading > p").first).to_have_text("Support line · v7 · 6 turns")
    names, values = (page.locator(f".facts {tag}").all_inner_texts() for tag in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts.pop("Started")
    assert {name: " ".join(value.split()) for name, value in facts.items()} == {
        "Duration": "20 s",
        "Ended": "customer ended call",
        "Cost": "$0.048",
        "Caller": "Ann Lee +15550100",
        "Recording": "open recording",
        "Source": "livekit",
        "Deliveries": "1",
    }
    recording = page.get_by_role("link", name="open recording")
    expect(recording).to_have_attribute("href", "https://recordings.example/conv-1.ogg")
    expect(page.locator(".bubble")).to_have_text(
        [
            "Hello, how can I help?",
            "Where is my parcel?",
            "It is at the depot, and",
            "Thanks!",
        ]
    )
    expect(page.locator(".by time").first).to_have_text(re.compile("^0:00.5 . 0:02.5$"))
    expect(page.locator(".silence")).to_have_text(["1.5 s to answer"])
    expect(page.locator("#turn-5 .marks")).to_have_text("interrupted")
    expect(page.locator(".marks")).to_have_count(1)
    expect(page.locator(".closing")).to_have_text("customer ended call · 20 s")


def test_tools_open_where_they_ran(page, receiver, send):
    send(WHOLE)
    open_only(page, receiver)
    found, failed = page.locator(".tool").all()
    expect(found.locator(".outcome")).to_have_text("done in 500 ms")
    expect(failed.locator(".outcome")).to_have_text("failed in 100 ms")
    expect(found.get_by_text("the depot")).to_be_hidden()
    found.locator("summary").click()
    expect(found.get_by_text("the depot")).to_be_visible()
    failed.locator("summary").click()
    expect(failed.get_by_text("nobody answers")).to_be_visible()


def test_the_timeline_is_to_scale_and_leads_to_its_turns(page, receiver, send):
    send(WHOLE)
    open_only(page, receiver)
    lane = page.locator(".lane-user").bounding_box()
    bar = page.locator(".lane-user .bar").first.bounding_box()
    assert abs((bar["x"] - lane["x"]) / lane["width"] - 3 / 20) < 0.005
    assert abs(bar["width"] / lane["width"] - 1.5 / 20) < 0.005
    assert page.locator(".lane-assistant .bar.interrupted").count() == 1
    page.locator(".lane-user .bar").last.click()
    expect(page.locator("#turn-6")).to_have_class(re.compile("shown"))


def test_prompt_and_metadata_are_folded(page, receiver, send):
    send(WHOLE)
    open_only(page, receiver)
    prompt = page.get_by_text("Be kind.")
    expect(prompt).to_be_hidden()
    page.get_by_text("System prompt").click()
    expect(prompt).to_be_visible()


def test_tabs_show_the_document_and_every_delivery(page, receiver, send):
    send(WHOLE)
    send(WHOLE | {"version": "v8"})
    open_only(page, receiver)
    page.get_by_role("tab", name="JSON").click()
    shown = json.loads(page.locator(".json").inner_text())
    assert (shown["version"], len(shown["transcript"]["turns"])) == ("v8", 7)
    page.get_by_role("tab", name="Deliveries").click()
    expect(page.locator(".delivery .chip")).to_have_text(["ingested", "ingested"])
    page.locator(".delivery summary").last.click()
    expect(page.locator(".delivery").last.locator(".json")).to_contain_text('"v7"')


def test_problems_say_why_no_conversation_came(page, receiver, send):
    send({"call": {"externalId": "dial"}, "agent": {"externalId": "support"}})
    send({"call": {"externalId": "bad", "cost": -1}, "agent": {"externalId": "support"}})
    page.goto(f"{receiver.url}/#/problems")
    expect(page.locator(".row .chip")).to_have_text(["rejected", "unconnected"])
    page.locator(".row").first.click()
    expect(page.locator(".reason")).to_contain_text("call.cost: Input should be greater than")
    expect(page.locator(".json")).to_contain_text('"externalId": "bad"')


def test_what_callers_say_stays_text(page, receiver, send):
    body = a_call(
        HOSTILE,
        turns=[
            said("user", HOSTILE, 1, 2),
            tool(2, 3, name=HOSTILE, arguments={HOSTILE: HOSTILE}, error=HOSTILE),
            said("system", HOSTILE),
        ],
        name=HOSTILE,
        version=HOSTILE,
        systemPrompt=HOSTILE,
        metadata={HOSTILE: HOSTILE, "zelto": {"turns": [{"index": 0, HOSTILE: HOSTILE}, 7, None]}},
    )
    body["agent"]["name"] = body["call"]["endedReason"] = HOSTILE
    send(body)
    send(json.dumps(HOSTILE).encode())
    open_only(page, receiver)
    expect(page.locator(".bubble").first).to_have_text(HOSTILE)
    for name in ("JSON", "Deliveries", "Conversation"):
        page.get_by_role("tab", name=name).click()
    page.goto(f"{receiver.url}/#/problems/2")
    expect(page.locator(".panel > .raw .json")).to_contain_text("onerror")
    assert page.locator("img").count() == 1  # its own icon
    assert page.locator("script").count() == 1
    assert page.title() == "(1) Zelto receiver"


def test_odd_metadata_does_not_break_a_conversation(page, receiver, send):
    for odd in (7, "x", {"turns": "x"}, {"turns": {}, "untranscribed": [7, {"role": "user"}]}):
        send(a_call(metadata={"zelto": odd}))
        open_only(page, receiver)
        page.reload()
        expect(page.locator(".bubble")).to_have_text(["Hi"])


def test_keys_walk_through_the_list(page, receiver, send):
    for name in ("Ann", "Bo", "Cy"):
        send(a_call(name, name=name))
    page.goto(receiver.url)
    page.locator(".row").first.wait_for()
    for key, title in (("j", "Cy"), ("j", "Bo"), ("j", "Ann"), ("j", "Ann"), ("k", "Bo")):
        page.keyboard.press(key)
        expect(page.locator(".heading h2")).to_have_text(title)
    page.keyboard.press("Escape")
    expect(page.locator(".heading")).to_have_count(0)


def test_a_long_list_is_loaded_in_parts(page, receiver, send):
    for number in range(120):
        send(a_call(f"c{number}"))
    page.goto(receiver.url)
    expect(page.locator(".row")).to_have_count(100)
    page.get_by_role("button", name="More").click()
    expect(page.locator(".row")).to_have_count(120)


def test_an_unknown_address_says_so(page, receiver, complaints):
    page.goto(f"{receiver.url}/#/c/nowhere")
    expect(page.locator("#main")).to_contain_text("There is nothing under this address.")
    [complaint] = complaints
    assert "404" in complaint
    complaints.clear()


def test_on_a_phone_it_is_list_or_conversation(page, receiver, send):
    page.set_viewport_size({"width": 390, "height": 844})
    send(WHOLE)
    page.goto(receiver.url)
    page.locator(".row").click()
    expect(page.locator(".side")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="Back").click()
    expect(page.locator(".side")).to_be_visible()


def test_it_comes_back_after_an_outage(page, receiver, send, complaints):
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("Live")
    receiver.stop()
    expect(page.locator("#live")).to_have_text("Reconnecting")
    receiver.start()
    send(a_call())
    expect(page.locator(".row-title")).to_have_text(["Ann Lee"])
    complaints[:] = [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each]
