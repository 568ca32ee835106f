"""What the outbox keeps, either engine: enrichments, base URLs, ages, and how much there may be."""

from __future__ import annotations

import json
from typing import cast

import pytest

from outboxes import (
    BASE,
    NOW,
    SENT,
    OpenOutbox,
    a_put,
    claim,
    failed,
    only,
    outage,
    put,
    send,
    settle,
    states,
    texts,
)
from zelto_agents.outbox import Gate, Gatekeeper, Outbox, OutboxFullError, Outcome
from zelto_agents.outbox._engine import Engine

COST = {"call": {"cost": 1}}
RECORDING = {"call": {"recordingUrl": "u"}}
BOTH = {"externalId": "a", "cost": 1, "recordingUrl": "u"}
MONTH = 30 * 86_400


def bodies(outbox: Outbox, now: float = NOW) -> dict[str, object]:
    return {one.external_id: json.loads(one.body()) for one in claim(outbox, now, limit=99)}


def put_many(outbox: Outbox, count: int, *, size: int) -> None:
    for number in range(count):
        put(outbox, f"b{number}", "x" * size)


def test_an_enrichment_of_what_waits_is_sent_with_it(outbox: Outbox):
    put(outbox)
    assert outbox.enrich(BASE, "a", COST, now=NOW) == 2
    assert outbox.enrich(BASE, "a", RECORDING, now=NOW) == 3
    (one,) = claim(outbox)
    assert (one.revision, json.loads(one.body())) == (3, {"call": BOTH, "text": "1"})


def test_an_enrichment_does_not_hasten_what_was_to_be_retried_later(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 30))
    outbox.enrich(BASE, "a", COST, now=NOW + 1)
    assert only(outbox).due_at == NOW + 30


def test_an_enrichment_of_what_was_sent_makes_the_next_revision_due(outbox: Outbox):
    put(outbox)
    send(outbox)
    assert outbox.enrich(BASE, "a", COST, now=NOW + 1) == 2
    assert bodies(outbox, NOW + 1) == {"a": {"call": {"externalId": "a", "cost": 1}, "text": "1"}}


