"""Adoption: the calls of processes that died are finished from their journals."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zelto_agents._enrich import awaited_of, recordings_of
from zelto_agents._trouble import Trouble
from zelto_agents.contract import CallIngest
from zelto_agents.facts import AgentKnown, CallEnded, CallStarted, Fact, MetadataKnown, decoded
from zelto_agents.fold import fold
from zelto_agents.outbox import Orphan, Outbox, Pending, Put
from zelto_agents.outbox.steady import LOCAL
from zelto_agents.settings import Settings

if TYPE_CHECKING:
    from zelto_agents.cost import Prices

__all__ = ["DIED", "adopt", "document_of", "with_cost"]

logger = logging.getLogger("zelto_agents")

DIED = "agent-process-died"

_trouble = Trouble()


def adopt(outbox: Outbox, settings: Settings, now: float) -> int:
    """Put the documents of all calls whose process is gone; how many that were."""
    adopted, seen = 0, set[str]()
    while orphans := [o for o in outbox.orphans(now=now) if o.journal not in seen]:
        for orphan in orphans:
            seen.add(orphan.journal)
            put = _put(orphan, settings)
            for awaited in _awaited(orphan, settings):
                outbox.expect(awaited, now=now)
            if outbox.adopt(put, seen_at=orphan.seen_at, now=now):
                adopted += 1
                logger.warning(
                    "call %s was cut off when its process died; what is known up to %s %s",
                    orphan.external_id,
                    time.strftime("%H:%M:%S", time.localtime(orphan.seen_at)),
                    _prospect(put, settings),
                )
    return adopted


def _prospect(put: Put, settings: Settings) -> str:
    if put.held:
        return "is held until an agent is named"
    return "is sent" if settings.api_key else "is kept until there is a usable key"


def _awaited(orphan: Orphan, settings: Settings) -> list[Pending]:
    """Its recordings; but not the files of another host, which that host's processes know of."""
    end = CallEnded(at=orphan.seen_at)
    found = awaited_of([*_facts(orphan), end], orphan.base_url, orphan.external_id)
    if settings.postgres is None:
        return found
    folder = recordings_of(settings)
    return [p for p in found if p.kind not in LOCAL or (folder / p.reference).exists()]


def _facts(orphan: Orphan) -> list[Fact]:
    return [fact for fact in map(decoded, orphan.facts) if fact is not None]


def _put(orphan: Orphan, settings: Settings) -> Put:
    facts = _facts(orphan)
    if not any(isinstance(fact, CallStarted) for fact in facts):
        facts.insert(0, CallStarted(at=orphan.seen_at, external_id=orphan.external_id))
    seen_at = max(orphan.seen_at, *(fact.at for fact in facts))
    last = max(fact.seq for fact in facts)
    if not any(isinstance(fact, CallEnded) for fact in facts):  # else it died a moment later
        facts.append(CallEnded(at=seen_at, seq=last + 1, reason=DIED))
    document = with_cost(document_of(facts), settings)
    start = next(fact for fact in facts if isinstance(fact, CallStarted))
    return Put(
        orphan.base_url,
        orphan.external_id,
        document.wire(),
        start.provider,
        held=not document.has_agent and not settings.agent_id,
        journal=orphan.journal,
    )


def document_of(facts: Sequence[Fact], dropped: int = 0) -> CallIngest:
    """The call's document; should ever a fact defeat the fold, then at least that it took place.

    Args:
        facts: of one call, its start among them.
        dropped: how many more there were.
    """
    if dropped:
        note = {"zelto": {"droppedFacts": dropped}}
        facts = [*facts, MetadataKnown(at=facts[-1].at, seq=facts[-1].seq, values=note)]
    try:
        return fold(facts)
    except Exception as fault:  # noqa: BLE001 - a call must not be lost by our own fault
        logger.error("a call could not be put together (%s)", type(fault).__name__)
        bare = [f for f in facts if isinstance(f, CallStarted | AgentKnown | CallEnded)]
        told = {"zelto": {"fault": type(fault).__name__}}
        return fold([*bare, MetadataKnown(at=bare[0].at, seq=bare[-1].seq, values=told)])


def with_cost(document: CallIngest, settings: Settings, prices: Prices | None = None) -> CallIngest:
    """The document with what its call cost; without it, should that ever fail.

    Args:
        document: of a call that is over.
        settings: where prices are that every process has.
        prices: that the host gave for this call; they beat those.
    """
    metadata = document.metadata or {}
    if not metadata.keys() & {"zelto", "livekit", "pipecat", "telephony"}:
        return document
    try:
        from zelto_agents.cost import OwnPrices, priced

        own = OwnPrices.chosen(prices, settings.prices)
        for path, why in own.problems.items():
            _trouble.problem(path, "a price of yours is not usable: %s: %s", path, why)
        return priced(document, own)
    except Exception as fault:  # noqa: BLE001 - a call must not be lost by our own fault
        _trouble.problem("cost", "a call could not be priced (%s)", type(fault).__name__)
        return document
