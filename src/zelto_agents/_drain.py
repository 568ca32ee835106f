"""Draining: claim what is due, attempt it, settle it by what came back."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set

import anyio

from zelto_agents._trouble import Tally, Trouble, explain
from zelto_agents.outbox import Claim, Gatekeeper, Outbox, OutboxError, Outcome, State
from zelto_agents.policy import Action, Answer, Verdict, backoff, classify
from zelto_agents.settings import Settings
from zelto_agents.uploader import TOTAL_TIMEOUT, Uploader, user_agent

__all__ = ["CONCURRENCY", "Drainer", "gatekeeper_of"]

CONCURRENCY = 8
# Two for each that is under way: claiming and settling cost a transaction, not one for each call.
BATCH = 2 * CONCURRENCY
# Longer than two attempts can take, so that a live drainer never loses its lease.
LEASE = 60.0
CANCELLED_RETRY = 1.0
CUT_OFF = "no answer before this process ended"
CLIENT_RETRY = 60.0
_STATES: dict[Action, State] = {"sent": "sent", "retry": "due", "hold": "due", "dead": "dead"}


def gatekeeper_of(settings: Settings) -> Gatekeeper:
    """What these settings can send with."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    mark = hashlib.sha256(f"zelto-agents:{key}".encode()).hexdigest()[:12] if key else None
    return Gatekeeper(mark, settings.agent_id)


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """What is imported here must not have the host's whole heap looked through meanwhile.

    That takes a sixth of a second in an agent of LiveKit, in which its event loop stands still.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Drainer:
    """Delivers from an outbox to one base URL.

    Args:
        outbox: where the documents wait.
        settings: base URL and key.
        hosts: names and versions of the frameworks, for the ``User-Agent``.
        trouble: says what goes wrong.
        on_verdict: is told what became of each attempt.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: Settings,
        *,
        hosts: Mapping[str, str] | None = None,
        trouble: Trouble | None = None,
        on_verdict: Callable[[Claim, Verdict], None] = lambda *_: None,
    ) -> None:
        self.tally = Tally()
        self.gatekeeper = gatekeeper_of(settings)
        self._outbox = outbox
        self._settings = settings
        self._base_url = settings.base_url or ""
        self._hosts = hosts if hosts is not None else {}
        self._trouble = trouble or Trouble()
        self._on_verdict = on_verdict
        self._uploader: Uploader | None = None
        self._making = anyio.Lock()
        self._flying: dict[str, anyio.Event] = {}
        self._limit = anyio.CapacityLimiter(CONCURRENCY)
        self._claimed: deque[Claim] = deque()
        self._results: list[tuple[Claim, Outcome]] = []

    @property
    def can_send(self) -> bool:
        """Whether there is a key and a usable base URL."""
        return self._settings.api_key is not None and bool(self._settings.base_url)

    @property
    def flying(self) -> Set[str]:
        """The ids of what is claimed here and not answered yet."""
        return self._flying.keys()

    async def warm_up(self) -> None:
        """Import and make the HTTP client before the first call needs it."""
        if self.can_send:
            with contextlib.suppress(Exception):  # the first attempt will say what is wrong
                await self._client()

    async def _client(self) -> Uploader:
        async with self._making:
            if self._uploader is None:
                # Off this loop: a document that comes meanwhile must become durable at once.
                try:
                    self._uploader = await anyio.to_thread.run_sync(self._make_uploader)
                except RuntimeError:  # the interpreter is on its way out and starts no thread
                    self._uploader = self._make_uploader()
            return self._uploader

    def _make_uploader(self) -> Uploader:
        base_url, key = self._settings.base_url, self._settings.api_key
        if base_url is None or key is None:
            raise ValueError("claimed without a key or base URL")
        with _without_collections():
            return Uploader(base_url, key, agent=user_agent(self._hosts))

    async def deliver(self, external_id: str) -> Verdict | None:
        """One attempt for one delivery; None if it may not be sent now, or is another process's."""
        while True:
            async with self._limit:
                flying = self._flying.get(external_id)
                if flying is None:
                    verdict = None
                    for claim in self._claim(1, external_id):
                        verdict = await self._attempt(claim)
                        self._note()
                    return verdict
            await flying.wait()  # a sweep of ours has it, perhaps in an older revision

    async def sweep(self, on_progress: Callable[[], None] = lambda: None) -> None:
        """Attempt everything that is due, as long as the gate is open.

        Args:
            on_progress: called after each attempt.
        """
        over = not self._claimed and not self._claim_more()

        async def worker() -> None:
            nonlocal over
            while not over:
                async with self._limit:
                    claim = self._next_claim()
                    if claim is None:
                        over = True
                        return
                    verdict = await self._attempt(claim)
                if verdict is not None and verdict.away:
                    self._note()
                    self._give_back_if_closed()
                elif len(self._results) >= CONCURRENCY:
                    self._note()
                on_progress()

        if over:
            return
        try:
            async with anyio.create_task_group() as group:
                for _ in range(CONCURRENCY):
                    group.start_soon(worker)
        finally:
            self._give_back()
            self._note()

    def _next_claim(self) -> Claim | None:
        if not self._claimed:
            self._note()
            self._claim_more()
        return self._claimed.popleft() if self._claimed else None

    def _claim_more(self) -> bool:
        for claim in self._claim(BATCH, None):
            self._claimed.append(claim)
            self._flying[claim.external_id] = anyio.Event()
        return bool(self._claimed)

    def _claim(self, limit: int, external_id: str | None) -> list[Claim]:
        if not self.can_send:
            return []
        return self._outbox.claim(
            self._base_url,
            now=time.time(),
            lease=LEASE,
            limit=limit,
            gatekeeper=self.gatekeeper,
            external_id=external_id,
        )

    def _give_back_if_closed(self) -> None:
        gate = self._outbox.gate(self._base_url)
        if gate.away and not (gate.away == "key" and gate.key_mark != self.gatekeeper.key_mark):
            self._give_back()

    def _give_back(self) -> None:
        while self._claimed:
            self._unused(self._claimed.popleft())

    def _unused(self, claim: Claim) -> None:
        self._results.append((claim, Outcome("due", due_at=time.time(), tried=False)))
        self._land(claim)

    def _land(self, claim: Claim) -> None:
        landed = self._flying.pop(claim.external_id, None)
        if landed is not None:
            landed.set()

    async def _attempt(self, claim: Claim) -> Verdict | None:
        """Send one; None if its lease ends before an answer could be had."""
        self._flying.setdefault(claim.external_id, anyio.Event())
        if time.time() > claim.lease_until - TOTAL_TIMEOUT:
            self._unused(claim)
            return None
        answer = Answer(fault=CUT_OFF)
        verdict = Verdict("retry", CANCELLED_RETRY, CUT_OFF, away="outage")
        cancelled = True
        try:
            answer, verdict = await self._send(claim)
            cancelled = False
        finally:
            # Settled even when the attempt is cancelled, so that the next one need not wait for
            # the lease to run out. Nothing awaits here.
            self._results.append((claim, self._outcome(answer, verdict)))
            if cancelled:
                self._note()
            self._land(claim)
            self._on_verdict(claim, verdict)
            explain(claim, verdict, self._trouble, self.tally)
        return verdict

    async def _send(self, claim: Claim) -> tuple[Answer, Verdict]:
        failures = claim.failures + 1
        try:
            body = claim.body(self.gatekeeper.agent_id)
        except Exception as fault:  # noqa: BLE001 - one bad document must not stop the others
            why = f"the outbox holds no readable document ({type(fault).__name__})"
            return Answer(fault=why, unsent=True), Verdict("dead", why=why)
        try:
            client = self._uploader or await self._client()
        except Exception as fault:  # noqa: BLE001 - a fault of the machine, not of the document
            why = (
                f"no HTTP client can be made ({type(fault).__name__}): "
                "check the proxy variables and SSL_CERT_FILE"
            )
            delay = max(CLIENT_RETRY, backoff(failures))
            return Answer(fault=why, unsent=True), Verdict("retry", delay, why)
        answer = await client.send(body, claim.provider)
        return answer, classify(answer, attempts=failures, now=time.time())

    def _outcome(self, answer: Answer, verdict: Verdict) -> Outcome:
        return Outcome(
            state=_STATES[verdict.action],
            due_at=time.time() + (0.0 if verdict.action == "hold" else verdict.delay),
            status=answer.status,
            details="" if verdict.action == "sent" else answer.details or verdict.why,
            away=verdict.away,
            wait=verdict.wait,
            key_mark=self.gatekeeper.key_mark,
            unsure=verdict.action == "retry" and answer.unsure,
        )

    def _note(self) -> None:
        results, self._results = self._results, []
        if results:
            try:
                self._outbox.settle(results, now=time.time())
            except OutboxError as fault:
                # The leases run out and somebody sends them again, which is harmless.
                self._trouble.problem("settle", "answers could not be noted: %s", fault)

    async def aclose(self) -> None:
        """Close the HTTP client."""
        if self._uploader is not None:
            await self._uploader.aclose()
            self._uploader = None
