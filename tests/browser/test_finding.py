"""Search and filters: in the address, answered by the receiver."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from browser.calls import a_call, said


@pytest.fixture
def three(send):
    send(a_call("AJ_one", name="Ann Lee", turns=[said("user", "Where is my parcel?")]))
    send(a_call("AJ_two", name="Bo Chen", version="v8", turns=[said("user", "Una mañana gris")]))
    dental = {"externalId": "dental", "name": "Dental desk"}
    third = a_call("AJ_three", name="Cy Dow", agent=dental)
    third["call"] |= {"endedReason": "agent-ended-call"}
    third["call"]["customer"]["number"] = "+442071234567"
    send(third)
    send({"call": {"externalId": "AJ_two", "cost": -1}, "agent": {"externalId": "support"}})


FOUND = {
    "parc": ["Ann Lee"],
    "manana": ["Bo Chen"],
    "bo chen": ["Bo Chen"],
    "j_tw": ["Bo Chen"],
    "71234": ["Cy Dow"],
    "dental": ["Cy Dow"],
    "lee parcel": ["Ann Lee"],
    "lee gris": [],
    '"; DROP -- * (': [],
    "support": ["Bo Chen", "Ann Lee"],
}


def test_search_finds_callers_ids_agents_and_words(receiver, three):
    def callers(query):
        answer = httpx.get(f"{receiver.url}/page/conversations", params={"q": query})
        return [each["caller"] for each in answer.json()["data"]]

    assert {query: callers(query) for query in FOUND} == FOUND


def test_what_is_typed_narrows_the_list_and_stays_in_the_address(page, receiver, three):
    page.goto(receiver.url)
    expect(page.locator(".row-title")).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("parcel")
    expect(page.locator(".row-title")).to_have_text(["Ann Lee"])
    expect(page.locator(".row-match")).to_have_text("Where is my parcel?")
    assert page.evaluate("location.hash") == "#/?q=parcel"
    page.locator(".row").click()
    expect(page.locator(".heading h2")).to_have_text("Ann Lee")
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("parcel")
    expect(page.locator(".row-title")).to_have_text(["Ann Lee"])


def test_filters_narrow_the_list_and_can_be_cleared(page, receiver, three):
    page.goto(receiver.url)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Agent", exact=True).select_option(label="Support line (2)")
    expect(page.locator(".row-title")).to_have_text(["Bo Chen", "Ann Lee"])
    page.get_by_label("Version", exact=True).select_option(label="v8 (1)")
    expect(page.locator(".row-title")).to_have_text(["Bo Chen"])
    page.reload()
    expect(page.locator(".row-title")).to_have_text(["Bo Chen"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".row-title")).to_have_count(3)
    page.get_by_label("Ending", exact=True).select_option(label="agent ended call (1)")
    expect(page.locator(".row-title")).to_have_text(["Cy Dow"])
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("with problems").check()
    expect(page.locator(".row-title")).to_have_text(["Bo Chen"])


def test_a_narrowed_list_takes_in_what_fits(page, receiver, three, send):
    page.goto(f"{receiver.url}/#/?q=parcel")
    expect(page.locator(".row-title")).to_have_text(["Ann Lee"])
    send(a_call("AJ_four", name="Di", turns=[said("user", "Another parcel")]))
    expect(page.locator(".row-title")).to_have_text(["Di", "Ann Lee"])


def test_the_index_follows_resends(receiver, three, send):
    send(a_call("AJ_one", name="Ann Lee", turns=[said("user", "A letter")]))

    def callers(query):
        found = httpx.get(f"{receiver.url}/page/conversations", params={"q": query}).json()
        return [each["caller"] for each in found["data"]]

    assert (callers("parcel"), callers("letter")) == ([], ["Ann Lee"])
