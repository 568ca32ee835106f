"""The gate, either engine: an outage costs one probe at a time, a refused key holds what is due."""

from __future__ import annotations

import pytest

from outboxes import (
    BASE,
    KEY,
    NOW,
    OTHER_KEY,
    SENT,
    OpenOutbox,
    claim,
    failed,
    outage,
    put,
    send,
    settle,
    states,
    texts,
)
from zelto_agents.outbox import Claim, Gate, Gatekeeper, Outbox, Outcome

REFUSED = failed(status=401, away="key", key_mark="k1")
NO_API = failed(status=404, away="base_url")
LATER = NOW + 3600
"""When each of these documents is due again, unless the gate opens."""


def put_many(outbox: Outbox, names: str) -> None:
    for name in names:
        put(outbox, name, name)


def close_gate(outbox: Outbox, names: str = "abc", *, due_at: float = NOW) -> Gate:
    """Three failures in a row; the gate that is closed by them."""
    put_many(outbox, names)
    claims = claim(outbox, limit=3)
    outbox.settle([(one, outage(due_at)) for one in claims], now=NOW)
    gate = outbox.gate(BASE)
    assert (gate.away, gate.closed_until > NOW) == ("outage", True)
    return gate


def probe(outbox: Outbox) -> Claim:
    """The one claim that a closed gate allows, as soon as it does."""
    (one,) = claim(outbox, outbox.gate(BASE).closed_until, limit=9)
    return one


def test_at_first_it_is_open(outbox: Outbox):
    assert outbox.gate(BASE) == Gate()


def test_three_failures_in_a_row_close_it_for_everybody(outbox: Outbox, open_outbox: OpenOutbox):
    put_many(outbox, "abcd")
    for count in (1, 2):
        (one,) = claim(outbox)
        settle(outbox, one, outage(LATER))
        assert outbox.gate(BASE) == Gate(failures=count)
    (third,) = claim(outbox)
    settle(outbox, third, outage(LATER))
    assert outbox.gate(BASE).away == "outage"
    for process in (outbox, open_outbox()):
        assert claim(process, limit=9) == []
        assert claim(process, external_id="d") == []


def test_a_success_between_failures_starts_the_count_again(outbox: Outbox):
    put_many(outbox, "abcde")
    outcomes = [outage(), outage(), SENT, outage(), outage()]
    outbox.settle(list(zip(claim(outbox, limit=5), outcomes, strict=True)), now=NOW)
    assert outbox.gate(BASE) == Gate(failures=2)


def test_a_failure_that_says_nothing_of_the_base_url_does_not_close_it(outbox: Outbox):
    put_many(outbox, "abcde")
    outbox.settle([(one, failed()) for one in claim(outbox, limit=5)], now=NOW)
    assert len(claim(outbox, limit=9)) == 5


def test_it_stands_between_all_and_one_base_url_only(outbox: Outbox):
    close_gate(outbox)
    elsewhere = "https://staging.example"
    put(outbox, base_url=elsewhere)
    assert outbox.gate(elsewhere) == Gate()
    assert len(claim(outbox, base_url=elsewhere)) == 1


@pytest.mark.parametrize(
    ("outcome", "away"), [(outage(wait=120.0), "outage"), (REFUSED, "key"), (NO_API, "base_url")]
)
def test_one_answer_closes_it_at_once(outbox: Outbox, outcome: Outcome, away: str):
    put_many(outbox, "ab")
    (one,) = claim(outbox)
    settle(outbox, one, outcome)
    gate = outbox.gate(BASE)
    assert (gate.away, gate.closed_until > NOW) == (away, True)
    assert claim(outbox, gate.closed_until - 1, limit=9) == []
    assert len(claim(outbox, gate.closed_until, limit=9)) == 1


def test_it_stays_closed_as_long_as_the_answer_asked_for(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, outage(wait=120.0))
    assert outbox.gate(BASE).closed_until == NOW + 120


def test_failures_of_what_was_in_flight_when_it_closed_do_not_count_again(outbox: Outbox):
    put_many(outbox, "abcde")
    claims = claim(outbox, limit=5)
    outbox.settle([(one, outage()) for one in claims[:3]], now=NOW)
    gate = outbox.gate(BASE)
    outbox.settle([(one, outage()) for one in claims[3:]], now=NOW + 0.1)
    assert outbox.gate(BASE) == gate


