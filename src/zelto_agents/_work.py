"""What the delivery thread does with what it is handed: redact, fold, write, send, keep house."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from anyio.abc import TaskGroup

from zelto_agents._adopt import document_of, with_cost
from zelto_agents._drain import Drainer
from zelto_agents._enrich import awaited_of, pending_of
from zelto_agents._house import House, guarded
from zelto_agents._items import (
    CallFacts,
    EgressOver,
    EncodedFacts,
    Enrichment,
    Flush,
    Item,
    Leaving,
    Sound,
    Upload,
)
from zelto_agents._living import Living
from zelto_agents._recordings import Recordings
from zelto_agents._redact import Redaction
from zelto_agents._sampling import sampled
from zelto_agents._sending import Sending
from zelto_agents._trouble import Trouble
from zelto_agents.contract import CANONICAL_PROVIDERS, CallIngest
from zelto_agents.facts import CallEnded, CallStarted, Fact, RecordingAwaited
from zelto_agents.outbox import Claim, Put
from zelto_agents.outbox.steady import AHEAD, SteadyOutbox
from zelto_agents.policy import Verdict
from zelto_agents.settings import Settings

__all__ = ["Work"]

logger = logging.getLogger("zelto_agents")

FACTS_OF_A_CALL = 100_000
SWEEP_EVERY = 10.0
FIRST_SWEEP = 1.0
BREATH = 0.1
# A better reason for the end follows within milliseconds, when one does.
SETTLING = 0.5
# The process that a call was in tries it first; sweeps of others come after that.
HEAD_START = 2.0


class Work:
    """What the thread does between two waits; everything here runs on its event loop.

    Args:
        settings: what to send with.
        outbox: where documents become durable.
        hosts: names and versions of the frameworks.
        trouble: says what goes wrong.
        wake: ends the thread's wait.
    """

    def __init__(
        self,
        settings: Settings,
        outbox: SteadyOutbox,
        hosts: Mapping[str, str],
        trouble: Trouble,
        wake: Callable[[], None],
    ) -> None:
        self.group: TaskGroup
        self._settings = settings
        self._outbox = outbox
        self._trouble = trouble
        self._redaction = Redaction(settings, trouble)
        self._wake = wake
        self._drainer = Drainer(
            outbox, settings, hosts=hosts, trouble=trouble, on_verdict=self._on_verdict
        )
        self._house = House(outbox, settings, self._drainer.gatekeeper)
        self._sending = Sending(
            self._drainer,
            trouble,
            is_busy=lambda: self.recordings.keeping,
            on_retry=lambda delay: self._sweep_in(delay + BREATH),
        )
        self.recordings = Recordings(
            outbox, settings, trouble, self._on_enriched, self._sending.answer
        )
        outbox.on_moved = self._sending.moved
        self._leads = False
        self._priced_before = False
        self._ended: dict[int, CallFacts] = {}
        self._unwritten: dict[int, CallFacts] = {}
        self._living = Living(trouble)
        self._slept = False
        self._sweeping = False
        # Imports and the first sweep wait, so that they do not compete with the call's own start.
        self._next_look = self._next_sweep = time.time() + FIRST_SWEEP

    def run_in(self, group: TaskGroup) -> None:
        """Let what takes time run in this group."""
        self.group = self.recordings.group = self._sending.group = group

    @property
    def _base_url(self) -> str:
        """Without a key nobody has said yet whose account the calls belong to, and where it is."""
        return (self._settings.base_url or "") if self._settings.api_key else ""

    def _guarded(self, what: str) -> contextlib.AbstractContextManager[None]:
        return guarded(self._trouble, what)

    def take(self, item: Item) -> None:
        """Take in one thing that was handed over."""
        with self._guarded("taking in"):
            match item:
                case (call, fact):
                    self._collect(call, fact)
                case Enrichment():
                    self._enrich(item)
                case EgressOver():
                    self.recordings.egress_over(item)
                case Sound():
                    self.recordings.write(item)
                case Upload():
                    self._upload(item)
                case Leaving():
                    for call, end in self._living.ends_of_silent():
                        self._collect(call, end)
                case Flush(done):
                    self.commit()
                    self._sending.flush(done)

    def _collect(self, call: CallFacts, fact: Fact) -> None:
        if call.skipped:
            return
        edge = isinstance(fact, CallStarted | CallEnded)
        if len(call.facts) >= FACTS_OF_A_CALL and not edge:
            call.dropped += 1
            self._trouble.problem("facts", "a call has too many facts; some are dropped")
            return
        call.facts.append(self._redaction.fact(fact, call.redact))
        if isinstance(fact, RecordingAwaited) and not call.ended:
            self.recordings.await_live(awaited_of([fact], self._base_url, call.external_id))
        if isinstance(fact, CallEnded):
            call.ended = True
        elif edge:
            self._living.started(call)
        # What comes after the end makes another revision.
        (self._ended if call.ended else self._unwritten)[id(call)] = call

    def _upload(self, item: Upload) -> None:
        external_id, body = item.encoded()
        if item.provider in CANONICAL_PROVIDERS and not sampled(external_id, self._settings.sample):
            logger.debug("call %s is not sampled: its upload is dropped", external_id)
            return
        self._put(Put(self._base_url, external_id, body, item.provider), 0.0)

    def commit(self) -> None:
        """Make the documents of calls that ended durable, and what is new of those that live."""
        for key, call in list(self._ended.items()):
            del self._ended[key]
            self._living.look(call)
            self._unwritten.pop(key, None)
            with self._guarded("finishing a call"):
                self._finish(call)
        for key, call in list(self._unwritten.items()):
            del self._unwritten[key]
            self._living.look(call)
            with self._guarded("writing a journal"):
                self._journal(call)

    def _journal(self, call: CallFacts) -> None:
        facts = EncodedFacts(call.facts)
        now = time.time()
        self._outbox.journal(call.journal, self._base_url, call.external_id, facts, now=now)

    def _finish(self, call: CallFacts) -> None:
        if not self._priced_before:  # the first import of a price list takes a third of a second
            self._priced_before = True
            self._journal(call)
        document = with_cost(document_of(call.facts, call.dropped), self._settings, call.prices)
        wire = document.wire()
        if self._is_skipped(call, document):
            return
        external_id = document.call.external_id
        self.recordings.expect(awaited_of(call.facts, self._base_url, external_id))
        if call.written == hash(wire):
            return
        settled = any(fact.settled for fact in call.facts if isinstance(fact, CallEnded))
        held = not document.has_agent and not self._settings.agent_id
        if held:
            self._trouble.problem(
                "agent",
                "call %s names no agent and is held: pass agent_id, or set ZELTO_AGENT_ID; "
                "it is sent once one is known",
                external_id,
            )
        put = Put(self._base_url, external_id, wire, call.provider, held=held, journal=call.journal)
        revision = self._put(put, 0.0 if settled else SETTLING)
        # Whoever took this process for dead while it slept has put a document of this very call.
        if call.written is None and revision % AHEAD > 1 and not self._has_slept():
            self._living.complain(external_id)
        call.written = hash(wire)

    def _is_skipped(self, call: CallFacts, document: CallIngest) -> bool:
        """Ask the host's filter, once; what it fails on is sent."""
        wanted, call.wanted = call.wanted, None
        try:
            call.skipped = wanted is not None and not wanted(document)
        except Exception as fault:  # noqa: BLE001 - the user's function
            name = type(fault).__name__
            self._trouble.problem(f"filter {name}", "filter failed (%s): the call is sent", name)
        if call.skipped:
            external_id = document.call.external_id
            self._outbox.skip(self._base_url, external_id, call.journal, now=time.time())
            self.recordings.drop(awaited_of(call.facts, self._base_url, external_id))
            call.facts.clear()
        return call.skipped

    def _on_enriched(self, external_id: str, revision: int) -> None:
        self._sending.changed(external_id, revision)
        self._sending.soon(external_id)

    def _has_slept(self) -> bool:
        self._slept = self._slept or time.time() > self._next_look + SWEEP_EVERY
        return self._slept

    def _put(self, put: Put, delay: float) -> int:
        now = time.time()
        put = replace(put, due_at=now + delay + HEAD_START)
        revision = self._outbox.put(put, now=now)
        if not revision:
            return 0  # another process's filter did not want it
        self._sending.changed(put.external_id, revision)
        if not put.held:
            self._sending.soon(put.external_id, delay)
        return revision

    def _enrich(self, item: Enrichment) -> None:
        external_id, now = item.external_id, time.time()
        if item.awaited:
            self.recordings.expect([pending_of(self._base_url, external_id, item.awaited)])
            if not item.changes:
                return
        changes = self._redaction.changes(item.changes)
        revision = self._outbox.enrich(self._base_url, external_id, changes, now=now)
        if revision:
            self._on_enriched(external_id, revision)
        elif not self._base_url:
            logger.warning(
                "the enrichment of call %s waits for a usable ZELTO_API_KEY and ZELTO_BASE_URL",
                external_id,
            )
        else:
            logger.warning(
                "no call %s is kept here (yet): its enrichment waits for it", external_id
            )

    def _on_verdict(self, claim: Claim, verdict: Verdict) -> None:
        self._house.telemetry.attempted(verdict.action)
        self._sending.settled(claim, verdict)

    def keep_house(self) -> float:
        """Look after the outbox and start a sweep when it is time to; the seconds until then."""
        now = time.time()
        if now >= self._next_look or now < self._next_look - SWEEP_EVERY:
            self._has_slept()
            self._next_look = now + SWEEP_EVERY
            with self._guarded("keeping house"):
                self._leads, adopted = self._house.look()
                if adopted or self._leads:
                    self._next_sweep = now
        if now >= self._next_sweep and not self._sweeping:
            self._next_sweep = now + SWEEP_EVERY
            self._sweeping = True
            self.group.start_soon(self._sweep)
        # A sweep that runs wakes us when it is over; the next one must not be waited for till then.
        due = self._next_look if self._sweeping else min(self._next_look, self._next_sweep)
        return due - now

    async def _sweep(self) -> None:
        try:
            with self._guarded("sweeping"):
                await self._drainer.warm_up()
                if self._leads:
                    self.group.start_soon(self.recordings.look)
                    await self._send_due()
        finally:
            self._sweeping = False
            self._sending.answer()
            self._wake()

    async def _send_due(self) -> None:
        if self._drainer.can_send:
            due_in = 0.0
            with self._guarded("looking at what is due"):
                due_in = self._house.due_in(SWEEP_EVERY)
            if due_in <= 0:
                await self._drainer.sweep()
                due_in = self._house.due_in(SWEEP_EVERY)
            self._sweep_in(max(due_in, BREATH))

    def _sweep_in(self, seconds: float) -> None:
        self._next_sweep = min(self._next_sweep, time.time() + seconds)
        self._wake()

    async def aclose(self) -> None:
        """Close the client and the store."""
        with self._guarded("closing"):
            await self._drainer.aclose()
        with self._guarded("closing"):
            await self.recordings.aclose()
        with self._guarded("closing"):
            self._house.close()
        with self._guarded("closing"):
            self._outbox.close()
