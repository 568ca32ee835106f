"""A call that can be heard: its recording plays under its timeline, and the words follow."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.calls import WHOLE, with_recording
from browser.conftest import wav

PLACE = "Number(document.querySelector('.track').getAttribute('aria-valuenow'))"


@pytest.fixture
def heard(page, receiver, send, sounds, open_call):
    """A call of 20 seconds with its recording, open in the page."""
    sounds.files["/call.wav"] = wav(20)
    send(with_recording(f"{sounds.url}/call.wav"))
    receiver.wait_for("conv-1", where=lambda found: found["recording"]["state"] == "ready")
    open_call()
    expect(page.locator(".clock")).to_have_text("0:00.0 / 0:20.0")


def test_what_was_fetched_can_be_opened(page, heard, sounds):
    link = page.get_by_role("link", name="open recording")
    expect(link).to_have_attribute("href", f"{sounds.url}/call.wav")


def test_it_plays_and_lights_the_turn_that_is_spoken(page, heard):
    page.locator("#turn-5 .place").click()
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator("#turn-5")).to_have_class(re.compile("speaking"))
    expect(page.locator("#turn-6")).to_have_class(re.compile("speaking"))
    expect(page.locator(".turn.speaking")).to_have_count(1)
    expect(page.locator(".bar.lit")).to_have_attribute("data-index", "6")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_a_click_on_the_timeline_or_a_turn_seeks(page, heard):
    track = page.locator(".track").bounding_box()
    page.mouse.click(track["x"] + track["width"] * 0.6, track["y"] + track["height"] - 8)
    expect(page.locator(".clock")).to_have_text("0:12.0 / 0:20.0")
    expect(page.locator("#turn-7")).to_have_class(re.compile("speaking"))
    page.locator("#turn-2 .place").click()
    expect(page.locator(".clock")).to_have_text("0:03.0 / 0:20.0")
    assert page.evaluate("location.hash").endswith("?turn=2")


def test_keys_play_and_seek(page, heard):
    page.keyboard.press("ArrowRight")
    expect(page.locator(".clock")).to_have_text("0:05.0 / 0:20.0")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(".clock")).to_have_text("0:04.0 / 0:20.0")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert page.evaluate(PLACE) == 20
    page.keyboard.press("Home")
    assert page.evaluate(PLACE) == 0


def test_the_sound_is_drawn_and_goes_on_through_a_resend(page, heard, send, sounds):
    expect(page.locator("canvas.wave")).to_be_visible()
    painted = "document.querySelector('canvas.wave').getContext('2d')"
    assert page.evaluate(f"{painted}.getImageData(0, 0, 400, 40).data.some((each) => each > 0)")
    page.get_by_role("button", name="Play", exact=True).click()
    send(with_recording(f"{sounds.url}/call.wav", WHOLE | {"version": "v8"}))
    expect(page.locator(".heading > p").first).to_contain_text("v8")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_another_call_ends_the_sound(page, heard, send, open_call):
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    send(with_recording("", WHOLE) | {"call": {"externalId": "silent"}})
    open_call("silent")
    expect(page.locator(".player")).to_have_count(0)
    open_call("conv-1")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_a_recording_that_failed_says_why_and_is_fetched_again(
    page, receiver, send, sounds, open_call
):
    send(with_recording(f"{sounds.url}/call.wav"))
    receiver.wait_for("conv-1", where=lambda found: found["recording"]["state"] == "failed")
    open_call()
    note = page.locator(".recording-note")
    expect(note).to_contain_text("The recording could not be fetched after 1 try")
    expect(note).to_contain_text("it is text/html, not audio or video")
    expect(page.locator("#count-problems")).to_have_text("1")
    expect(page.get_by_text("open recording")).to_have_count(0)
    sounds.files["/call.wav"] = wav(20)
    note.get_by_role("button", name="Try again").click()
    expect(page.locator(".clock")).to_have_text("0:00.0 / 0:20.0")
    expect(page.locator("#count-problems")).to_have_text("")


def test_without_a_recording_the_timeline_still_leads_to_the_words(page, send, open_call):
    send(WHOLE)
    open_call()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#turn-5")).to_have_class(re.compile("speaking"))
    assert "agent It is at the depot" in page.locator(".track").get_attribute("aria-valuetext")


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"state": "awaited"}, "The recording is awaited"),
        ({"state": "failed", "why": "the bucket is gone"}, "no recording: the bucket is gone"),
    ],
)
def test_what_the_agent_says_of_a_recording_to_come_is_shown(
    page, receiver, send, open_call, told, text
):
    send(WHOLE | {"metadata": {"zelto": {"recording": told}}})
    receiver.wait_for("conv-1")
    open_call()
    expect(page.locator(".recording-note")).to_contain_text(text)