@pytest.mark.parametrize(("outcome", "away"), [(REFUSED, "key"), (NO_API, "base_url")])
def test_a_straggler_that_timed_out_does_not_open_what_another_answer_closed(
    outbox: Outbox, outcome: Outcome, away: str
):
    put_many(outbox, "ab")
    refused, straggler = claim(outbox, limit=2)
    settle(outbox, refused, outcome)
    settle(outbox, straggler, outage(unsure=True), now=NOW + 1)
    assert outbox.gate(BASE).away == away
    assert claim(outbox, NOW + 2, limit=9) == []


def test_one_probe_at_a_time_finds_out_over_all_processes(outbox: Outbox, open_outbox: OpenOutbox):
    gate = close_gate(outbox, "abcdef")
    others = [open_outbox(), open_outbox()]
    claims = [one for each in (*others, outbox) for one in claim(each, gate.closed_until, limit=9)]
    assert len(claims) == 1
    assert claim(outbox, gate.closed_until, external_id="f") == []


def test_the_probe_can_be_asked_for_by_name(outbox: Outbox):
    gate = close_gate(outbox, "abcdef")
    assert texts(claim(outbox, gate.closed_until, external_id="f")) == ["f"]
    assert claim(outbox, gate.closed_until, external_id="e") == []


def test_a_probe_whose_process_is_gone_comes_free_with_its_lease(
    outbox: Outbox, open_outbox: OpenOutbox
):
    close_gate(outbox)
    lost = probe(outbox)
    other = open_outbox()
    assert claim(other, lost.lease_until - 1, limit=9) == []
    assert len(claim(other, lost.lease_until, limit=9)) == 1


def test_a_probe_that_is_given_back_leaves_the_next_one_to_others(
    outbox: Outbox, open_outbox: OpenOutbox
):
    gate = close_gate(outbox)
    settle(outbox, probe(outbox), Outcome("due", tried=False), now=gate.closed_until)
    assert outbox.gate(BASE) == gate
    assert len(claim(open_outbox(), gate.closed_until, limit=9)) == 1


def test_what_is_given_back_from_before_does_not_free_the_probe_of_another(
    outbox: Outbox, open_outbox: OpenOutbox
):
    put(outbox, "early", "early")
    (early,) = claim(outbox, lease=900.0)
    other = open_outbox()
    gate = close_gate(other)
    probe(other)
    settle(outbox, early, Outcome("due", tried=False), now=gate.closed_until)
    assert claim(outbox, gate.closed_until, limit=9) == []


def test_the_probe_is_the_document_that_failed_least(outbox: Outbox):
    put(outbox, "fresh", "fresh", due_at=NOW + 0.25)
    gate = close_gate(outbox)
    assert gate.closed_until > NOW + 0.25
    assert texts([probe(outbox)]) == ["fresh"]


def test_a_probe_that_succeeds_opens_it_and_makes_all_that_failed_due_now(outbox: Outbox):
    gate = close_gate(outbox, due_at=LATER)
    put(outbox, "fresh", "fresh", now=NOW + 1)
    put(outbox, "scheduled", "scheduled", due_at=LATER)
    one = probe(outbox)
    assert settle(outbox, one, SENT, now=gate.closed_until)
    assert outbox.gate(BASE) == Gate()
    assert sorted(texts([one]) + send(outbox, gate.closed_until)) == ["a", "b", "c", "fresh"]


@pytest.mark.parametrize("outcome", [outage(), outage(wait=300.0), NO_API, REFUSED])
def test_a_probe_that_fails_closes_it_anew(outbox: Outbox, outcome: Outcome):
    gate = close_gate(outbox)
    one, now = probe(outbox), gate.closed_until
    settle(outbox, one, outcome, now=now)
    assert outbox.gate(BASE).away == outcome.away
    assert outbox.gate(BASE).closed_until > now
    assert claim(outbox, now, limit=9) == []
    assert len(claim(outbox, outbox.gate(BASE).closed_until, limit=9)) == 1


@pytest.mark.parametrize("first", [outage(wait=120.0), REFUSED, NO_API])
def test_a_probe_that_meets_an_outage_never_opens_what_one_answer_closed(
    outbox: Outbox, first: Outcome
):
    put_many(outbox, "abc")
    (one,) = claim(outbox)
    settle(outbox, one, first)
    now = outbox.gate(BASE).closed_until
    settle(outbox, probe(outbox), outage(now), now=now)
    assert len(claim(outbox, now, limit=9)) <= 1


