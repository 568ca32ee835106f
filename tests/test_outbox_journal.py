"""Journals of live calls, either engine: whose process is gone is adopted; who comes back wins."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from outboxes import (
    BASE,
    KEY,
    LEASE,
    NOW,
    OpenOutbox,
    a_put,
    claim,
    only,
    outage,
    put,
    send,
    settle,
    states,
    texts,
)
from zelto_agents.outbox import Orphan, Outbox
from zelto_agents.outbox._journals import PROCESS_LEASE

GONE = NOW + PROCESS_LEASE
"""When a process that was last heard of at NOW counts as gone."""
FACTS = [b'{"at":0}', b'{"at":1}', b"\0\xff"]
ORPHAN = Orphan(journal="j", base_url=BASE, external_id="a", seen_at=NOW, facts=FACTS)
ADOPTED = a_put(text="adopted", journal="j")

CHILD = """
import signal, sys
import outboxes
outbox = outboxes.open_store(sys.argv[1])
outbox.journal("j", outboxes.BASE, "a", [b"1", b"2"], now=outboxes.NOW)
for name in ("a", "b", "c", "d"):
    outboxes.put(outbox, f"put-{name}")
(probing,) = outboxes.claim(outbox, external_id="put-a")
outboxes.settle(outbox, probing, outboxes.outage(wait=1.0))
outbox.lead(outboxes.BASE, now=outboxes.NOW, gatekeeper=outboxes.KEY)
(probe,) = outboxes.claim(outbox, outboxes.NOW + 1, limit=9)
print(probe.external_id, flush=True)
signal.pause()
"""


def journal(outbox: Outbox, facts: list[bytes] = FACTS, *, now: float = NOW) -> None:
    outbox.journal("j", BASE, "a", facts, now=now)


def test_a_live_call_is_shown_and_not_claimed(outbox: Outbox):
    journal(outbox)
    live = only(outbox)
    assert (live.base_url, live.external_id, live.state) == (BASE, "a", "live")
    assert (live.revision, live.attempts, live.size) == (0, 0, sum(map(len, FACTS)))
    assert (live.created_at, live.updated_at) == (NOW, NOW)
    assert outbox.deliveries("https://staging.example") == []
    assert claim(outbox) == []
    assert outbox.next_due(BASE, gatekeeper=KEY) is None


def test_what_is_new_of_the_facts_is_appended(outbox: Outbox, open_outbox: OpenOutbox):
    for count in (1, 1, 2, 3):
        journal(outbox, FACTS[:count])
    assert only(outbox).size == sum(map(len, FACTS))
    assert open_outbox().orphans(now=GONE) == [ORPHAN]


def test_journals_of_several_calls_do_not_mix(outbox: Outbox, open_outbox: OpenOutbox):
    for number in (1, 2):
        for call in ("x", "y"):
            facts = [f"{call}{n}".encode() for n in range(number)]
            outbox.journal(call, BASE, f"call-{call}", facts, now=NOW)
    assert [
        (one.journal, one.external_id, one.facts) for one in open_outbox().orphans(now=GONE)
    ] == [
        ("x", "call-x", [b"x0", b"x1"]),
        ("y", "call-y", [b"y0", b"y1"]),
    ]


def test_the_document_that_ends_a_call_drops_its_journal(outbox: Outbox, open_outbox: OpenOutbox):
    journal(outbox)
    put(outbox, journal="j")
    assert states(outbox) == {"a": "due"}
    assert open_outbox().orphans(now=GONE) == []


def test_a_call_without_a_base_url_has_a_journal_too(outbox: Outbox, open_outbox: OpenOutbox):
    outbox.journal("j", "", "a", FACTS, now=NOW)
    assert open_outbox().orphans(now=GONE) == [replace(ORPHAN, base_url="")]


def test_a_process_that_beats_keeps_its_calls(outbox: Outbox, open_outbox: OpenOutbox):
    other = open_outbox()
    journal(outbox)
    for seconds in range(0, 120, 5):
        outbox.beat(now=NOW + seconds)
        assert other.orphans(now=NOW + seconds) == []
    (orphan,) = other.orphans(now=NOW + 120 + PROCESS_LEASE)
    assert NOW + 110 <= orphan.seen_at <= NOW + 120


def test_nobody_adopts_ones_own_calls(outbox: Outbox):
    journal(outbox)
    assert outbox.orphans(now=GONE) == []


def test_a_call_whose_process_is_gone_is_adopted_once(outbox: Outbox, open_outbox: OpenOutbox):
    journal(outbox)
    heir, late = open_outbox(), open_outbox()
    assert heir.orphans(now=GONE - 1) == []
    assert heir.orphans(now=GONE) == [ORPHAN]
    assert late.orphans(now=GONE) == []
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE) == 1
    assert heir.orphans(now=GONE) == []
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE) == 0
    assert send(heir, GONE) == ["adopted"]


def test_orphans_come_in_portions(outbox: Outbox, open_outbox: OpenOutbox):
    for number in range(5):
        outbox.journal(f"j{number}", BASE, f"call-{number}", FACTS, now=NOW)
    heir, adopted = open_outbox(), []
    while orphans := heir.orphans(now=GONE, limit=2):
        assert len(orphans) <= 2
        for one in orphans:
            end = a_put(one.external_id, journal=one.journal)
            assert heir.adopt(end, seen_at=one.seen_at, now=GONE) == 1
            adopted.append(one.journal)
    assert adopted == [f"j{number}" for number in range(5)]


def test_what_an_heir_that_is_gone_itself_left_goes_to_the_next_one_unchanged(
    outbox: Outbox, open_outbox: OpenOutbox
):
    journal(outbox)
    first, second = open_outbox(), open_outbox()
    assert first.orphans(now=GONE) == [ORPHAN]
    first.beat(now=GONE + PROCESS_LEASE - 1)
    last = GONE + 3 * PROCESS_LEASE
    assert second.orphans(now=last) == [ORPHAN]
    assert first.adopt(ADOPTED, seen_at=NOW, now=last) == 0
    assert second.adopt(ADOPTED, seen_at=NOW, now=last) == 1


def test_an_orphan_is_not_adopted_once_its_process_came_back(
    outbox: Outbox, open_outbox: OpenOutbox
):
    heir, later = open_outbox(), [*FACTS, b"4"]
    journal(outbox)
    assert heir.orphans(now=GONE) == [ORPHAN]
    journal(outbox, later, now=GONE + 1)
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE + 2) == 0
    assert states(heir) == {"a": "live"}


def test_a_process_that_came_back_has_its_whole_journal_and_its_lease_again(
    outbox: Outbox, open_outbox: OpenOutbox
):
    heir, later = open_outbox(), [*FACTS, b"4"]
    journal(outbox)
    assert heir.orphans(now=GONE) == [ORPHAN]
    journal(outbox, later, now=GONE + 1)
    assert heir.orphans(now=GONE + 2) == []
    assert open_outbox().orphans(now=GONE + 2) == []
    (again,) = open_outbox().orphans(now=GONE + 2 * PROCESS_LEASE)
    assert again.facts == later


def test_a_process_that_comes_back_after_its_call_was_adopted_sends_the_higher_revision(
    outbox: Outbox, open_outbox: OpenOutbox
):
    heir = open_outbox()
    journal(outbox)
    assert heir.orphans(now=GONE) == [ORPHAN]
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE) == 1
    journal(outbox, [*FACTS, b"4"], now=GONE + 1)
    assert put(outbox, text="whole", journal="j", now=GONE + 2) == 2
    assert send(heir, GONE + 2) == ["whole"]
    assert states(heir) == {"a": "sent"}


@pytest.mark.parametrize("ends", ["j", None])
def test_an_orphan_is_not_adopted_once_its_process_put_the_document(
    outbox: Outbox, open_outbox: OpenOutbox, ends: str | None
):
    heir = open_outbox()
    journal(outbox)
    assert heir.orphans(now=GONE) == [ORPHAN]
    put(outbox, text="whole", journal=ends, now=GONE + 1)
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE + 2) == 0
    assert texts(claim(heir, GONE + 2, limit=9)) == ["whole"]
    assert heir.orphans(now=GONE + 2) == []


def test_what_was_put_before_the_process_was_last_seen_is_superseded(
    outbox: Outbox, open_outbox: OpenOutbox
):
    put(outbox, text="early", now=NOW - 1)
    journal(outbox)
    heir = open_outbox()
    assert heir.orphans(now=GONE) == [ORPHAN]
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE) == 2
    assert send(heir, GONE) == ["adopted"]


def test_an_enrichment_of_a_live_call_is_merged_when_it_is_adopted(
    outbox: Outbox, open_outbox: OpenOutbox
):
    journal(outbox)
    assert outbox.enrich(BASE, "a", {"cost": 1}, now=NOW + 1) == 0
    heir = open_outbox()
    assert heir.orphans(now=GONE) == [ORPHAN]
    assert heir.adopt(ADOPTED, seen_at=NOW, now=GONE) == 1
    (one,) = claim(heir, GONE)
    assert one.body() == b'{"call":{"externalId":"a"},"text":"adopted","cost":1}'


def test_a_call_that_ended_without_being_put_stays_until_its_process_is_gone(
    outbox: Outbox, open_outbox: OpenOutbox
):
    journal(outbox)
    outbox.close()
    assert open_outbox().orphans(now=GONE) == [ORPHAN]


def test_what_a_process_that_is_gone_had_claimed_comes_free(
    outbox: Outbox, open_outbox: OpenOutbox
):
    put(outbox)
    claim(outbox, lease=900.0)
    heir = open_outbox()
    heir.orphans(now=GONE - 1)
    assert claim(heir, GONE - 1) == []
    heir.orphans(now=GONE)
    assert texts(claim(heir, GONE)) == ["1"]


def test_a_killed_process_is_noticed_at_once_on_the_same_host(outbox: Outbox, store: str):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, store],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    ) as child:
        assert child.stdout is not None
        probed = child.stdout.readline().strip()
        assert outbox.orphans(now=NOW + 1) == []
        assert not outbox.lead(BASE, now=NOW + 1, gatekeeper=KEY)
        assert claim(outbox, NOW + 1, limit=9) == []
        child.send_signal(signal.SIGKILL)
        child.wait()
        (orphan,) = outbox.orphans(now=NOW + 2)
    assert (orphan.journal, orphan.external_id, orphan.facts) == ("j", "a", [b"1", b"2"])
    assert orphan.seen_at <= NOW + 2
    assert outbox.lead(BASE, now=NOW + 2, gatekeeper=KEY)
    (probe,) = claim(outbox, NOW + 2, external_id=probed)
    assert settle(outbox, probe, outage(), now=NOW + 2)


def test_a_claim_outlives_the_owner_that_is_only_slow(outbox: Outbox, open_outbox: OpenOutbox):
    put(outbox)
    (one,) = claim(outbox)
    heir = open_outbox()
    heir.orphans(now=NOW + 1)
    assert claim(heir, NOW + LEASE - 1) == []
    assert settle(outbox, one, now=NOW + LEASE - 1)


def test_a_journal_may_be_long(outbox: Outbox, open_outbox: OpenOutbox):
    facts: list[bytes] = []
    for number in range(20):
        facts += [f"{number}-{n}".encode() * 10 for n in range(100)]
        journal(outbox, facts)
    (orphan,) = open_outbox().orphans(now=GONE)
    assert orphan.facts == facts


def test_the_words_of_a_call_are_not_printed_with_its_orphan():
    assert "words" not in repr(replace(ORPHAN, facts=[b"words"]))
