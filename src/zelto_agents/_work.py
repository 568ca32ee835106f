"""What the delivery thread does with what it is handed: redact, fold, write, send, keep house."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import TaskGroup
from pydantic import ValidationError

from zelto_agents._drain import Drainer, Trouble
from zelto_agents.contract import CallIngest, describe, plain_json
from zelto_agents.facts import CallEnded, CallStarted, Fact, redacted
from zelto_agents.fold import fold
from zelto_agents.outbox import HeldFor, Outbox, OutboxError
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.settings import Settings

__all__ = ["CallFacts", "Enrichment", "Flush", "Item", "Upload", "Work"]

logger = logging.getLogger("zelto_agents")

FACTS_MAX = 100_000
SWEEP_EVERY = 5.0
FIRST_SWEEP = 1.0
MAINTAIN_EVERY = 60.0
# A better reason for the end follows within milliseconds, when one does.
SETTLING = 0.5


@dataclass(slots=True, eq=False)
class CallFacts:
    """The facts of one call so far; only the delivery thread looks inside."""

    redact: Callable[[str], str] | None = None
    facts: list[Fact] = field(default_factory=list[Fact])
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Changes to a document, as wire JSON, for a call that may be long over."""

    external_id: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A body of the host's own, for ``X-Zelto-Provider``."""

    body: Mapping[str, Any] | bytes | CallIngest
    provider: str

    def encoded(self) -> tuple[str, bytes]:
        """The delivery's id and the body as JSON; a native body is known by its content."""
        if isinstance(self.body, CallIngest):
            return self.body.call.external_id, self.body.wire()
        body = self.body
        if not isinstance(body, bytes):
            body = json.dumps(plain_json(body), separators=(",", ":")).encode()
        if self.provider in ("zelto", "livekit"):
            try:
                return CallIngest.model_validate_json(body).call.external_id, body
            except ValidationError as fault:
                faults = "; ".join(f"{f['path']}: {f['message']}" for f in describe(fault))
                logger.error("an uploaded body does not keep to the contract: %s", faults)
        return f"{self.provider}-{hashlib.sha256(body).hexdigest()[:32]}", body


@dataclass(frozen=True, slots=True)
class Flush:
    done: Future[bool]


Item = tuple[CallFacts, Fact] | Enrichment | Upload | Flush