def test_an_enrichment_of_what_is_in_flight_goes_after_it(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    assert outbox.enrich(BASE, "a", COST, now=NOW) == 2
    assert claim(outbox) == []
    settle(outbox, one)
    assert bodies(outbox) == {"a": {"call": {"externalId": "a", "cost": 1}, "text": "1"}}


def test_an_enrichment_that_comes_first_waits_for_its_document(outbox: Outbox):
    assert outbox.enrich(BASE, "a", COST, now=NOW) == 0
    assert outbox.enrich(BASE, "a", RECORDING, now=NOW) == 0
    assert states(outbox) == {"a": "awaited"}
    assert claim(outbox) == claim(outbox, external_id="a") == []
    put(outbox)
    put(outbox, text="2")
    assert bodies(outbox) == {"a": {"call": BOTH, "text": "2"}}


def test_an_enrichment_that_comes_after_the_purge_waits_for_a_document(outbox: Outbox):
    put(outbox)
    send(outbox)
    outbox.maintain(now=NOW, retain=0, max_age=1000)
    assert outbox.deliveries() == []
    assert outbox.enrich(BASE, "a", COST, now=NOW + 1) == 0
    assert states(outbox) == {"a": "awaited"}
    put(outbox, text="2", now=NOW + 2)
    assert bodies(outbox, NOW + 2) == {"a": {"call": {"externalId": "a", "cost": 1}, "text": "2"}}


def test_an_enrichment_of_a_dead_letter_sends_it_again(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, Outcome("dead", status=422))
    assert outbox.enrich(BASE, "a", COST, now=NOW + 1) == 2
    assert send(outbox, NOW + 1) == ["1"]


def test_an_enrichment_names_no_agent_for_a_call_that_waits_for_one(outbox: Outbox):
    put(outbox, held=True)
    assert outbox.enrich(BASE, "a", COST, now=NOW) == 2
    assert states(outbox) == {"a": "held"}
    assert len(claim(outbox, gatekeeper=Gatekeeper("k1", agent_id="support"))) == 1


def test_an_expired_enrichment_that_comes_again_waits_again(outbox: Outbox):
    outbox.enrich(BASE, "a", COST, now=NOW)
    assert outbox.maintain(now=NOW + 1000, retain=0, max_age=1000) == 1
    assert only(outbox).state == "dead"
    assert outbox.enrich(BASE, "a", RECORDING, now=NOW + 1000) == 0
    assert outbox.maintain(now=NOW + 1001, retain=0, max_age=1000) == 0
    assert only(outbox).state == "awaited"
    put(outbox, now=NOW + 1001)
    assert bodies(outbox, NOW + 1001) == {"a": {"call": BOTH, "text": "1"}}


def test_what_was_put_without_a_base_url_is_given_one(outbox: Outbox):
    put(outbox, base_url="")
    put(outbox, "held", base_url="", held=True)
    assert claim(outbox) == []
    assert outbox.readdress(BASE, now=NOW) == 2
    assert outbox.readdress(BASE, now=NOW) == 0
    assert send(outbox) == ["1"]
    assert states(outbox) == {"a": "sent", "held": "held"}


def test_what_met_no_api_moves_to_a_corrected_base_url(outbox: Outbox):
    wrong, right = "https://wrong.example", "https://right.example"
    put(outbox, "a", "a", base_url=wrong)
    put(outbox, "b", "b")
    (one,) = claim(outbox, base_url=wrong)
    settle(outbox, one, failed(NOW + 300, status=404, away="base_url"))
    assert outbox.readdress(right, now=NOW) == 1
    assert texts(claim(outbox, base_url=right, limit=9)) == ["a"]
    assert texts(claim(outbox, limit=9)) == ["b"]
    assert outbox.gate(right) == Gate()


def test_what_waits_for_a_mistake_moves_when_it_is_said_so(open_outbox: OpenOutbox):
    engine = cast("Engine", open_outbox())
    wrong, third, right = "https://wrong.example", "https://third.example", "https://right.example"
    for place in (wrong, third):
        put(engine, "due", base_url=place)
        put(engine, "held", base_url=place, held=True)
        engine.enrich(place, "awaited", COST, now=NOW)
        engine.enrich(place, "live", COST, now=NOW)
        engine.journal(f"j-{place}", place, "live", [b"{}"], now=NOW)
    assert engine.redirect(wrong, right, now=NOW + 500) == 3
    assert engine.redirect(wrong, right, now=NOW + 500) == 0
    assert {(d.base_url, d.external_id, d.state) for d in engine.deliveries()} == {
        *((place, "live", state) for place in (wrong, third) for state in ("awaited", "live")),
        *(
            (place, state, state)
            for place in (third, right)
            for state in ("due", "held", "awaited")
        ),
    }
    assert {d.created_at for d in engine.deliveries(right)} == {NOW + 500}
    assert engine.gate(wrong) == Gate()


def test_what_is_in_flight_to_a_mistake_stays_until_it_has_landed(open_outbox: OpenOutbox):
    engine = cast("Engine", open_outbox())
    put(engine)
    (one,) = claim(engine)
    assert engine.redirect(BASE, "https://right.example", now=NOW) == 0
    settle(engine, one, failed(NOW))
    assert engine.redirect(BASE, "https://right.example", now=NOW) == 1


def test_nothing_moves_to_a_call_that_is_not_wanted(outbox: Outbox):
    outbox.skip(BASE, "a", "j", now=NOW)
    outbox.enrich("", "a", COST, now=NOW)
    assert outbox.readdress(BASE, now=NOW) == 1
    assert states(outbox) == {"a": "skipped"}


def test_a_failed_attempt_makes_no_document_the_newer_one(outbox: Outbox):
    put(outbox, "a", "old", base_url="https://wrong.example")
    put(outbox, "a", "new", now=NOW + 1)
    (one,) = claim(outbox, base_url="https://wrong.example")
    settle(outbox, one, failed(NOW + 2, status=404, away="base_url"))
    assert outbox.readdress(BASE, now=NOW + 3) == 1
    assert texts(claim(outbox, now=NOW + 3)) == ["new"]


def test_what_is_down_keeps_its_base_url(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW, away="outage", wait=300.0))
    assert outbox.readdress("https://other.example", now=NOW) == 0


def test_what_is_in_flight_keeps_its_base_url_until_it_has_landed(outbox: Outbox):
    put(outbox, "a")
    put(outbox, "b")
    first, second = claim(outbox, limit=2)
    settle(outbox, first, failed(NOW, status=404, away="base_url"))
    assert outbox.readdress("https://right.example", now=NOW) == 1
    assert settle(outbox, second, failed(NOW, status=404, away="base_url"))
    assert outbox.readdress("https://right.example", now=NOW) == 1


def test_readdressing_keeps_the_newer_document_and_every_enrichment(outbox: Outbox):
    outbox.enrich(BASE, "a", RECORDING, now=NOW)
    put(outbox, "a", base_url="", now=NOW + 1)
    outbox.enrich("", "a", COST, now=NOW + 1)
    put(outbox, "b", "new", now=NOW + 2)
    put(outbox, "b", "old", base_url="")
    put(outbox, "c", "old")
    put(outbox, "c", "new", base_url="", now=NOW + 2)
    assert outbox.readdress(BASE, now=NOW + 3) == 3
    assert bodies(outbox, NOW + 3) == {
        "a": {"call": BOTH, "text": "1"},
        "b": {"call": {"externalId": "b"}, "text": "new"},
        "c": {"call": {"externalId": "c"}, "text": "new"},
    }
    assert len(outbox.deliveries()) == 3


def test_what_was_sent_is_purged_in_time(outbox: Outbox):
    put(outbox)
    send(outbox)
    outbox.maintain(now=NOW + 99, retain=100, max_age=1000)
    assert states(outbox) == {"a": "sent"}
    outbox.maintain(now=NOW + 100, retain=100, max_age=1000)
    assert outbox.deliveries() == []


