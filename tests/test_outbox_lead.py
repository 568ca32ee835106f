"""Who sweeps for all, either engine: one process for a base URL, and never one with a refused key."""

from __future__ import annotations

from outboxes import BASE, KEY, LEASE, NOW, OTHER_KEY, OpenOutbox, claim, failed, only, put, settle
from zelto_agents.outbox import Gatekeeper, Outbox


def test_a_process_leads_until_it_stops_asking(outbox: Outbox, open_outbox: OpenOutbox):
    others = [open_outbox(), open_outbox()]

    def leaders(now: float) -> list[bool]:
        return [one.lead(BASE, now=now, gatekeeper=KEY) for one in (outbox, *others)]

    assert leaders(NOW) == [True, False, False]
    assert leaders(NOW + 10) == [True, False, False]
    assert outbox.lead("https://staging.example", now=NOW, gatekeeper=KEY)
    assert [one.lead(BASE, now=NOW + LEASE, gatekeeper=KEY) for one in others] == [True, False]
    assert leaders(NOW + LEASE) == [False, True, False]


def test_a_leader_that_closes_leaves_its_place_at_once(outbox: Outbox, open_outbox: OpenOutbox):
    other = open_outbox()
    assert other.lead(BASE, now=NOW, gatekeeper=KEY)
    assert not outbox.lead(BASE, now=NOW, gatekeeper=KEY)
    other.close()
    assert outbox.lead(BASE, now=NOW, gatekeeper=KEY)


def test_a_process_with_another_key_leads_instead_of_those_with_the_refused_one(
    outbox: Outbox, open_outbox: OpenOutbox
):
    put(outbox)
    assert outbox.lead(BASE, now=NOW, gatekeeper=KEY)
    (one,) = claim(outbox)
    settle(outbox, one, failed(status=401, away="key", key_mark="k1"))
    first, second = open_outbox(), open_outbox()
    assert first.lead(BASE, now=NOW, gatekeeper=OTHER_KEY)
    assert not second.lead(BASE, now=NOW, gatekeeper=OTHER_KEY)
    assert not outbox.lead(BASE, now=NOW, gatekeeper=KEY)
    assert first.lead(BASE, now=NOW, gatekeeper=OTHER_KEY)
    assert only(outbox).state == "held"


def test_a_process_that_names_an_agent_leads_instead_of_one_that_names_none(
    outbox: Outbox, open_outbox: OpenOutbox
):
    naming, another = Gatekeeper("k1", "support"), open_outbox()
    assert outbox.lead(BASE, now=NOW, gatekeeper=KEY)
    assert another.lead(BASE, now=NOW, gatekeeper=naming)
    assert not outbox.lead(BASE, now=NOW, gatekeeper=KEY)
    assert not open_outbox().lead(BASE, now=NOW, gatekeeper=naming)
