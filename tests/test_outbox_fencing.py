"""Who may settle, and who had the last word, either engine: leases, fences, and unsure requests."""

from __future__ import annotations

import json

import pytest

from outboxes import BASE, KEY, LEASE, NOW, SENT, OpenOutbox, claim, failed, only, put, send, settle
from zelto_agents.outbox import Outbox, Outcome
from zelto_agents.outbox._deliveries import SETTLING


def test_a_lease_that_ran_out_fences_its_owner_off(outbox: Outbox, open_outbox: OpenOutbox):
    put(outbox)
    (lost,) = claim(outbox)
    assert claim(outbox, NOW + LEASE - 1) == []
    other = open_outbox()
    (won,) = claim(other, NOW + LEASE)
    assert won.fence != lost.fence
    assert (won.revision, won.attempts) == (1, 2)
    assert not settle(outbox, lost, Outcome("dead"), now=NOW + LEASE + 1)
    assert only(outbox).state == "due"
    assert settle(other, won, now=NOW + LEASE + 1)
    assert only(outbox).state == "sent"


def test_a_lease_that_ran_out_is_still_its_owners_until_another_claim(outbox: Outbox):
    put(outbox)
    (late,) = claim(outbox)
    assert settle(outbox, late, now=NOW + LEASE + 1)
    assert only(outbox).state == "sent"


def test_what_is_in_flight_comes_free_with_its_lease(outbox: Outbox):
    put(outbox)
    claim(outbox)
    assert outbox.next_due(BASE, gatekeeper=KEY) == NOW + LEASE


@pytest.mark.parametrize("outcome", [SENT, failed(unsure=True)])
def test_a_stale_request_that_may_have_landed_last_makes_the_newest_go_once_more(
    outbox: Outbox, open_outbox: OpenOutbox, outcome: Outcome
):
    put(outbox)
    (stale,) = claim(outbox)
    other, later = open_outbox(), NOW + LEASE + 2 * SETTLING
    put(other, text="2", now=NOW + 1)
    assert send(other, NOW + LEASE) == ["2"]
    assert send(other, later) == ["2"]
    assert only(other).state == "sent"
    assert not settle(outbox, stale, outcome, now=later + 1)
    assert only(other).state == "due"
    assert send(other, later + 1) == ["2"]
    assert only(other).state == "sent"


@pytest.mark.parametrize(
    "outcome", [Outcome("due", due_at=NOW, tried=False), failed(), Outcome("dead", status=422)]
)
def test_a_stale_request_that_did_not_land_changes_nothing(
    outbox: Outbox, open_outbox: OpenOutbox, outcome: Outcome
):
    put(outbox)
    (stale,) = claim(outbox)
    other, later = open_outbox(), NOW + LEASE + 2 * SETTLING
    put(other, text="2", now=NOW + 1)
    send(other, NOW + LEASE)
    send(other, later)
    before = only(other)
    assert not settle(outbox, stale, outcome, now=later + 1)
    assert only(other) == before


def test_a_stale_request_of_the_same_revision_changes_nothing(
    outbox: Outbox, open_outbox: OpenOutbox
):
    put(outbox)
    (stale,) = claim(outbox)
    other = open_outbox()
    assert send(other, NOW + LEASE) == ["1"]
    before = only(other)
    assert not settle(outbox, stale, now=NOW + LEASE + 1)
    assert only(other) == before


