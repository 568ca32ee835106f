"""The outbox, either engine: what is put is claimed once a revision, and the newest one wins."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from outboxes import (
    BASE,
    KEY,
    LEASE,
    NOW,
    SENT,
    OpenOutbox,
    a_put,
    claim,
    document,
    failed,
    only,
    put,
    send,
    settle,
    states,
    texts,
)
from zelto_agents.outbox import Claim, Delivery, Gatekeeper, Outbox, Outcome


def test_a_document_is_claimed_once_with_its_revision(outbox: Outbox):
    assert put(outbox) == 1
    (one,) = claim(outbox)
    assert one == (
        Claim(
            base_url=BASE,
            external_id="a",
            provider="zelto",
            revision=1,
            fence=one.fence,
            attempts=1,
            failures=0,
            lease_until=NOW + LEASE,
            document=document(),
        )
    )
    assert claim(outbox) == []


def test_a_delivery_is_shown_as_it_is(outbox: Outbox):
    put(outbox, provider="vapi", due_at=NOW + 1)
    waiting = Delivery(
        base_url=BASE,
        external_id="a",
        provider="vapi",
        state="due",
        revision=1,
        attempts=0,
        due_at=NOW + 1,
        created_at=NOW,
        updated_at=NOW,
        size=len(document()),
        status=None,
        details="",
    )
    assert outbox.deliveries() == [waiting]
    (one,) = claim(outbox, NOW + 1)
    settle(outbox, one, failed(NOW + 9), now=NOW + 2)
    assert outbox.deliveries() == [
        replace(waiting, attempts=1, due_at=NOW + 9, updated_at=NOW + 2, status=503, details="busy")
    ]


def test_another_process_sees_what_was_put(outbox: Outbox, open_outbox: OpenOutbox):
    put(outbox)
    assert texts(claim(open_outbox())) == ["1"]
    assert claim(outbox) == []


def test_what_was_put_is_there_after_all_have_closed(open_outbox: OpenOutbox):
    first = open_outbox()
    put(first)
    first.close()
    assert send(open_outbox()) == ["1"]


def test_every_byte_of_a_document_comes_back(outbox: Outbox):
    every = bytes(range(256)) * 4096
    outbox.put(replace(a_put(), document=every, provider="vapi"), now=NOW)
    (one,) = claim(outbox)
    assert one.document == every
    assert one.body("support") == every


def test_a_newer_revision_replaces_the_waiting_one(outbox: Outbox):
    put(outbox)
    assert put(outbox, text="2") == 2
    assert send(outbox) == ["2"]
    assert (only(outbox).state, only(outbox).revision) == ("sent", 2)


def test_an_attempt_acknowledges_only_the_revision_that_it_carried(outbox: Outbox):
    put(outbox)
    (first,) = claim(outbox)
    put(outbox, text="2")
    assert claim(outbox) == []
    assert settle(outbox, first)
    assert send(outbox) == ["2"]
    assert states(outbox) == {"a": "sent"}


@pytest.mark.parametrize(
    "outcome", [SENT, failed(NOW + 900), Outcome("held", due_at=NOW + 900), Outcome("dead")]
)
def test_whatever_becomes_of_an_older_revision_the_newer_one_stays_due(
    outbox: Outbox, outcome: Outcome
):
    put(outbox)
    (first,) = claim(outbox)
    put(outbox, text="2")
    assert settle(outbox, first, outcome)
    assert texts(claim(outbox)) == ["2"]


def test_a_dead_letter_is_not_claimed_until_a_newer_revision_comes(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, Outcome("dead", status=422, details="no turns"))
    assert (only(outbox).state, only(outbox).status) == ("dead", 422)
    assert claim(outbox, NOW + 1e6) == []
    put(outbox, text="2", now=NOW + 1)
    assert (only(outbox).status, only(outbox).details) == (None, "")
    assert send(outbox, NOW + 1) == ["2"]


def test_a_retry_waits_for_its_time(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 30))
    assert outbox.next_due(BASE, gatekeeper=KEY) == NOW + 30
    assert claim(outbox, NOW + 29) == []
    (again,) = claim(outbox, NOW + 30)
    assert (again.attempts, again.failures) == (2, 1)


def test_failures_are_counted_since_the_last_revision_and_attempts_since_the_first(
    outbox: Outbox,
):
    put(outbox)
    for _ in range(2):
        (one,) = claim(outbox)
        settle(outbox, one, failed())
    put(outbox, text="2")
    (two,) = claim(outbox)
    assert (two.attempts, two.failures) == (3, 0)


def test_a_claim_that_is_given_back_counts_for_nothing(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(unsure=True))
    before = only(outbox)
    (two,) = claim(outbox)
    assert settle(outbox, two, Outcome("due", due_at=NOW, tried=False))
    assert only(outbox) == before
    (three,) = claim(outbox)
    assert (three.attempts, three.failures) == (two.attempts, two.failures) == (2, 1)


def test_many_are_claimed_the_oldest_first_and_settled_each_in_its_way(outbox: Outbox):
    for name in ("a", "b", "c", "d"):
        put(outbox, name, name, due_at=NOW - ord(name))
    claims = claim(outbox, limit=3)
    assert texts(claims) == ["d", "c", "b"]
    results = list(zip(claims, [SENT, Outcome("dead"), failed(NOW + 5)], strict=True))
    assert outbox.settle(results, now=NOW) == [True, True, True]
    assert states(outbox) == {"a": "due", "b": "due", "c": "dead", "d": "sent"}
    assert texts(claim(outbox, limit=9)) == ["a"]


def test_a_batch_tells_of_each_claim_whether_it_was_still_held(outbox: Outbox):
    put(outbox, "a", "a")
    put(outbox, "b", "b")
    lost, kept = claim(outbox, limit=2)
    claim(outbox, NOW + LEASE, external_id="a")
    assert outbox.settle([(lost, SENT), (kept, SENT)], now=NOW + LEASE) == [False, True]
    assert states(outbox) == {"a": "due", "b": "sent"}


def test_nothing_is_settled_by_nothing(outbox: Outbox):
    assert outbox.settle([], now=NOW) == []


def test_one_delivery_can_be_asked_for_due_or_not(outbox: Outbox):
    put(outbox, "now", "now")
    put(outbox, "later", "later", due_at=NOW + 5)
    assert texts(claim(outbox, external_id="later")) == ["later"]
    assert claim(outbox, external_id="later") == []
    assert claim(outbox, external_id="unknown") == []
    assert send(outbox) == ["now"]
    assert claim(outbox, external_id="now") == []


def test_base_urls_do_not_see_each_others_deliveries(outbox: Outbox):
    put(outbox, base_url="https://staging.example")
    assert claim(outbox) == []
    assert outbox.next_due(BASE, gatekeeper=KEY) is None
    assert outbox.deliveries(BASE) == []
    assert [one.base_url for one in outbox.deliveries()] == ["https://staging.example"]


def test_a_call_without_an_agent_waits_until_one_is_known(outbox: Outbox, open_outbox: OpenOutbox):
    put(outbox, held=True)
    assert only(outbox).state == "held"
    assert claim(outbox, NOW + 1e6) == []
    assert outbox.next_due(BASE, gatekeeper=KEY) is None
    knowing = Gatekeeper("k1", agent_id="support")
    assert outbox.next_due(BASE, gatekeeper=knowing) is not None
    (one,) = claim(open_outbox(), gatekeeper=knowing)
    assert json.loads(one.body("support"))["agent"] == {"externalId": "support"}
    assert settle(outbox, one)
    assert only(outbox).state == "sent"


def test_hurry_makes_all_that_waits_due_now(outbox: Outbox):
    for name in ("a", "b", "held", "dead"):
        put(outbox, name, name, due_at=NOW + 50, held=name == "held")
    (dead,) = claim(outbox, external_id="dead")
    settle(outbox, dead, Outcome("dead"))
    outbox.hurry(BASE, now=NOW)
    assert sorted(send(outbox)) == ["a", "b"]
    assert states(outbox) == {"a": "sent", "b": "sent", "held": "held", "dead": "dead"}


def test_what_waits_longest_is_what_is_due_next(outbox: Outbox):
    assert outbox.next_due(BASE, gatekeeper=KEY) is None
    put(outbox, "b", due_at=NOW + 20)
    put(outbox, "a", due_at=NOW + 10)
    assert outbox.next_due(BASE, gatekeeper=KEY) == NOW + 10


def test_text_that_a_database_may_refuse_is_kept_or_made_harmless(outbox: Outbox):
    strange = "Łódź 🙂 %s :now ' \" \\ {0}"
    put(outbox, strange)
    (one,) = claim(outbox)
    assert one.external_id == strange
    assert settle(outbox, one, failed(details=f"{strange}\0"))
    assert only(outbox).details.startswith(strange)


def test_a_name_may_be_long(outbox: Outbox):
    name = "".join(f"{number:05}-" for number in range(300))
    put(outbox, name)
    put(outbox, name, "2")
    assert send(outbox) == ["2"]
    assert [one.external_id for one in outbox.deliveries()] == [name]


def test_details_are_cut_to_a_length_that_can_be_kept(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(details="x" * 100_000))
    assert set(only(outbox).details) == {"x"}
    assert len(only(outbox).details) < 10_000
