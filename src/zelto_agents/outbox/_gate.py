"""The gate: one row for a base URL, by which an outage costs one probe at a time for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from zelto_agents._frozen import frozen
from zelto_agents.outbox import Gate, Gatekeeper, Outcome
from zelto_agents.outbox import _statements as sql
from zelto_agents.outbox._database import Database
from zelto_agents.policy import HELD_PROBE, MISDIRECTED_PROBE, probe_after

__all__ = [
    "FAILURES_THAT_CLOSE",
    "Known",
    "after",
    "hurry",
    "known",
    "lead",
    "note",
    "probe",
]

FAILURES_THAT_CLOSE = 3
LEADS = 30.0

_GATE = """
SELECT away, closed_until, failures, key_mark, probe_until, leader, leader_until, leader_mark,
  leader_agent
FROM gate WHERE base_url = :base_url
"""
_SET_GATE = """
INSERT INTO gate (base_url, away, closed_until, failures, key_mark)
VALUES (:base_url, :away, :closed_until, :failures, :key_mark)
ON CONFLICT (base_url) DO UPDATE SET away = :away, closed_until = :closed_until,
  failures = :failures, key_mark = :key_mark, probe_until = 0, prober = ''
"""
_FREE_PROBE = """
UPDATE gate SET prober = '', probe_until = 0 WHERE base_url = :base_url AND prober = :holder
"""
_TAKE_PROBE = """
UPDATE gate SET prober = :holder, probe_until = :lease_until
WHERE base_url = :base_url AND probe_until <= :now
"""
_LEAD = """
INSERT INTO gate (base_url, leader, leader_until, leader_mark, leader_agent)
VALUES (:base_url, :holder, :lease_until, :mark, :agent)
ON CONFLICT (base_url) DO UPDATE SET leader = :holder, leader_until = :lease_until,
  leader_mark = :mark, leader_agent = :agent
WHERE gate.leader = :seen
"""


@frozen
class Known:
    """The gate as it is stored, with who probes and who leads."""

    gate: Gate = field(default_factory=Gate)
    probe_until: float = 0.0
    leader: str = ""
    leader_until: float = 0.0
    leader_mark: str | None = None
    leader_agent: str | None = None

    def is_open(self, gatekeeper: Gatekeeper) -> bool:
        """Whether this key may send without asking."""
        gate = self.gate
        return gate.away is None or (gate.away == "key" and gate.key_mark != gatekeeper.key_mark)


def known(db: Database, base_url: str, *, lock: str = "") -> Known:
    """What is stored of this base URL."""
    row = db.execute(_GATE + lock, {"base_url": base_url}).fetchone()
    return Known(Gate(*row[:4]), *row[4:]) if row else Known()


def after(gate: Gate, outcome: Outcome, now: float) -> Gate:
    """The gate after one more answer."""
    if not outcome.tried:
        return gate
    if outcome.away is None:
        return Gate()
    if outcome.away == "key":
        return Gate("key", now + HELD_PROBE, key_mark=outcome.key_mark)
    if outcome.away == "base_url":
        return Gate("base_url", now + MISDIRECTED_PROBE)
    if gate.away == "outage" and gate.closed_until > now:
        # A straggler from before: the outage is known, but not how long it was asked to wait.
        until = max(gate.closed_until, now + outcome.wait)
        return Gate("outage", until, gate.failures)
    if gate.away in ("key", "base_url"):
        # Neither a straggler nor another key says anything about that.
        return replace(gate, closed_until=max(gate.closed_until, now + probe_after(0)))
    failures = max(gate.failures + 1, FAILURES_THAT_CLOSE if gate.away else 0)
    if outcome.wait:
        return Gate("outage", now + outcome.wait, failures)
    if failures < FAILURES_THAT_CLOSE:
        return Gate(failures=failures)
    return Gate("outage", now + probe_after(failures - FAILURES_THAT_CLOSE), failures)


def note(db: Database, base_url: str, holder: str, outcomes: Sequence[Outcome], now: float) -> None:
    """Store what the answers say of the base URL; the first success frees all that failed."""
    before = known(db, base_url).gate
    if not any(outcome.tried for outcome in outcomes):
        if before.away:
            db.execute(_FREE_PROBE, {"base_url": base_url, "holder": holder})
        return
    if _after_all(before, outcomes, now) == before and not before.away:
        return
    before = known(db, base_url, lock=db.lock).gate
    gate = _after_all(before, outcomes, now)
    _store(db, base_url, gate)
    if before.away and not gate.away:
        _hurry(db, base_url, now, failures=1)


def _after_all(gate: Gate, outcomes: Sequence[Outcome], now: float) -> Gate:
    for outcome in outcomes:
        gate = after(gate, outcome, now)
    return gate


def hurry(db: Database, base_url: str, now: float) -> None:
    """See ``Outbox.hurry``."""
    _store(db, base_url, Gate())
    while _hurry(db, base_url, now, failures=0) == sql.AT_ONCE:
        pass


def _hurry(db: Database, base_url: str, now: float, failures: int) -> int:
    values = {"base_url": base_url, "now": now, "failures": failures, "at_once": sql.AT_ONCE}
    return db.execute(sql.HURRY.format(skip=db.skip), values).rowcount


def _store(db: Database, base_url: str, gate: Gate) -> None:
    values = {
        "base_url": base_url,
        "away": gate.away,
        "closed_until": gate.closed_until,
        "failures": gate.failures,
        "key_mark": gate.key_mark,
    }
    db.execute(_SET_GATE, values)


def probe(db: Database, base_url: str, holder: str, *, now: float, lease_until: float) -> bool:
    """Whether this process may send the one probe."""
    values = {"base_url": base_url, "holder": holder, "now": now, "lease_until": lease_until}
    return db.execute(_TAKE_PROBE, values).rowcount == 1


def lead(db: Database, base_url: str, holder: str, *, now: float, gatekeeper: Gatekeeper) -> bool:
    """Be the one that sweeps, if nobody is, or if the one that is could not send what this can."""
    state = known(db, base_url)
    refused = (
        state.gate.away == "key" and state.leader_mark == state.gate.key_mark != gatekeeper.key_mark
    )
    agentless = gatekeeper.agent_id is not None and state.leader_agent is None
    leads = state.leader not in ("", holder) and state.leader_until > now
    if leads and not refused and not agentless:
        return False
    known_as = (state.leader, state.leader_mark, state.leader_agent)
    if known_as == (holder, gatekeeper.key_mark, gatekeeper.agent_id) and (
        LEADS / 2 < state.leader_until - now <= LEADS
    ):
        return True  # what is written each time costs more than what is read
    values = {
        "base_url": base_url,
        "holder": holder,
        "seen": state.leader,
        "lease_until": now + LEADS,
        "mark": gatekeeper.key_mark,
        "agent": gatekeeper.agent_id,
    }
    return db.execute(_LEAD, values).rowcount == 1