def test_a_newer_revision_is_confirmed_once_an_unsure_older_one_has_settled(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    put(outbox, text="2", now=NOW + 2)
    assert send(outbox, NOW + 2) == ["2"]
    assert (only(outbox).state, only(outbox).due_at) == ("due", NOW + SETTLING)
    assert outbox.next_due(BASE, gatekeeper=KEY) == NOW + SETTLING
    assert send(outbox, NOW + SETTLING - 1) == []
    assert send(outbox, NOW + SETTLING) == ["2"]
    assert only(outbox).state == "sent"


def test_what_is_told_of_what_waits_to_be_confirmed_goes_at_once_and_is_confirmed_then(
    outbox: Outbox,
):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    put(outbox, text="2", now=NOW + 2)
    send(outbox, NOW + 2)
    assert outbox.enrich(BASE, "a", {"cost": 1}, now=NOW + 3) == 3
    assert outbox.next_due(BASE, gatekeeper=KEY) == NOW + 3
    (three,) = claim(outbox, NOW + 3)
    assert (three.revision, json.loads(three.body())["cost"]) == (3, 1)
    settle(outbox, three, now=NOW + 3)
    assert (only(outbox).state, only(outbox).due_at) == ("due", NOW + SETTLING)
    outbox.hurry(BASE, now=NOW + 4)
    assert send(outbox, NOW + 4) == []
    assert send(outbox, NOW + SETTLING) == ["2"]
    assert only(outbox).state == "sent"


def test_what_is_told_of_what_waits_for_its_next_try_waits_with_it(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 9, unsure=True))
    outbox.enrich(BASE, "a", {"cost": 1}, now=NOW + 1)
    assert only(outbox).due_at == NOW + 9
    outbox.hurry(BASE, now=NOW + 2)
    assert send(outbox, NOW + 2) == ["1"]


def test_an_unsure_older_revision_that_has_settled_by_then_needs_no_confirmation(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    put(outbox, text="2", now=NOW + 2)
    assert send(outbox, NOW + SETTLING) == ["2"]
    assert only(outbox).state == "sent"


def test_an_unsure_failure_of_the_same_revision_needs_no_confirmation(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    assert send(outbox, NOW + 1) == ["1"]
    assert only(outbox).state == "sent"


def test_an_unsure_failure_is_remembered_over_a_success_of_the_same_revision(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    send(outbox, NOW + 1)
    put(outbox, text="2", now=NOW + 2)
    send(outbox, NOW + 2)
    assert (only(outbox).state, only(outbox).due_at) == ("due", NOW + SETTLING)


def test_what_was_sent_is_not_forgotten_while_an_older_request_may_still_land(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    send(outbox, NOW + 1)
    outbox.maintain(now=NOW + 2, retain=0, max_age=1000)
    put(outbox, text="2", now=NOW + 3)
    send(outbox, NOW + 3)
    assert (only(outbox).state, only(outbox).due_at) == ("due", NOW + SETTLING)
    send(outbox, NOW + SETTLING)
    outbox.maintain(now=NOW + SETTLING, retain=0, max_age=1000)
    assert outbox.deliveries() == []


def test_an_older_revision_that_was_in_flight_can_be_unsure_too(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    put(outbox, text="2")
    settle(outbox, one, failed(unsure=True))
    assert send(outbox) == ["2"]
    assert (only(outbox).state, only(outbox).due_at) == ("due", NOW + SETTLING)


def test_a_lease_that_ran_out_is_unsure_too(outbox: Outbox):
    put(outbox)
    claim(outbox)
    put(outbox, text="2", now=NOW + 1)
    assert send(outbox, NOW + LEASE) == ["2"]
    confirmed_at = only(outbox).due_at
    assert (only(outbox).state, confirmed_at > NOW + LEASE) == ("due", True)
    assert send(outbox, confirmed_at) == ["2"]
    assert only(outbox).state == "sent"


def test_the_oldest_request_that_may_still_land_is_the_one_that_counts(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, failed(NOW + 1, unsure=True))
    put(outbox, text="2", now=NOW + 1)
    (two,) = claim(outbox, NOW + 2)
    settle(outbox, two, failed(NOW + 3, unsure=True), now=NOW + 3)
    assert send(outbox, NOW + 4) == ["2"]
    assert (only(outbox).state, only(outbox).due_at) == ("due", NOW + 3 + SETTLING)
    assert send(outbox, NOW + 3 + SETTLING) == ["2"]
    assert only(outbox).state == "sent"


def test_the_oldest_of_several_leases_that_ran_out_is_the_one_that_counts(outbox: Outbox):
    put(outbox)
    claim(outbox, lease=5.0)
    put(outbox, text="2", now=NOW + 1)
    claim(outbox, NOW + 5, lease=5.0)
    assert send(outbox, NOW + 10) == ["2"]
    assert only(outbox).state == "due"
    assert send(outbox, only(outbox).due_at) == ["2"]
    assert only(outbox).state == "sent"
