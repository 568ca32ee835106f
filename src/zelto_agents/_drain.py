"""Draining: claim what is due, attempt it, settle it by what came back."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

from zelto_agents.outbox import Claim, Gatekeeper, Outbox, OutboxError, Outcome, State
from zelto_agents.policy import Action, Answer, Verdict, backoff, classify
from zelto_agents.settings import Settings
from zelto_agents.uploader import Uploader, user_agent

logger = logging.getLogger("zelto_agents")

CONCURRENCY = 8
# Longer than an attempt can take, so that a live drainer never loses its lease.
LEASE = 60.0
CANCELLED_RETRY = 1.0
CLIENT_RETRY = 60.0
_STATES: dict[Action, State] = {"sent": "sent", "retry": "due", "hold": "held", "dead": "dead"}


class Trouble:
    """Says each kind of trouble once in a while, and not for each call."""

    def __init__(self, every: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._said: dict[str, float] = {}

    def say(self, level: int, kind: str, text: str, *args: object) -> None:
        """Log ``text`` unless ``kind`` was logged within the last ``every`` seconds."""
        now = self._clock()
        if now - self._said.get(kind, float("-inf")) >= self._every:
            self._said[kind] = now
            logger.log(level, text, *args)


@dataclass(slots=True)
class Tally:
    """How many attempts of a drain ended how."""

    sent: int = 0
    retried: int = 0
    held: int = 0
    dead: int = 0


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
        self._outbox = outbox
        self._settings = settings
        self._hosts = hosts if hosts is not None else {}
        self._trouble = trouble or Trouble()
        self._on_verdict = on_verdict
        self._uploader: Uploader | None = None
        self._making = anyio.Lock()
        self._flying: dict[str, anyio.Event] = {}
        self._limit = anyio.CapacityLimiter(CONCURRENCY)
        key = settings.api_key.get_secret_value() if settings.api_key else None
        self._gatekeeper = Gatekeeper(
            hashlib.sha256(f"zelto-agents:{key}".encode()).hexdigest()[:12] if key else None,
            settings.agent_id,
        )

    @property
    def can_send(self) -> bool:
        """Whether there is a key and a usable base URL."""
        return self._settings.api_key is not None and bool(self._settings.base_url)

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
        return Uploader(base_url, key, agent=user_agent(self._hosts))

    async def deliver(self, external_id: str) -> Verdict | None:
        """One attempt for one delivery; None if it does not wait, or another process has it."""
        while True:
            async with self._limit:
                flying = self._flying.get(external_id)
                if flying is None:
                    verdict = None
                    for claim in self._claim(external_id):
                        verdict = await self._attempt(claim)
                    return verdict
            await flying.wait()  # a sweep of ours has it, perhaps in an older revision

    async def sweep(self) -> bool:
        """Attempt everything that is due; True if the way was blocked before nothing was."""
        blocked = False

        async def worker() -> None:
            nonlocal blocked
            while not blocked:
                async with self._limit:
                    claims = self._claim(None)
                    if not claims:
                        return
                    verdict = await self._attempt(claims[0])
                    blocked = blocked or verdict.action in ("retry", "hold")

        async with anyio.create_task_group() as group:
            for _ in range(CONCURRENCY):
                group.start_soon(worker)
        return blocked

    def _claim(self, external_id: str | None) -> list[Claim]:
        if not self.can_send:
            return []
        return self._outbox.claim(
            self._settings.base_url or "",
            now=time.time(),
            lease=LEASE,
            gatekeeper=self._gatekeeper,
            external_id=external_id,
        )

    async def _attempt(self, claim: Claim) -> Verdict:
        answer, verdict = Answer(fault="cancelled"), Verdict("retry", CANCELLED_RETRY, "cancelled")
        landed = self._flying[claim.external_id] = anyio.Event()
        try:
            answer, verdict = await self._send(claim)
        finally:
            # Settled even when the attempt is cancelled, so that the next one need not wait for
            # the lease to run out. Nothing awaits here.
            self._settle(claim, answer, verdict)
            self._flying.pop(claim.external_id, None)
            landed.set()
        return verdict

    async def _send(self, claim: Claim) -> tuple[Answer, Verdict]:
        failures = claim.failures + 1
        try:
            body = claim.body(self._gatekeeper.agent_id)
        except Exception as fault:  # noqa: BLE001 - one bad document must not stop the others
            why = f"the outbox holds no readable document ({type(fault).__name__})"
            return Answer(fault=why), Verdict("dead", why=why)
        try:
            client = await self._client()
        except Exception as fault:  # noqa: BLE001 - a fault of the machine, not of the document
            why = (
                f"no HTTP client can be made ({type(fault).__name__}): "
                "check the proxy variables and SSL_CERT_FILE"
            )
            return Answer(fault=why), Verdict("retry", max(CLIENT_RETRY, backoff(failures)), why)
        answer = await client.send(body, claim.provider)
        return answer, classify(answer, attempts=failures, now=time.time())

    def _settle(self, claim: Claim, answer: Answer, verdict: Verdict) -> None:
        now = time.time()
        outcome = Outcome(
            state=_STATES[verdict.action],
            due_at=now + verdict.delay,
            status=answer.status,
            details="" if verdict.action == "sent" else answer.details or verdict.why,
            held_for="key" if verdict.action == "hold" else None,
            key_mark=self._gatekeeper.key_mark,
        )
        try:
            self._outbox.settle(claim, outcome, now=now)
        except OutboxError as fault:
            # The lease runs out and somebody sends it again, which is harmless.
            self._trouble.say(logging.ERROR, "settle", "an answer could not be noted: %s", fault)
        self._on_verdict(claim, verdict)
        self._explain(claim, verdict)

    def _explain(self, claim: Claim, verdict: Verdict) -> None:
        say, base_url, why = self._trouble.say, claim.base_url, verdict.why
        if verdict.action == "sent":
            self.tally.sent += 1
            logger.debug("call %s revision %d sent", claim.external_id, claim.revision)
        elif verdict.action == "dead":
            self.tally.dead += 1
            logger.error(
                "call %s was refused for good (%s); it is kept as a dead letter with the reason",
                claim.external_id,
                why,
            )
        elif verdict.action == "hold":
            self.tally.held += 1
            say(
                logging.ERROR,
                "key",
                "%s refused the key (%s): check ZELTO_API_KEY; calls are held until it is right",
                base_url,
                why,
            )
        elif verdict.base_url_wrong:
            self.tally.retried += 1
            say(
                logging.ERROR,
                "base_url",
                "%s is not an ingest API (%s): check ZELTO_BASE_URL; calls wait in the outbox",
                base_url,
                why,
            )
        else:
            self.tally.retried += 1
            say(
                logging.WARNING,
                "away",
                "%s does not take calls now (%s); they wait in the outbox and are sent later",
                base_url,
                why,
            )

    async def aclose(self) -> None:
        """Close the HTTP client."""
        if self._uploader is not None:
            await self._uploader.aclose()
            self._uploader = None
