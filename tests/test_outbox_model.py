"""The outbox, either engine, against a model: whatever is done in whatever order, they agree."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from outboxes import BASE, KEY, SENT, claim, failed, open_store, put, settle
from postgres_server import PostgresServer
from zelto_agents.fold import merged
from zelto_agents.outbox import Claim, Outbox, Outcome
from zelto_agents.outbox._deliveries import DEAD_KEPT, SETTLING

LEASE = 30.0
NAMES = st.sampled_from(["a", "b"])
WHO = st.integers(0, 1)
SECONDS = st.sampled_from([0.0, 0.0, 1.0, 5.0, 31.0, 61.0])
OUTCOMES = st.sampled_from(["sent", "sent", "sent", "unsure", "unsure", "failed", "dead", "back"])


@dataclass
class Row:
    """One delivery of the model."""

    state: str = "awaited"
    revision: int = 0
    text: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    due_at: float = 0.0
    attempts: int = 0
    failures: int = 0
    lease_until: float = 0.0
    flying: int = 0
    fence: int = 0
    unsure: int = 0
    unsure_until: float = 0.0
    since: float = 0.0
    updated_at: float = 0.0

    def is_free(self, now: float) -> bool:
        return self.lease_until <= now

    def doubt(self, revision: int, now: float) -> None:
        """This revision may land as late as SETTLING from now."""
        earlier = self.unsure_until > now and self.unsure < revision
        self.unsure = self.unsure if earlier else revision
        self.unsure_until = now + SETTLING

    def renew(self, now: float) -> None:
        """One more revision is to be sent."""
        if self.state in ("sent", "dead"):
            self.since = now
        self.revision += 1
        self.failures, self.updated_at = 0, now

    def settle(self, revision: int, outcome: Outcome, now: float) -> None:
        self.lease_until, self.updated_at = 0.0, now
        self.attempts -= not outcome.tried
        self.failures += outcome.tried and outcome.state == "due"
        in_doubt = self.unsure_until > now and self.unsure < revision
        if self.revision == revision and outcome.state == "sent" and in_doubt:
            self.state, self.due_at = "due", self.unsure_until
        elif self.revision == revision:
            self.state, self.due_at = outcome.state, outcome.due_at
        if outcome.unsure:
            self.doubt(revision, now)


class Agreement(RuleBasedStateMachine):
    """Two processes of one store, and the model of it."""

    place: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Outbox] = [open_store(self.place) for _ in range(2)]
        self.rows: dict[str, Row] = {}
        self.claims: list[tuple[int, Claim]] = []
        self.now = 1000.0
        self.count = 0

    def teardown(self) -> None:
        for one in self.processes:
            one.close()

    @initialize()
    def begin(self) -> None:
        for name in ("a", "b"):
            self.put(0, name, 0.0)

    @rule(who=WHO, name=NAMES, wait=st.sampled_from([0.0, 0.0, 20.0]))
    def put(self, who: int, name: str, wait: float) -> None:
        self.count += 1
        text, due_at = f"{self.count}", self.now + wait
        row = self.rows.setdefault(name, Row(since=self.now))
        row.renew(self.now)
        row.text, row.state, row.due_at = text, "due", due_at
        assert put(self.processes[who], name, text, now=self.now, due_at=due_at) == row.revision

    @rule(who=WHO, name=NAMES, key=st.sampled_from(["x", "y"]))
    def enrich(self, who: int, name: str, key: str) -> None:
        self.count += 1
        changes = {"more": {key: self.count}}
        row = self.rows.setdefault(name, Row(since=self.now))
        row.changes = merged(row.changes, changes)
        if row.text is None:
            row.state, row.since, row.updated_at = "awaited", self.now, self.now
        else:
            row.renew(self.now)
            waits = row.state == "due" and row.due_at != row.unsure_until
            row.due_at = row.due_at if waits else self.now
            row.state = "due"
        assert self.processes[who].enrich(BASE, name, changes, now=self.now) == row.revision

    @rule(who=WHO, name=st.none() | NAMES, limit=st.integers(1, 3), seconds=SECONDS)
    def claim(self, who: int, name: str | None, limit: int, seconds: float) -> None:
        self.now += seconds
        expected = sorted(
            (one if name else row.due_at, one)
            for one, row in self.rows.items()
            if row.state == "due"
            and row.is_free(self.now)
            and (one == name or (name is None and row.due_at <= self.now))
        )
        claims = claim(self.processes[who], self.now, lease=LEASE, limit=limit, external_id=name)
        assert len(claims) == min(limit, len(expected))
        moments = [self.rows[one.external_id].due_at for one in claims]
        assert name or moments == [moment for moment, _ in expected[:limit]]
        for one in claims:
            row = self.rows[one.external_id]
            assert row.state == "due"
            assert row.is_free(self.now)
            if row.lease_until:
                row.doubt(row.flying, self.now)
            row.attempts, row.fence, row.flying = row.attempts + 1, one.fence, row.revision
            row.lease_until = self.now + LEASE
            assert (one.revision, one.attempts) == (row.revision, row.attempts)
            assert (one.failures, one.lease_until) == (row.failures, row.lease_until)
            body = {"call": {"externalId": one.external_id}, "text": row.text}
            assert json.loads(one.body()) == merged(body, row.changes)
            self.claims.append((who, one))

    @rule(who=WHO, name=NAMES, outcome=OUTCOMES, seconds=SECONDS)
    def attempt(self, who: int, name: str, outcome: str, seconds: float) -> None:
        """What mostly happens: a claim that is settled before anything else comes."""
        before = len(self.claims)
        self.claim(who, name, 1, seconds)
        if len(self.claims) > before:
            self.settle(-1, outcome, 0.0)

    @rule(which=st.integers(0, 9), outcome=OUTCOMES, seconds=SECONDS)
    def settle(self, which: int, outcome: str, seconds: float) -> None:
        self.now += seconds
        if not self.claims:
            return
        who, one = self.claims.pop(which % len(self.claims))
        ended = {
            "sent": SENT,
            "failed": failed(self.now + 5),
            "unsure": failed(self.now + 5, unsure=True),
            "dead": Outcome("dead", status=422),
            "back": Outcome("due", due_at=self.now, tried=False),
        }[outcome]
        row = self.rows.get(one.external_id, Row())
        held = row.fence == one.fence
        if held:
            row.settle(one.revision, ended, self.now)
        elif row.state == "sent" and row.revision > one.revision and outcome in ("sent", "unsure"):
            row.state, row.due_at, row.updated_at = "due", self.now, self.now
        assert settle(self.processes[who], one, ended, now=self.now) == held

    @rule(who=WHO)
    def hurry(self, who: int) -> None:
        for row in self.rows.values():
            if row.state == "due" and row.due_at > self.now and row.due_at != row.unsure_until:
                row.due_at = self.now
        self.processes[who].hurry(BASE, now=self.now)

    @rule(who=WHO, retain=st.sampled_from([0.0, 50.0]), max_age=st.sampled_from([150.0, 1e5, 1e5]))
    def maintain(self, who: int, retain: float, max_age: float) -> None:
        kept = {"sent": retain, "dead": DEAD_KEPT}
        gone = [
            name
            for name, row in self.rows.items()
            if row.state in kept
            and row.updated_at <= self.now - kept[row.state]
            and row.is_free(self.now)
            and row.unsure_until <= self.now
        ]
        for name in gone:
            del self.rows[name]
            self.claims = [one for one in self.claims if one[1].external_id != name]
        old = [
            row
            for row in self.rows.values()
            if row.state in ("due", "awaited")
            and row.is_free(self.now)
            and row.since <= self.now - max_age
        ]
        for row in old:
            row.state, row.updated_at = "dead", self.now
        outbox = self.processes[who]
        assert outbox.maintain(now=self.now, retain=retain, max_age=max_age) == len(old)

    @invariant()
    def both_tell_the_same(self) -> None:
        for outbox in self.processes:
            assert {
                one.external_id: (one.state, one.revision, one.attempts)
                for one in outbox.deliveries()
            } == {name: (row.state, row.revision, row.attempts) for name, row in self.rows.items()}
            waiting = [
                max(row.due_at, row.lease_until) for row in self.rows.values() if row.state == "due"
            ]
            assert outbox.next_due(BASE, gatekeeper=KEY) == min(waiting, default=None)


def check(machine: type[Agreement], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.exhaustive
def test_a_sqlite_outbox_does_what_the_model_does(tmp_path: Path):
    class InAFolder(Agreement):
        count_of_folders = 0

        def __init__(self) -> None:
            InAFolder.count_of_folders += 1
            InAFolder.place = str(tmp_path / f"outbox-{InAFolder.count_of_folders}")
            super().__init__()

    check(InAFolder, 120)


@pytest.mark.exhaustive
def test_a_postgres_outbox_does_what_the_model_does(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    # A busy machine is no server that does not answer.
    monkeypatch.setattr("zelto_agents.outbox.postgres.ANSWERS_WITHIN", 60.0)

    class InADatabase(Agreement):
        place = postgres.fresh_database()

        def __init__(self) -> None:
            super().__init__()
            with psycopg.connect(self.place) as raw:
                raw.execute("TRUNCATE zelto_agents.delivery, zelto_agents.gate CASCADE")

    check(InADatabase, 40)
    postgres.drop(InADatabase.place)