def test_what_is_due_is_held_while_the_key_is_refused(outbox: Outbox):
    put_many(outbox, "ab")
    (one,) = claim(outbox)
    settle(outbox, one, REFUSED)
    assert states(outbox) == {"a": "held", "b": "held"}
    outbox.hurry(BASE, now=NOW)
    assert states(outbox) == {"a": "due", "b": "due"}


def test_a_refused_key_holds_its_own_processes_only(outbox: Outbox, open_outbox: OpenOutbox):
    put_many(outbox, "ab")
    (one,) = claim(outbox)
    settle(outbox, one, REFUSED)
    other = open_outbox()
    assert claim(outbox, NOW + 1, limit=9) == []
    assert claim(other, NOW + 1, limit=9) == []
    assert sorted(send(other, NOW + 1, gatekeeper=OTHER_KEY)) == ["a", "b"]


def test_another_key_that_meets_an_outage_does_not_absolve_the_refused_one(outbox: Outbox):
    put_many(outbox, "ab")
    (one,) = claim(outbox)
    settle(outbox, one, REFUSED)
    (two,) = claim(outbox, gatekeeper=OTHER_KEY)
    settle(outbox, two, outage(NOW + 1))
    assert claim(outbox, NOW + 2, limit=9) == []


def test_refusals_and_outages_of_the_gate_are_not_the_documents_fault(outbox: Outbox):
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, REFUSED)
    again = probe(outbox)
    assert (again.attempts, again.failures) == (2, 0)


def test_a_call_without_an_agent_is_not_let_through_a_closed_gate(outbox: Outbox):
    put(outbox, "held", held=True)
    gate = close_gate(outbox)
    knowing = Gatekeeper("k1", agent_id="support")
    assert claim(outbox, gatekeeper=knowing, limit=9) == []
    assert len(claim(outbox, gate.closed_until, gatekeeper=knowing, limit=9)) == 1


def test_a_call_without_an_agent_can_be_the_probe(outbox: Outbox):
    put(outbox, "held", held=True)
    put(outbox)
    (one,) = claim(outbox)
    settle(outbox, one, outage(LATER, wait=60.0))
    now, knowing = NOW + 60, Gatekeeper("k1", agent_id="support")
    (only_one,) = claim(outbox, now, gatekeeper=knowing, limit=9)
    assert only_one.external_id == "held"
    assert settle(outbox, only_one, SENT, now=now)
    assert outbox.gate(BASE) == Gate()


def test_hurry_opens_it(outbox: Outbox):
    close_gate(outbox, due_at=LATER)
    outbox.hurry(BASE, now=NOW)
    assert outbox.gate(BASE) == Gate()
    assert len(claim(outbox, limit=9)) == 3


def test_nothing_is_due_before_it_opens(outbox: Outbox):
    gate = close_gate(outbox)
    assert outbox.next_due(BASE, gatekeeper=KEY) == gate.closed_until
    one = probe(outbox)
    assert outbox.next_due(BASE, gatekeeper=KEY) == one.lease_until
    settle(outbox, one, outage(LATER, wait=200.0), now=gate.closed_until)
    assert outbox.next_due(BASE, gatekeeper=KEY) == gate.closed_until + 200


def test_what_is_due_with_another_key_is_due_now(outbox: Outbox):
    put_many(outbox, "ab")
    (one,) = claim(outbox)
    settle(outbox, one, REFUSED)
    assert outbox.next_due(BASE, gatekeeper=KEY) == outbox.gate(BASE).closed_until
    moment = outbox.next_due(BASE, gatekeeper=OTHER_KEY)
    assert moment is not None
    assert moment <= NOW


def test_a_held_call_whose_drainer_died_is_due_when_its_lease_ends(outbox: Outbox):
    knows = Gatekeeper(key_mark="k1", agent_id="support")
    put(outbox, held=True)
    (one,) = claim(outbox, gatekeeper=knows)
    assert outbox.next_due(BASE, gatekeeper=knows) == one.lease_until
    assert outbox.next_due(BASE, gatekeeper=KEY) is None
