"""For everybody: axe-core finds nothing, keys reach everything, and it fits a phone."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect

from browser.calls import WHOLE, a_call, said, with_recording
from browser.conftest import wav

BAD = {"call": {"externalId": "bad", "cost": -1}, "agent": {"externalId": "support"}}


@pytest.fixture
def full(receiver, send, sounds):
    """A receiver with something for every view."""
    sounds.files["/call.wav"] = wav(20)
    send(a_call("other", name="Bo Chen", turns=[said("user", "Hi"), said("assistant", "Hello")]))
    send(BAD)
    send(WHOLE)
    send(with_recording(f"{sounds.url}/call.wav"))
    receiver.wait_for("conv-1", where=lambda found: found["recording"]["state"] == "ready")
    httpx.post(f"{receiver.url}/page/faults", json={"kind": "status", "status": 503, "percent": 20})
    return receiver.conversation("conv-1")["id"]


def views(call):
    return [
        ("", ".row"),
        ("?q=parcel", ".row-match"),
        (f"c/{call}", ".wave:not([hidden])"),
        (f"c/{call}?tab=json", ".json"),
        (f"c/{call}?tab=deliveries", ".delivery"),
        ("agents", ".agent"),
        ("problems/2", ".request"),
        ("log/4", ".request"),
        ("playground", ".verdict-head"),
        ("faults", ".fault-list b"),
        ("keys", ".key-list b"),
        ("nowhere", ".note"),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(page, receiver, full, accessible, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 1280, "height": 1600})
    for view, there in views(full):
        page.goto(f"{receiver.url}/#/{view}")
        page.locator(there).first.wait_for()
        page.evaluate(
            "document.querySelectorAll('main details').forEach((each) => { each.open = true })"
        )
        expect(page.locator(".delivery-body:empty")).to_have_count(0)
        accessible(page)
    page.keyboard.press("?")
    accessible(page)


def test_axe_finds_nothing_on_the_first_page(page, receiver, accessible):
    page.goto(receiver.url)
    page.locator(".welcome").wait_for()
    accessible(page)


def test_on_a_phone_nothing_scrolls_sideways(page, receiver, full):
    page.set_viewport_size({"width": 375, "height": 740})
    for view, there in views(full):
        page.goto(f"{receiver.url}/#/{view}")
        page.locator(there).first.wait_for()
        wide = "Math.max(...['html', 'body', 'main', '.list'].map((each) => document.querySelector(each).scrollWidth))"
        assert page.evaluate(wide) <= 375, view
        assert page.locator("#views").is_visible()


def test_on_a_phone_it_is_list_or_conversation(page, receiver, send):
    page.set_viewport_size({"width": 390, "height": 844})
    send(WHOLE)
    page.goto(receiver.url)
    page.locator(".row").click()
    expect(page.locator(".side")).to_be_hidden()
    page.get_by_role("link", name="Back").click()
    expect(page.locator(".side")).to_be_visible()


def test_keys_walk_through_the_list(page, receiver, send):
    for name in ("Ann", "Bo", "Cy"):
        send(a_call(name, name=name))
    page.goto(receiver.url)
    page.locator(".row").first.wait_for()
    for key, title in (("j", "Cy"), ("j", "Bo"), ("j", "Ann"), ("j", "Ann"), ("k", "Bo")):
        page.keyboard.press(key)
        expect(page.locator(".heading h2")).to_have_text(title)
    page.keyboard.press("Enter")
    expect(page.locator(".heading h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".heading")).to_have_count(0)


def test_keys_lead_to_every_view_and_a_dialog_names_them(page, receiver, send):
    send(WHOLE)
    page.goto(receiver.url)
    page.locator(".row").wait_for()
    ways = {
        "l": "log",
        "p": "problems",
        "a": "agents",
        "w": "playground",
        "f": "faults",
        "k": "keys",
    }
    for key, view in ways.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.locator("body")).to_have_attribute("data-view", view)
        expect(page.locator("#views [aria-current]")).to_have_attribute("data-view", view)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("jk?")
    expect(page.get_by_role("searchbox")).to_have_value("jk?")


def test_new_conversations_are_told_and_focus_goes_where_one_goes(page, receiver, send):
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("Live")
    send(a_call(name="Ann Lee"))
    expect(page.locator("#told")).to_have_text("New conversation: Ann Lee")
    page.get_by_role("navigation").get_by_role("link", name=re.compile("Agents")).click()
    expect(page.get_by_role("heading", name="Agents", exact=True)).to_be_focused()


def test_tabs_are_walked_with_arrows(page, send, open_call):
    send(WHOLE)
    open_call()
    page.get_by_role("tab", name="Conversation").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="JSON")).to_be_focused()
    expect(page.locator("[role=tabpanel] .json")).to_be_visible()