def test_what_waited_too_long_is_a_dead_letter_for_a_month(outbox: Outbox):
    put(outbox, "due")
    put(outbox, "held", held=True)
    outbox.enrich(BASE, "awaited", COST, now=NOW)
    outbox.journal("j", BASE, "live", [b"{}"], now=NOW)
    assert outbox.maintain(now=NOW + 999, retain=100, max_age=1000) == 0
    assert outbox.maintain(now=NOW + 1000, retain=100, max_age=1000) == 3
    expired = {"due": "dead", "held": "dead", "awaited": "dead", "live": "live"}
    assert states(outbox) == expired
    assert all("ZELTO_MAX_AGE" in one.details for one in outbox.deliveries() if one.revision)
    assert outbox.maintain(now=NOW + 999 + MONTH, retain=100, max_age=1000) == 0
    assert states(outbox) == expired
    outbox.maintain(now=NOW + 1000 + MONTH, retain=100, max_age=1000)
    assert states(outbox) == {"live": "live"}


def test_what_is_in_flight_does_not_become_a_dead_letter(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox, NOW + 999)
    assert outbox.maintain(now=NOW + 1000, retain=100, max_age=1000) == 0
    assert settle(outbox, one, now=NOW + 1001)
    assert states(outbox) == {"a": "sent"}


@pytest.mark.parametrize("anew", ["put", "enrich"])
@pytest.mark.parametrize("ended", ["sent", "dead"])
def test_what_waits_anew_is_as_old_as_its_wait(outbox: Outbox, ended: str, anew: str):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, Outcome(ended))  # type: ignore[arg-type]
    later = NOW + 2000
    if anew == "put":
        put(outbox, text="2", now=later)
    else:
        outbox.enrich(BASE, "a", COST, now=later)
    assert outbox.maintain(now=later + 1, retain=1e4, max_age=1000) == 0
    assert states(outbox) == {"a": "due"}


def test_a_newer_revision_does_not_make_young_what_was_never_delivered(outbox: Outbox):
    put(outbox)
    outbox.enrich(BASE, "a", COST, now=NOW + 900)
    assert outbox.maintain(now=NOW + 1000, retain=100, max_age=1000) == 1


def test_a_full_outbox_refuses_and_keeps_what_it_has(open_outbox: OpenOutbox):
    small = open_outbox(max_bytes=200_000)
    put(small, "a", "x" * 60_000)
    with pytest.raises(OutboxFullError, match="ZELTO_OUTBOX_MAX_BYTES"):
        put(small, "big", "x" * 190_000)
    with pytest.raises(OutboxFullError, match="ZELTO_OUTBOX_MAX_BYTES"):
        put_many(small, 9, size=30_000)
    kept = len(small.deliveries())
    assert 1 < kept < 6
    assert len(send(small)) == kept


def test_what_was_sent_makes_room_for_what_was_not(open_outbox: OpenOutbox):
    small = open_outbox(max_bytes=200_000)
    put(small, "waits", "x" * 20_000, due_at=NOW + 1)
    for number in range(20):
        put(small, f"c{number}", "x" * 20_000)
        assert len(send(small)) == 1
    kept = states(small)
    assert kept.pop("waits") == "due"
    assert 0 < len(kept) < 10
    assert set(kept.values()) == {"sent"}


def test_a_newer_revision_needs_no_room_beside_the_older_one(open_outbox: OpenOutbox):
    small = open_outbox(max_bytes=200_000)
    for number in range(20):
        assert put(small, text=f"{number}" * 20_000) == number + 1


def test_what_is_full_can_still_be_claimed_settled_and_enriched(open_outbox: OpenOutbox):
    put(open_outbox(), "a", "x" * 60_000)
    small = open_outbox(max_bytes=1)
    with pytest.raises(OutboxFullError):
        put(small, "b")
    assert small.enrich(BASE, "a", COST, now=NOW) == 2
    (one,) = claim(small)
    assert settle(small, one, SENT)
    assert small.deliveries()[0].state == "sent"


def test_a_document_that_is_put_twice_is_one_delivery_that_keeps_its_age(outbox: Outbox):
    outbox.put(a_put(), now=NOW)
    outbox.put(a_put(), now=NOW + 5)
    assert (only(outbox).created_at, only(outbox).updated_at) == (NOW, NOW + 5)


def test_a_clock_that_was_set_back_delays_nothing_for_years(outbox: Outbox):
    wrong = NOW + 10 * 365 * 86_400
    for name in "abcd":
        put(outbox, name, now=wrong, due_at=wrong)
    claims = claim(outbox, wrong, limit=4)
    outbox.settle([(one, outage(wrong + 9)) for one in claims[:3]], now=wrong)
    outbox.maintain(now=NOW, retain=100, max_age=1000)
    (one,) = claim(outbox, limit=9)
    assert settle(outbox, one)
    assert len(send(outbox, NOW + 1)) == 3