class Work:
    """What the thread does between two waits; everything here runs on its event loop."""

    def __init__(
        self,
        settings: Settings,
        hosts: Mapping[str, str],
        trouble: Trouble,
        wake: Callable[[], None],
    ) -> None:
        self._wake = wake
        self.group: TaskGroup
        self._settings = settings
        self._trouble = trouble
        self._outbox = self._open()
        self._memory: Outbox | None = None
        self._drainer = Drainer(settings, hosts=hosts, trouble=trouble)
        self._ended: dict[int, CallFacts] = {}
        self._flushes: list[Future[bool]] = []
        self._sending: dict[str, anyio.Event] = {}
        self._renewed: set[str] = set()
        self._unsent: set[str] = set()
        self._sweeping = False
        # Imports and the first sweep wait, so that they do not compete with the call's own start.
        self._next_sweep = time.time() + FIRST_SWEEP
        self._swept = False
        self._next_maintenance = 0.0
        with self._guarded("start"):
            if self._base_url:
                self._outbox.readdress(self._base_url, now=time.time())

    @property
    def _base_url(self) -> str:
        return self._settings.base_url or ""

    def _open(self) -> Outbox:
        try:
            return SqliteOutbox(self._settings.outbox, max_bytes=self._settings.outbox_max_bytes)
        except Exception as fault:  # noqa: BLE001 - whatever the disk does, the call goes on
            self._trouble.say(
                logging.ERROR,
                "open",
                "calls are kept in memory only and are lost if this process dies: %s",
                fault,
            )
            return SqliteOutbox(None)

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        try:
            yield
        except OutboxError as fault:
            self._trouble.say(logging.ERROR, f"{what} {fault}", "%s: %s", what, fault)
        except Exception as fault:  # noqa: BLE001 - our own faults stay ours
            self._trouble.say(
                logging.ERROR,
                what,
                "%s failed inside zelto-agents (%s); the agent is not affected",
                what,
                type(fault).__name__,
            )

    def take(self, item: Item) -> None:
        """Take in one thing that was handed over."""
        with self._guarded("taking in"):
            match item:
                case (call, fact):
                    self._collect(call, fact)
                case Enrichment(external_id, changes):
                    self._enrich(external_id, changes)
                case Upload():
                    self._put(*item.encoded(), item.provider, 0.0, None)
                case Flush(done):
                    self.commit()
                    for hurry in self._sending.values():
                        hurry.set()
                    self._flushes.append(done)
                    self._answer_flushes()

    def _collect(self, call: CallFacts, fact: Fact) -> None:
        if len(call.facts) >= FACTS_MAX:
            call.dropped += 1
            return
        call.facts.append(redacted(fact, call.redact) if call.redact else fact)
        if isinstance(fact, CallEnded):
            self._ended[id(call)] = call

    def commit(self) -> None:
        """Fold the calls that ended and make their documents durable."""
        for call in list(self._ended.values()):
            del self._ended[id(call)]
            with self._guarded("finishing a call"):
                self._finish(call)

    def _finish(self, call: CallFacts) -> None:
        document = fold(call.facts)
        external_id = document.call.external_id
        ends = [fact for fact in call.facts if isinstance(fact, CallEnded)]
        starts = [fact for fact in call.facts if isinstance(fact, CallStarted)]
        delay = 0.0 if any(end.settled for end in ends) else SETTLING
        held: HeldFor | None = None
        if not document.has_agent and not self._settings.agent_id:
            held = "agent"
            self._trouble.say(
                logging.ERROR,
                "agent",
                "call %s names no agent and is held: pass agent_id, or set ZELTO_AGENT_ID; "
                "it is sent once one is known",
                external_id,
            )
        provider = starts[0].provider if starts else "zelto"
        self._put(external_id, document.wire(), provider, delay, held)

    def _put(
        self, external_id: str, body: bytes, provider: str, delay: float, held: HeldFor | None
    ) -> None:
        now = time.time()
        outbox = self._outbox
        arguments: dict[str, Any] = {
            "provider": provider,
            "now": now,
            "due_at": now + delay,
            "held_for": held,
        }
        try:
            outbox.put(self._base_url, external_id, body, **arguments)
        except OutboxError as fault:
            self._trouble.say(
                logging.ERROR,
                "put",
                "call %s could not be made durable, it is sent from memory: %s",
                external_id,
                fault,
            )
            self._memory = outbox = self._memory or SqliteOutbox(None)
            outbox.put(self._base_url, external_id, body, **arguments)
        self._unsent.add(external_id)
        if not held:
            self._send_soon(outbox, external_id, delay)

    def _enrich(self, external_id: str, changes: Mapping[str, Any]) -> None:
        state = self._outbox.enrich(self._base_url, external_id, changes, now=time.time())
        if state == "due":
            self._send_soon(self._outbox, external_id, 0.0)

    def _send_soon(self, outbox: Outbox, external_id: str, delay: float) -> None:
        """One direct attempt; a revision that comes meanwhile goes out right after."""
        self._unsent.add(external_id)
        if external_id in self._sending:
            self._renewed.add(external_id)
            if not delay:
                self._sending[external_id].set()
            return
        self._sending[external_id] = anyio.Event()
        self.group.start_soon(self._attempt, outbox, external_id, delay)

    async def _attempt(self, outbox: Outbox, external_id: str, delay: float) -> None:
        try:
            if delay:
                with anyio.move_on_after(delay):
                    await self._sending[external_id].wait()
            again = True
            while again:
                self._renewed.discard(external_id)
                again = await self._attempt_once(outbox, external_id)
        finally:
            del self._sending[external_id]
            self._answer_flushes()

    async def _attempt_once(self, outbox: Outbox, external_id: str) -> bool:
        """Whether a newer revision should follow at once."""
        with self._guarded("sending"):
            verdict = await self._drainer.deliver(outbox, external_id)
            if verdict is not None and verdict.action == "sent":
                if external_id in self._renewed:
                    return True
                self._unsent.discard(external_id)
            elif verdict is not None and verdict.action == "retry":
                self._next_sweep = min(self._next_sweep, time.time() + verdict.delay)
                self._wake()
        return False

    def _answer_flushes(self) -> None:
        if not self._sending:
            for done in self._flushes:
                # Whoever waited may have given up in this very moment.
                with contextlib.suppress(InvalidStateError):
                    done.set_result(not self._unsent)
            self._flushes.clear()

    def keep_house(self) -> float:
        """Start a sweep of what waits when it is time to; the seconds until the next one."""
        now = time.time()
        if now >= self._next_sweep or now < self._next_sweep - SWEEP_EVERY:
            first, self._swept, self._next_sweep = not self._swept, True, now + SWEEP_EVERY
            if not self._sweeping:
                self._sweeping = True
                self.group.start_soon(self._sweep, first)
        return self._next_sweep - now

    async def _sweep(self, first: bool) -> None:  # noqa: FBT001 - start_soon takes positions
        try:
            with self._guarded("sweeping"):
                await self._drainer.warm_up()
                for outbox in filter(None, (self._outbox, self._memory)):
                    # What another key left held looks not yet due: the first sweep tries anyway.
                    due_at = outbox.next_due(self._base_url)
                    if first or (due_at is not None and due_at <= time.time()):
                        await self._drainer.sweep(outbox)
                self._maintain(time.time())
        finally:
            self._sweeping = False

    def _maintain(self, now: float) -> None:
        if now < self._next_maintenance:
            return
        settings = self._settings
        self._next_maintenance = now + (MAINTAIN_EVERY if settings.retain else 0.0)
        expired = self._outbox.maintain(now=now, retain=settings.retain, max_age=settings.max_age)
        if expired:
            logger.error(
                "%d calls waited longer than ZELTO_MAX_AGE and are dead letters now", expired
            )

    async def aclose(self) -> None:
        """Close the client and the store."""
        with self._guarded("closing"):
            await self._drainer.aclose()
            self._outbox.close()
