"""One document over the wire, for teams whose own broker keeps and retries."""

from __future__ import annotations

import time

import anyio

from zelto_agents.contract import CallIngest
from zelto_agents.policy import Verdict, classify
from zelto_agents.settings import Settings
from zelto_agents.uploader import Uploader, user_agent

__all__ = ["adeliver", "deliver"]


def deliver(
    document: bytes | CallIngest,
    *,
    provider: str = "zelto",
    attempts: int = 1,
    settings: Settings | None = None,
) -> Verdict:
    """Send one document once, without an outbox; for a task of Celery, SQS, Kafka or NATS.

    Idempotent: the same ``call.externalId`` again updates the conversation in place. Nothing is
    raised; what to tell the broker is in the verdict's ``action``: ``sent`` (acknowledge),
    ``retry`` and ``hold`` (give back, and again after ``delay`` seconds; ``hold`` means that the
    key is refused or missing), ``dead`` (to the dead letters; ``why`` says what was refused).
    Deliver the documents of one call in order: the last to arrive counts.

    Args:
        document: a canonical document (``CallIngest.wire()``), or with ``provider`` ``vapi`` or
            ``retell`` that provider's own webhook body.
        provider: the value of ``X-Zelto-Provider``.
        attempts: how many there were with this one, for the delay until the next.
        settings: key and base URL; the environment by default.
    """
    return anyio.run(_deliver, document, provider, attempts, settings)


async def adeliver(
    document: bytes | CallIngest,
    *,
    provider: str = "zelto",
    attempts: int = 1,
    settings: Settings | None = None,
) -> Verdict:
    """``deliver`` for async code."""
    return await _deliver(document, provider, attempts, settings)


async def _deliver(
    document: bytes | CallIngest, provider: str, attempts: int, settings: Settings | None
) -> Verdict:
    known = settings or Settings.load()
    if known.api_key is None or known.base_url is None:
        why = "; ".join(known.problems) or "ZELTO_API_KEY is not set"
        return Verdict("hold", delay=60.0, why=why, away="key")
    uploader = Uploader(known.base_url, known.api_key, agent=user_agent())
    try:
        body = document.wire() if isinstance(document, CallIngest) else document
        answer = await uploader.send(body, provider)
    finally:
        await uploader.aclose()
    verdict = classify(answer, attempts=attempts, now=time.time())
    if verdict.action == "dead" and answer.details:
        return Verdict("dead", why=f"{verdict.why}: {answer.details}")
    return verdict
