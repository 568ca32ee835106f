"""What is awaited of a call, in either engine: remembered, looked for by one, and given up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from outboxes import BASE, NOW, OpenOutbox, claim, put, send, states
from zelto_agents.outbox import Outbox, Outcome, Pending
from zelto_agents.outbox._engine import Engine

LEASE = 3600.0
FILE = Pending(BASE, "a", "file:/tmp/a.ogg", "file", "/tmp/a.ogg")
DAY = 86_400.0


def claimed(outbox: Outbox, now: float = NOW, base_url: str = BASE) -> list[Pending]:
    return outbox.claim_pending(base_url, now=now, lease=LEASE, limit=9)


def test_what_is_awaited_is_claimed_by_one_and_again_only_after_its_wait(
    open_outbox: OpenOutbox,
) -> None:
    one, other = open_outbox(), open_outbox()
    assert one.expect(FILE, now=NOW)
    (found,) = claimed(other)
    assert replace(found, id=0) == replace(
        FILE, due_at=NOW, lease_until=NOW + LEASE, created_at=NOW, updated_at=NOW
    )
    assert claimed(one) == []
    assert not one.expect(FILE, now=NOW + 1), "somebody looks for it already"
    assert other.settle_pending(replace(found, due_at=NOW + 60, details="not yet"), now=NOW + 5)
    assert claimed(one, NOW + 59) == []
    (again,) = claimed(one, NOW + 60)
    assert (again.attempts, again.details) == (1, "not yet")
    assert not other.settle_pending(found, now=NOW + 61), "its lease is another's now"


def test_the_lease_of_a_process_that_is_gone_comes_free(open_outbox: OpenOutbox) -> None:
    one, other = open_outbox(), open_outbox()
    one.expect(FILE, now=NOW)
    assert len(claimed(one)) == 1
    one.beat(now=NOW)
    other.orphans(now=NOW + 31)  # its lease as a process ran out
    assert len(claimed(other, NOW + 31)) == 1


def test_only_those_who_send_to_a_base_url_look_for_what_it_awaits(outbox: Outbox) -> None:
    outbox.expect(FILE, now=NOW)
    outbox.expect(replace(FILE, base_url=""), now=NOW)
    assert [one.base_url for one in claimed(outbox, base_url="https://other.example")] == [""]


def test_a_sent_call_is_kept_as_long_as_something_is_awaited(outbox: Outbox) -> None:
    put(outbox)
    outbox.expect(FILE, now=NOW)
    send(outbox)
    outbox.maintain(now=NOW + DAY, retain=0, max_age=7 * DAY)
    assert states(outbox) == {"a": "sent"}
    (found,) = claimed(outbox, NOW + DAY)
    outbox.settle_pending(replace(found, state="failed", details="gone"), now=NOW + DAY)
    outbox.maintain(now=NOW + DAY, retain=0, max_age=7 * DAY)
    assert states(outbox) == {}
    assert [(one.state, one.details) for one in outbox.pending()] == [("failed", "gone")]
    outbox.maintain(now=NOW + 40 * DAY, retain=0, max_age=7 * DAY)
    assert outbox.pending() == []


def test_what_nobody_could_look_for_is_given_up_after_its_age(outbox: Outbox) -> None:
    outbox.expect(FILE, now=NOW)
    outbox.maintain(now=NOW + 7 * DAY + 3600, retain=0, max_age=7 * DAY)
    assert [(one.state, one.details) for one in outbox.pending()] == [
        ("failed", "waited longer than ZELTO_MAX_AGE; ")
    ]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_url_is_found_again_only_while_its_document_waits(
    outbox: Outbox, *, arrived: bool
) -> None:
    put(outbox)
    outbox.expect(FILE, now=NOW)
    (found,) = claimed(outbox)
    outbox.settle_pending(
        replace(found, kind="object", reference="a.ogg", state="found", due_at=NOW + DAY), now=NOW
    )
    if arrived:
        send(outbox)
    expected = [] if arrived else [("object", "a.ogg", "file:/tmp/a.ogg")]
    again = claimed(outbox, NOW + DAY)
    assert [(one.kind, one.reference, one.name) for one in again] == expected


def test_a_call_that_is_not_wanted_is_neither_kept_nor_put_nor_enriched(outbox: Outbox) -> None:
    outbox.journal("j", BASE, "a", [b"fact"], now=NOW)
    outbox.enrich(BASE, "a", {"call": {"cost": 1}}, now=NOW)
    outbox.skip(BASE, "a", "j", now=NOW)
    assert put(outbox) == 0
    assert outbox.enrich(BASE, "a", {"call": {"cost": 2}}, now=NOW) == 0
    assert claim(outbox) == []
    assert states(outbox) == {"a": "skipped"}


def test_what_was_put_before_it_was_not_wanted_is_sent(outbox: Outbox) -> None:
    put(outbox, text="1")
    outbox.skip(BASE, "a", "j", now=NOW)
    (one,) = claim(outbox)
    assert json.loads(one.body())["text"] == "1"


def test_what_a_live_call_awaits_is_looked_for_at_its_end_with_what_is_known_then(
    open_outbox: OpenOutbox,
) -> None:
    one, other = open_outbox(), open_outbox()
    assert one.expect(FILE, now=NOW, live=True)
    assert claimed(other, NOW + DAY) == []
    assert not other.expect(FILE, now=NOW), "it is the other's, who lives"
    assert one.expect(replace(FILE, reference="/tmp/b.ogg"), now=NOW + 9)
    assert [found.reference for found in claimed(other, NOW + 9)] == ["/tmp/b.ogg"]


def test_what_a_process_awaited_that_is_gone_is_anybodys(open_outbox: OpenOutbox) -> None:
    one, other = open_outbox(), open_outbox()
    one.expect(FILE, now=NOW, live=True)
    one.beat(now=NOW)
    other.orphans(now=NOW + 31)
    assert len(claimed(other, NOW + 31)) == 1


def test_what_is_awaited_goes_with_its_call_to_another_base_url(outbox: Outbox) -> None:
    put(outbox, base_url="https://wrong.example")
    outbox.expect(replace(FILE, base_url="https://wrong.example"), now=NOW)
    outbox.expect(replace(FILE, base_url=""), now=NOW)
    (one,) = claim(outbox, base_url="https://wrong.example")
    outbox.settle([(one, Outcome("due", away="base_url"))], now=NOW)
    outbox.readdress(BASE, now=NOW)
    assert [found.base_url for found in outbox.pending()] == [BASE]


def test_a_call_that_is_skipped_awaits_nothing(outbox: Outbox) -> None:
    outbox.skip(BASE, "a", "j", now=NOW)
    assert not outbox.expect(FILE, now=NOW)
    assert outbox.pending() == []


def test_a_new_call_has_the_room_of_a_sent_one_that_awaits_something(
    open_outbox: OpenOutbox,
) -> None:
    outbox = open_outbox(max_bytes=200_000)
    for number in range(30):
        outbox.expect(replace(FILE, external_id=f"b{number}"), now=NOW)
        put(outbox, f"b{number}", "x" * 20_000)
        send(outbox)


def test_what_is_forgotten_with_its_call_is_looked_for_no_more(outbox: Outbox) -> None:
    put(outbox)
    outbox.expect(FILE, now=NOW)
    assert outbox.drop_seen(outbox.deliveries(), now=NOW) == 1
    assert claimed(outbox) == []


def test_what_failed_may_be_told_again(outbox: Outbox) -> None:
    outbox.expect(FILE, now=NOW)
    (found,) = claimed(outbox)
    outbox.settle_pending(replace(found, state="failed", details="it is empty"), now=NOW)
    assert claimed(outbox, NOW + DAY) == []
    assert outbox.expect(FILE, now=NOW + DAY)
    (again,) = claimed(outbox, NOW + DAY)
    assert (again.state, again.attempts, again.details, again.created_at) == (
        "waiting",
        0,
        "",
        NOW + DAY,
    )


@pytest.mark.parametrize("outcome", [Outcome("due", due_at=NOW + DAY), Outcome("dead")])
def test_a_link_that_runs_out_is_found_again_however_long_its_document_waits(
    open_outbox: OpenOutbox, outcome: Outcome
) -> None:
    outbox = open_engine(open_outbox)
    put(outbox)
    outbox.expect(FILE, now=NOW)
    (found,) = claimed(outbox)
    outbox.settle_pending(replace(found, state="found", due_at=NOW + DAY / 2), now=NOW)
    (one,) = claim(outbox)
    outbox.settle([(one, outcome)], now=NOW)
    outbox.maintain(now=NOW + DAY, retain=0, max_age=7 * DAY)
    outbox.retry("a", now=NOW + DAY)
    assert len(claimed(outbox, NOW + DAY)) == 1


def open_engine(open_outbox: OpenOutbox) -> Engine:
    outbox = open_outbox()
    assert isinstance(outbox, Engine)
    return outbox


def test_a_clock_that_is_set_back_delays_nothing_for_long(outbox: Outbox) -> None:
    outbox.expect(FILE, now=NOW + DAY)
    outbox.maintain(now=NOW, retain=DAY, max_age=7 * DAY)
    assert len(claimed(outbox, NOW)) == 1


def test_a_process_that_ends_in_order_leaves_what_a_live_call_of_it_awaits(
    open_outbox: OpenOutbox,
) -> None:
    one, other = open_outbox(), open_outbox()
    one.beat(now=NOW)
    one.expect(FILE, now=NOW, live=True)
    one.close()
    other.orphans(now=NOW + 31)
    assert len(claimed(other, NOW + 31)) == 1
