"""The outbox that is always there: engines behind one another, the last of them in memory."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zelto_agents.outbox import (
    Claim,
    Delivery,
    Gate,
    Gatekeeper,
    Orphan,
    OutboxError,
    Outcome,
    Pending,
    Put,
    State,
    Stats,
)
from zelto_agents.outbox._engine import Engine
from zelto_agents.outbox._moving import Kept
from zelto_agents.outbox._tiers import Tier, Tiers
from zelto_agents.outbox.sqlite import SqliteOutbox

__all__ = ["AHEAD", "SteadyOutbox", "Tier"]

# Where these lie, only the processes of this host can say.
LOCAL = ("file", "audio")
# Revisions of each further engine count from here on: newer than whatever is before it.
AHEAD = 1_000_000
MOVING = 30.0
# Batches that move home in one go: what the thread does meanwhile waits.
MOVED_AT_ONCE = 4


class SteadyOutbox:
    """An ``Outbox`` that does not raise: what one engine refuses is kept by the next until it can.

    Args:
        tiers: the engines in order; one in memory comes after them.
        complain: is told of each fault, and in which of the tiers.
    """

    def __init__(self, tiers: Sequence[Tier], complain: Callable[[OutboxError, int], None]) -> None:
        self._tiers = Tiers([*tiers, Tier(lambda: SqliteOutbox(None))], complain)
        self._strayed: dict[tuple[str, str], int] = {}
        self._journals: defaultdict[str, set[int]] = defaultdict(set)
        self._ending: dict[tuple[str, str], str] = {}
        self._orphans: dict[str, int] = {}
        self.on_moved: Callable[[str, int], None] = lambda *_: None
        """Is told of each call that moves home, with the revision that it has there."""

    @property
    def ill(self) -> bool:
        """Whether the first engine failed when it was last asked."""
        return self._tiers.each[0].next_rest > 0

    def _keep(
        self, base_url: str, external_id: str, work: Callable[[Engine], int]
    ) -> tuple[int, int]:
        """Where it could be kept, and the revision: not before where a newer one already is."""
        key = (base_url, external_id)
        for index in range(self._strayed.get(key, 0), len(self._tiers.each)):
            revision = self._tiers.ask(index, work)
            if revision is not None:
                if index:
                    self._strayed[key] = index
                return index, revision and revision + index * AHEAD
        raise OutboxError("a call could not even be kept in memory")

    def put(self, put: Put, *, now: float) -> int:
        """See ``Outbox.put``.

        Raises:
            OutboxError: even the memory that it may use is full.
        """
        index, revision = self._keep(
            put.base_url, put.external_id, lambda engine: engine.put(put, now=now)
        )
        if put.journal is not None:
            key = (put.base_url, put.external_id)
            self._ending[key] = put.journal
            if index < self._tiers.last:
                self._end_journal(key, index)
        return revision

    def _end_journal(self, key: tuple[str, str], kept_in: int | None = None) -> None:
        """A document that is only in memory keeps its journal, until it is safe elsewhere."""
        call = self._ending.pop(key, None)
        if call is not None:
            for other in self._journals.pop(call, set()) - {kept_in}:
                self._tiers.each[other].stale_journals.add(call)
            self._forget_journals()

    def enrich(
        self, base_url: str, external_id: str, changes: Mapping[str, Any], *, now: float
    ) -> int:
        """See ``Outbox.enrich``."""
        return self._keep(
            base_url,
            external_id,
            lambda engine: engine.enrich(base_url, external_id, changes, now=now),
        )[1]

    def skip(self, base_url: str, external_id: str, journal: str, *, now: float) -> None:
        """See ``Outbox.skip``."""

        def skip(engine: Engine) -> int:
            engine.skip(base_url, external_id, journal, now=now)
            return 0

        index, _ = self._keep(base_url, external_id, skip)
        self._ending[base_url, external_id] = journal
        self._end_journal((base_url, external_id), index)

    def expect(self, awaited: Pending, *, now: float, live: bool = False) -> bool:
        """See ``Outbox.expect``; where a file lies, only this host's own engine knows."""
        places = list(range(len(self._tiers.each)))
        if awaited.kind in LOCAL and len(places) > 2:
            places = [*places[1:], 0]
        for index in places:
            new = self._tiers.ask(index, lambda engine: engine.expect(awaited, now=now, live=live))
            if new is not None:
                return new
        return False

    def claim_pending(
        self, base_url: str, *, now: float, lease: float, limit: int = 1
    ) -> list[Pending]:
        """See ``Outbox.claim_pending``."""
        found: list[Pending] = []
        for index, here in self._tiers.ask_all(
            lambda engine: engine.claim_pending(base_url, now=now, lease=lease, limit=limit)
        ):
            found += self._placed(index, here)
        return found

    def settle_pending(self, outcome: Pending, *, now: float) -> bool:
        """See ``Outbox.settle_pending``."""
        number, index = divmod(outcome.id, len(self._tiers.each))
        mine = replace(outcome, id=number)
        return bool(self._tiers.ask(index, lambda engine: engine.settle_pending(mine, now=now)))

    def pending(self) -> list[Pending]:
        """See ``Outbox.pending``."""
        found: list[Pending] = []
        for index, here in self._tiers.ask_all(lambda engine: engine.pending()):
            found += self._placed(index, here)
        return found

    def _placed(self, index: int, here: list[Pending]) -> list[Pending]:
        """With the tier in its number, for ``settle_pending``."""
        return [replace(one, id=one.id * len(self._tiers.each) + index) for one in here]

    def claim(
        self,
        base_url: str,
        *,
        now: float,
        lease: float,
        limit: int = 1,
        gatekeeper: Gatekeeper,
        external_id: str | None = None,
    ) -> list[Claim]:
        """See ``Outbox.claim``; from the first tier first."""
        claims: list[Claim] = []
        for index in self._tiers.in_use():
            found = self._tiers.ask(
                index,
                lambda engine: engine.claim(
                    base_url,
                    now=now,
                    lease=lease,
                    limit=limit - len(claims),
                    gatekeeper=gatekeeper,
                    external_id=external_id,
                ),
            )
            for claim in found or []:
                self._take(claim, index, claims, now + lease)
            if len(claims) >= limit:
                break
        return claims

    def _take(self, claim: Claim, index: int, claims: list[Claim], later: float) -> None:
        claim = _ahead(claim, index)
        if self._strayed.get((claim.base_url, claim.external_id), 0) > index:
            # A newer revision is elsewhere: this one waits, and is replaced by it.
            self.settle([(claim, Outcome("due", due_at=later, tried=False))], now=time.time())
        else:
            claims.append(claim)

    def settle(self, results: Sequence[tuple[Claim, Outcome]], *, now: float) -> list[bool]:
        """See ``Outbox.settle``; an answer that cannot be noted costs a second, harmless send."""
        noted = dict.fromkeys(range(len(results)), False)
        for index in {claim.revision // AHEAD for claim, _ in results}:
            places = [i for i, (claim, _) in enumerate(results) if claim.revision // AHEAD == index]
            mine = [
                (replace(results[i][0], revision=results[i][0].revision % AHEAD), results[i][1])
                for i in places
            ]
            answers = self._tiers.ask(index, lambda engine: engine.settle(mine, now=now))  # noqa: B023 - called at once
            noted.update(zip(places, answers or [], strict=False))
            if index == self._tiers.last:
                for claim, outcome in mine:
                    if outcome.state in ("sent", "dead"):
                        self._end_journal((claim.base_url, claim.external_id))
        return list(noted.values())

    def journal(
        self, call: str, base_url: str, external_id: str, facts: Sequence[bytes], *, now: float
    ) -> None:
        """See ``Outbox.journal``; in memory there is none, as it would die with the process."""

        def append(engine: Engine) -> bool:
            engine.journal(call, base_url, external_id, facts, now=now)
            return True

        for index in range(self._tiers.last):
            if self._tiers.ask(index, append):
                self._tiers.each[index].stale_journals.discard(call)
                for other in self._journals[call] - {index}:
                    self._tiers.each[other].stale_journals.add(call)
                    self._forget_journals()
                self._journals[call] = {index}
                return

    def _forget_journals(self) -> None:
        for index, tier in enumerate(self._tiers.each):
            for call in list(tier.stale_journals):

                def forget(engine: Engine, call: str = call) -> bool:
                    engine.forget_journal(call)
                    return True

                if self._tiers.ask(index, forget):
                    tier.stale_journals.discard(call)

    def beat(self, *, now: float) -> None:
        """See ``Outbox.beat``."""
        self._tiers.ask_all(lambda engine: engine.beat(now=now))

    def orphans(self, *, now: float, limit: int = 10) -> list[Orphan]:
        """See ``Outbox.orphans``."""
        found: list[Orphan] = []
        for index, here in self._tiers.ask_all(lambda engine: engine.orphans(now=now, limit=limit)):
            self._orphans.update({orphan.journal: index for orphan in here})
            found += here
        return found

    def adopt(self, put: Put, *, seen_at: float, now: float) -> int:
        """See ``Outbox.adopt``; where the journal is, from where the document moves home."""
        index = self._orphans.pop(put.journal or "", 0)
        revision = self._tiers.ask(
            index, lambda engine: engine.adopt(put, seen_at=seen_at, now=now)
        )
        return revision + index * AHEAD if revision else 0

    def lead(self, base_url: str, *, now: float, gatekeeper: Gatekeeper) -> bool:
        """See ``Outbox.lead``; with anything that is not where it should be, this process does."""
        leads = self._tiers.ask(
            0, lambda engine: engine.lead(base_url, now=now, gatekeeper=gatekeeper)
        )
        return leads is not False or bool(self._strayed)

    def gate(self, base_url: str) -> Gate:
        """See ``Outbox.gate``."""
        return self._tiers.ask(0, lambda engine: engine.gate(base_url)) or Gate()

    def hurry(self, base_url: str, *, now: float) -> None:
        """See ``Outbox.hurry``."""
        self._tiers.ask_all(lambda engine: engine.hurry(base_url, now=now))

    def next_due(self, base_url: str, *, gatekeeper: Gatekeeper) -> float | None:
        """See ``Outbox.next_due``; what strayed moves home first, if it can."""
        self._move_home()
        moments = self._tiers.ask_all(
            lambda engine: engine.next_due(base_url, gatekeeper=gatekeeper)
        )
        return min((moment for _, moment in moments if moment is not None), default=None)

    def deliveries(self, base_url: str | None = None) -> list[Delivery]:
        """See ``Outbox.deliveries``."""
        found: list[Delivery] = []
        for _, here in self._tiers.ask_all(lambda engine: engine.deliveries(base_url)):
            found += here
        return found

    def stats(self) -> Stats:
        """See ``Outbox.stats``."""
        known = [stats for _, stats in self._tiers.ask_all(lambda engine: engine.stats())]
        counts: Counter[State] = Counter()
        for stats in known:
            counts.update(stats.counts)
        since = [stats.waiting_since for stats in known if stats.waiting_since is not None]
        return Stats(
            counts,
            attempts=sum(stats.attempts for stats in known),
            size=sum(stats.size for stats in known),
            waiting_since=min(since, default=None),
        )

    def readdress(self, base_url: str, *, now: float) -> int:
        """See ``Outbox.readdress``."""
        return self._tiers.ask(0, lambda engine: engine.readdress(base_url, now=now)) or 0

    def maintain(self, *, now: float, retain: float, max_age: float) -> int:
        """See ``Outbox.maintain``."""
        self._forget_journals()
        self._move_home()
        dead = self._tiers.ask_all(
            lambda engine: engine.maintain(now=now, retain=retain, max_age=max_age)
        )
        return sum(expired for _, expired in dead)

    def _move_home(self, batches: int = MOVED_AT_ONCE) -> None:
        """What a later engine had to keep goes to the first one that is well."""
        for index, tier in enumerate(self._tiers.each[1:], 1):
            if tier.engine is None and not tier.left():
                continue
            home = self._tiers.first_well(before=index)
            if home is None:
                continue
            for _ in range(batches):
                now = time.time()
                kept = self._tiers.ask(index, lambda engine: engine.withdraw(now=now, lease=MOVING))  # noqa: B023 - called at once
                if not kept or not self._move(kept, index, home, now):
                    break
            self._forget_strays(index)
            self._move_pending(index, home)

    def _move_pending(self, index: int, home: int) -> None:
        """What is awaited of files of this host stays in the host's own engine."""
        for one in self._tiers.ask(index, lambda engine: engine.pending()) or []:
            stays = one.kind in LOCAL and index < self._tiers.last
            if stays or one.state != "waiting" or one.lease_until:
                continue
            there = self._tiers.ask(home, lambda engine: engine.expect(one, now=one.created_at))  # noqa: B023 - called at once
            if there is not None:
                self._tiers.ask(index, lambda engine: engine.drop_pending(one.id))  # noqa: B023 - called at once

    def _forget_strays(self, index: int) -> None:
        """What was purged where it had strayed to need not be looked for there any more."""
        here = {key for key, where in self._strayed.items() if where == index}
        if here:
            left = self._tiers.ask(index, lambda engine: engine.deliveries())
            if left is not None:
                for key in here - {(one.base_url, one.external_id) for one in left}:
                    del self._strayed[key]

    def _move(self, kept: Sequence[Kept], index: int, home: int, now: float) -> bool:
        """Whether all of it could move; what could not can be sent from where it is."""
        for place, one in enumerate(kept):
            if not self._moved(one, index, home, now):
                back = [
                    (_ahead(left.claim, index), Outcome(left.state, left.due_at, tried=False))
                    for left in kept[place:]
                ]
                self.settle(back, now=now)
                return False
        return True

    def _moved(self, kept: Kept, index: int, home: int, now: float) -> bool:
        revision = self._tiers.ask(home, lambda engine: engine.restore(kept, now=now))
        if revision is None:
            return False
        if self._tiers.ask(index, lambda engine: engine.forget(kept.claim)):
            key = (kept.claim.base_url, kept.claim.external_id)
            if home:
                self._strayed[key] = home
            else:
                self._strayed.pop(key, None)
            self._end_journal(key)
        self.on_moved(kept.claim.external_id, revision + home * AHEAD)
        return True

    def close(self) -> None:
        """Release every engine, with all that could move home; memory ends with the process."""
        for tier in self._tiers.each:
            tier.ill_until = float("-inf")
        self._forget_journals()
        self._move_home(batches=sys.maxsize)
        for index, tier in enumerate(self._tiers.each[:-1]):
            if tier.engine is not None:
                self._tiers.ask(index, lambda engine: engine.close())
                tier.engine = None


def _ahead(claim: Claim, index: int) -> Claim:
    """With the revision by which it is known outside."""
    return replace(claim, revision=claim.revision + index * AHEAD)
