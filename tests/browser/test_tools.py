"""Agents, playground, faults and keys."""

from __future__ import annotations

import json
import re

import httpx
from playwright.sync_api import expect

from browser.calls import WHOLE, a_call, said


def version(number, seconds, cost, **more):
    body = a_call(f"c{number}{seconds}", version=f"v{number}", **more)
    body["call"] |= {"durationSeconds": seconds, "cost": cost}
    return body


def test_versions_of_an_agent_stand_side_by_side(page, receiver, send):
    for seconds, cost in ((10, 0.5), (30, 0.25), (80, 1.5)):
        send(version(1, seconds, cost))
    late = version(2, 20, 0.75, turns=[said("user", "Hi"), said("user", "Hi")])
    late["call"]["endedReason"] = "agent-ended-call"
    send(late)
    page.goto(f"{receiver.url}/#/agents")
    card = page.locator(".agent")
    expect(card.locator("h3")).to_have_text("Support line")
    expect(card.locator(".card-line")).to_have_text("4 calls · 2 m 20 s · $3.00")
    expect(card.locator("thead a")).to_have_text(["v2", "v1"])
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in card.locator("tbody tr").all()
    }
    told = {name: [" ".join(cell.split()) for cell in cells] for name, cells in rows.items()}
    assert told == {
        "Calls": ["1", "3"],
        "Median duration": ["20 s \N{MINUS SIGN}33 %", "30 s"],
        "Total duration": ["20 s", "2 m 00 s"],
        "Cost per call": ["$0.750", "$0.750"],
        "Cost in total": ["$0.750", "$2.25"],
        "Turns per call": ["2.0 +100 %", "1.0"],
        "How they ended": ["agent ended call 100 %", "customer ended call 100 %"],
    }
    expect(card.locator(".level")).not_to_have_count(0)
    card.get_by_role("link", name="v2").click()
    expect(page.locator(".row")).to_have_count(1)


def test_one_version_has_no_bars_and_a_long_one_is_cut(page, receiver, send):
    name = "release-" + "2026" * 40
    send(a_call(version=name))
    page.goto(f"{receiver.url}/#/agents")
    link = page.locator(".agent thead a")
    expect(link).to_have_attribute("title", name)
    expect(link).to_have_css("text-overflow", "ellipsis")
    expect(link).to_have_css("width", "264px")
    expect(page.locator(".level")).to_have_count(0)


def test_the_playground_says_every_violation_and_sends_without_a_key(page, receiver):
    page.goto(f"{receiver.url}/#/playground")
    expect(page.locator(".verdict h3")).to_have_text("Fits the contract")
    broken = {"call": {"externalId": "mine", "cost": "1"}, "agent": {}, "version": ""}
    page.get_by_label("Body", exact=True).last.fill(json.dumps(broken))
    expect(page.locator(".violation code")).to_have_text(
        ["call.cost", "agent.externalId", "version"]
    )
    page.locator(".violation", has_text="call.cost").click()
    chosen = "document.getElementById('body')"
    selected = f"{chosen}.value.slice({chosen}.selectionStart, {chosen}.selectionEnd)"
    assert page.evaluate(selected) == '"cost"'
    assert receiver.raw_count() == 0
    page.get_by_label("Body", exact=True).last.fill(json.dumps(WHOLE))
    page.get_by_label("Provider").select_option("livekit")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".sent")).to_contain_text("answered 200")
    receiver.wait_for("conv-1")
    assert json.loads(receiver.raw_body(1)) == WHOLE
    assert receiver.deliveries()[0]["provider"] == "livekit"


def test_samples_are_what_they_say(page, receiver):
    page.goto(f"{receiver.url}/#/playground")
    verdicts = {
        "A telephone call": "Fits the contract",
        "A chat, without any times in its turns": "Fits the contract",
        "Unconnected dial": "Fits the contract",
        "Not JSON": "Invalid JSON",
        "With violations": "Validation failed",
        "Vapi's end-of-call-report, as Vapi sends it": "Fits the contract",
        "Retell's call_ended, as Retell sends it": "Fits the contract",
    }
    for name, verdict in verdicts.items():
        page.get_by_label("Sample").select_option(label=name)
        expect(page.locator(".verdict h3")).to_have_text(verdict)


def test_the_first_page_sends_a_sample(page, receiver):
    page.goto(receiver.url)
    page.get_by_role("button", name="Send a sample call").click()
    expect(page.locator(".row-title")).to_have_text(["Ada Okafor"])
    page.locator(".row").click()
    expect(page.locator(".timeline")).to_be_visible()


def test_faults_are_added_met_and_removed_with_a_banner_everywhere(
    page, receiver, send, complaints
):
    page.goto(f"{receiver.url}/#/faults")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator(".fault-form")).to_contain_text("The upload is refused and not stored.")
    page.get_by_role("button", name="503 for the next 3").click()
    expect(page.locator("#banner")).to_contain_text("answer 503, the next 3 uploads")
    page.get_by_label("What happens").select_option(label="Answer slowly")
    page.get_by_label("Seconds", exact=True).fill("0.1")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".fault-list li")).to_have_count(2)
    assert send(WHOLE).status_code == 503
    page.goto(f"{receiver.url}/#/agents")
    page.reload()
    expect(page.locator("#banner")).to_contain_text("the next 2 uploads")
    page.get_by_role("link", name="Show").click()
    expect(page.locator(".fault-list li").first).to_contain_text("met once")
    expect(page.locator(".attempts")).to_contain_text("conv-1")
    page.get_by_role("button", name="Remove: answer 503").click()
    expect(page.locator(".fault-list li")).to_have_count(1)
    page.get_by_role("button", name="Remove all").first.click()
    expect(page.locator("#banner")).to_be_hidden()
    page.get_by_label("What happens").select_option(label="Answer with a status")
    page.get_by_label("Status", exact=True).fill("503")
    page.get_by_label("Share in %").fill("100")
    page.evaluate("document.querySelector('.fault-form').noValidate = true")
    page.get_by_label("Status", exact=True).fill("200")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".fault-form .wrong")).to_contain_text("status")
    assert any("400" in each for each in complaints)
    complaints.clear()


def test_what_the_page_sends_meets_the_faults_as_well(page, receiver, complaints):
    httpx.post(f"{receiver.url}/page/faults", json={"kind": "status", "status": 503, "left": 1})
    httpx.post(f"{receiver.url}/page/faults", json={"kind": "reset", "left": 9})
    page.goto(f"{receiver.url}/#/playground")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".sent")).to_contain_text("answered 503")
    # A browser asks once more by itself when a connection is cut before any answer.
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".sent")).to_contain_text("the connection was cut")
    complaints.clear()


def test_keys_are_made_shown_once_and_revoked(page, receiver):
    page.goto(f"{receiver.url}/#/keys")
    page.get_by_label("What it is for").fill("laptop")
    page.get_by_role("button", name="Make a key").click()
    line = page.locator(".once pre").inner_text()
    key = re.fullmatch(r"export ZELTO_API_KEY=(zelto_dev_\S+)", line)[1]
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{receiver.url}/v1/agents", headers=headers).status_code == 200
    page.reload()
    expect(page.locator("body")).not_to_contain_text(key)
    expect(page.locator(".key-list li", has_text="laptop")).to_contain_text("last used")
    page.get_by_role("button", name="Revoke laptop").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator(".key-list .revoked")).to_contain_text("laptop")
    assert httpx.get(f"{receiver.url}/v1/agents", headers=headers).status_code == 401
