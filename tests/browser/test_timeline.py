"""The timeline of a call: to scale, with what overlaps, what is silent and how long answers took."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.calls import WHOLE, a_call, said


def stretch(page, selector):
    """Where something begins and how long it is, in seconds of the 20 of the call."""
    track, found = (page.locator(each).bounding_box() for each in (".track", selector))
    return [20 * (found["x"] - track["x"]) / track["width"], 20 * found["width"] / track["width"]]


def test_turns_overlaps_and_silences_are_to_scale(page, send, open_call):
    send(WHOLE)
    open_call()
    page.locator(".timeline").wait_for()
    near = {
        ".lane-user .bar >> nth=0": [3, 1.5],
        ".lane-assistant .bar >> nth=1": [6, 2],
        ".lane-tool .bar >> nth=0": [4.6, 0.5],
        ".overlap": [7.5, 0.5],
        ".hush": [8.5, 3.5],
    }
    for selector, expected in near.items():
        assert stretch(page, selector) == pytest.approx(expected, abs=0.1), selector
    assert page.locator(".bar.interrupted").get_attribute("data-index") == "5"
    expect(page.locator(".hush")).to_have_text("3.5 s")


def test_a_click_on_a_bar_shows_its_turn(page, send, open_call):
    send(WHOLE)
    open_call()
    page.locator(".lane-user .bar").last.click(force=True, position={"x": 20, "y": 9})
    expect(page.locator("#turn-6")).to_have_class(re.compile("shown"))


def test_zooming_widens_the_track_and_nothing_else(page, send, open_call):
    send(WHOLE)
    open_call()
    wide = page.locator(".track").bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator(".track").bounding_box()["width"] == pytest.approx(2 * wide, rel=0.02)
    assert page.evaluate("document.querySelector('main').scrollWidth <= innerWidth")
    page.get_by_role("button", name="Zoom out").click()
    expect(page.get_by_role("button", name="Zoom out")).to_be_disabled()


def test_the_marks_of_a_short_call_differ(page, send, open_call):
    body = a_call(turns=[said("user", "Hi", 0.2, 1.8)])
    body["call"]["durationSeconds"] = 2
    send(body)
    open_call()
    marks = page.locator(".scale span")
    expect(marks).to_have_text(["0:00.0", "0:00.5", "0:01.0", "0:01.5", "0:02.0"])


def test_latency_is_told_for_each_answer_and_in_short(page, send, open_call):
    send(WHOLE)
    open_call()
    expect(page.locator("#turn-5 .latency b")).to_have_text("1.5 s to answer")
    expect(page.locator("#turn-5 .latency-part")).to_have_text(
        ["end of turn 400 ms", "first token 600 ms", "first audio 250 ms"]
    )
    expect(page.locator(".answers")).to_contain_text("Answers 2")
    expect(page.locator(".median")).to_have_text("2.5 s")
    page.get_by_role("button", name="slowest").click()
    expect(page.locator("#turn-7")).to_have_class(re.compile("shown"))


def test_a_chat_has_bubbles_and_no_timeline(page, send, open_call):
    send(a_call(turns=[said("user", "Hi"), said("assistant", "Hello")]))
    open_call()
    expect(page.locator(".bubble")).to_have_text(["Hi", "Hello"])
    expect(page.locator(".stage")).to_have_count(0)


def test_a_turn_has_an_address(page, send, open_call):
    send(WHOLE)
    open_call(query="?turn=7")
    expect(page.locator("#turn-7")).to_have_class(re.compile("shown"))
