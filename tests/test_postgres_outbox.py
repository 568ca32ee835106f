"""The outbox on a real Postgres server that crashes, cuts connections, and freezes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from outboxes import (
    BASE,
    KEY,
    LEASE,
    NOW,
    OpenOutbox,
    claim,
    only,
    open_store,
    put,
    send,
    settle,
    states,
    texts,
)
from postgres_server import PostgresServer
from zelto_agents.outbox import Outbox, OutboxError
from zelto_agents.outbox._deliveries import SETTLING
from zelto_agents.outbox._journals import PROCESS_LEASE

pytestmark = pytest.mark.parametrize("store", ["postgres"], indirect=True)


class Writer:
    """Puts documents and journals facts as fast as it can, and keeps what was acknowledged."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._over = False
        self.acknowledged: list[str] = []
        self.facts: list[bytes] = []

    def wait_for_more(self, count: int) -> None:
        with self._changed:
            target = len(self.acknowledged) + count
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= target, timeout=60)

    def end(self) -> None:
        self._over = True

    def work(self) -> None:
        outbox, number = open_store(self._url), 0
        while not self._over:
            number += 1
            name, facts = f"call-{number:05}", [*self.facts, f"{number}".encode()]
            try:
                put(outbox, name)
                outbox.journal("j", BASE, "live", facts, now=NOW)
            except OutboxError:
                continue  # the next one finds out whether the server is there again
            with self._changed:
                self.acknowledged.append(name)
                self.facts = facts
                self._changed.notify()
        outbox.close()
        outbox.close()


def test_a_server_that_crashes_and_comes_back_has_lost_nothing_that_was_acknowledged(
    postgres: PostgresServer, open_outbox: OpenOutbox, store: str
):
    writer = Writer(store)
    with ThreadPoolExecutor() as threads:
        done = threads.submit(writer.work)
        try:
            for _ in range(3):
                writer.wait_for_more(30)
                postgres.stop(immediate=True)
                postgres.start()
            writer.wait_for_more(30)
        finally:
            writer.end()
        done.result(timeout=60)
    outbox = open_outbox()
    assert set(writer.acknowledged) <= states(outbox).keys()
    (orphan,) = outbox.orphans(now=NOW + PROCESS_LEASE)
    assert list(orphan.facts)[: len(writer.facts)] == writer.facts


def test_what_was_put_before_a_crash_is_claimed_after_it(postgres: PostgresServer, outbox: Outbox):
    put(outbox)
    postgres.stop(immediate=True)
    postgres.start()
    assert send(outbox) == ["1"]


def test_a_claim_that_a_crash_undid_is_fenced_off_from_the_one_after_it(
    postgres: PostgresServer, outbox: Outbox, open_outbox: OpenOutbox
):
    put(outbox)
    (stale,) = claim(outbox)
    postgres.stop(immediate=True)
    postgres.start()
    other, later = open_outbox(), NOW + LEASE
    put(other, text="2", now=later)
    assert send(other, later) == ["2"]
    send(other, later + SETTLING)
    assert only(other).state == "sent"
    assert not settle(outbox, stale, now=later + SETTLING + 1)
    assert send(other, later + SETTLING + 1) == ["2"]


def test_a_server_that_is_away_is_said_to_be_and_is_used_when_it_is_back(
    postgres: PostgresServer, outbox: Outbox, open_outbox: OpenOutbox
):
    postgres.stop()
    try:
        for operation in (lambda: put(outbox), outbox.deliveries, open_outbox):
            with pytest.raises(OutboxError, match="ZELTO_OUTBOX"):
                operation()
    finally:
        postgres.start()
    assert put(outbox) == 1


OPERATIONS: list[Callable[[Outbox], object]] = [
    put,
    lambda outbox: outbox.enrich(BASE, "a", {"cost": 1}, now=NOW),
    claim,
    lambda outbox: outbox.settle([], now=NOW),
    lambda outbox: outbox.journal("j", BASE, "live", [b"1"], now=NOW),
    lambda outbox: outbox.beat(now=NOW + 100),
    lambda outbox: outbox.orphans(now=NOW),
    lambda outbox: outbox.lead(BASE, now=NOW, gatekeeper=KEY),
    lambda outbox: outbox.gate(BASE),
    lambda outbox: outbox.hurry(BASE, now=NOW),
    lambda outbox: outbox.next_due(BASE, gatekeeper=KEY),
    lambda outbox: outbox.deliveries(),
    lambda outbox: outbox.readdress(BASE, now=NOW),
    lambda outbox: outbox.maintain(now=NOW, retain=1, max_age=1e9),
    lambda outbox: outbox.close(),
]


def test_after_its_connection_was_cut_each_operation_works_by_itself(
    postgres: PostgresServer, outbox: Outbox
):
    for operation in OPERATIONS:
        put(outbox, "b")
        assert postgres.cut() == 1
        operation(outbox)


def test_a_server_that_answers_nothing_is_an_error_and_not_a_wait_for_ever(
    postgres: PostgresServer, open_outbox: OpenOutbox
):
    outboxes = [open_outbox() for _ in OPERATIONS[:-1]]
    with ThreadPoolExecutor(len(outboxes) + 1) as threads:
        with postgres.frozen():
            doing = [
                threads.submit(operation, one)
                for operation, one in zip(OPERATIONS[:-1], outboxes, strict=True)
            ]
            doing.append(threads.submit(open_outbox))
            faults = [one.exception(timeout=60) for one in doing]
        assert {type(fault) for fault in faults} == {OutboxError}
    for one in outboxes:
        assert put(one, "after")


def test_a_frozen_server_does_not_keep_it_from_closing(postgres: PostgresServer, outbox: Outbox):
    with ThreadPoolExecutor() as threads, postgres.frozen():
        threads.submit(outbox.close).result(timeout=60)


def test_a_row_that_somebody_else_has_locked_is_an_error_and_not_a_wait_for_ever(
    outbox: Outbox, store: str
):
    put(outbox)
    with psycopg.connect(store) as other, ThreadPoolExecutor() as threads:
        other.execute("SELECT 1 FROM zelto_agents.delivery FOR UPDATE")
        fault = threads.submit(put, outbox, "a", "2").exception(timeout=60)
        assert type(fault) is OutboxError
        assert claim(outbox) == []
    assert texts(claim(outbox)) == ["1"]


def test_a_process_whose_first_operation_failed_is_known_to_be_alive_all_the_same(
    outbox: Outbox, open_outbox: OpenOutbox, store: str
):
    with psycopg.connect(store) as other, ThreadPoolExecutor() as threads:
        other.execute("LOCK TABLE zelto_agents.journal")
        started = threads.submit(outbox.journal, "j", BASE, "live", [b"1"], now=NOW)
        assert type(started.exception(timeout=60)) is OutboxError
    outbox.journal("j", BASE, "live", [b"1"], now=NOW)
    assert open_outbox().orphans(now=NOW) == []


def test_an_id_that_is_longer_than_an_index_can_hold_is_still_one_delivery(outbox: Outbox):
    name = "".join(f"{number:05}-" for number in range(2000))
    put(outbox, name)
    put(outbox, name, "2")
    assert send(outbox) == ["2"]
    (one,) = outbox.deliveries()
    assert (one.external_id[:400], one.revision, one.state) == (name[:400], 2, "sent")
