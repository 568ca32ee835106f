"""What an answer means: a pure function from one attempt's answer to what happens next."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from zelto_agents._frozen import frozen

__all__ = [
    "Action",
    "Answer",
    "Away",
    "Verdict",
    "backoff",
    "classify",
    "probe_after",
    "retry_after",
]

FIRST_RETRY = 1.0
LAST_RETRY = 15 * 60.0
HELD_PROBE = 5 * 60.0
MISDIRECTED_PROBE = 5 * 60.0
LAST_PROBE = 120.0
RETRY_AFTER_CAP = 3600.0

Action = Literal["sent", "retry", "hold", "dead"]
Away = Literal["outage", "key", "base_url"]
"""Why a base URL takes nothing now: it is down, refuses the key, or is no ingest API."""


@frozen
class Answer:
    """What came back from one HTTP request; ``status`` is None when nothing did.

    ``fault`` is the name of the network fault, and ``details`` the start of the answer's body.
    ``unsent`` says that nothing of the request can have arrived.
    """

    status: int | None = None
    details: str = ""
    retry_after: str | None = None
    fault: str = ""
    unsent: bool = False

    @property
    def unsure(self) -> bool:
        """Whether the request may yet be processed, though no answer says so."""
        return not self.unsent and (self.status is None or self.status == 408 or self.status >= 500)


@frozen
class Verdict:
    """What to do with the delivery: ``delay`` in seconds, ``why`` for the operator.

    ``away`` says what the answer means for every other delivery, and ``wait`` for how many seconds
    the receiver asked to be left alone.
    """

    action: Action
    delay: float = 0.0
    why: str = ""
    away: Away | None = None
    wait: float = 0.0


def classify(
    answer: Answer,
    *,
    attempts: int = 1,
    now: float = 0.0,
    jitter: Callable[[], float] = random.random,
) -> Verdict:
    """The table of answers, row by row.

    Args:
        answer: what came back.
        attempts: how many attempts of this revision have failed, if this one does.
        now: seconds since the epoch, for a ``Retry-After`` that is a date.
        jitter: a number from 0 to 1.
    """
    status = answer.status
    if status is None:
        why = answer.fault or "no answer"
        return Verdict("retry", backoff(attempts, jitter), why, away="outage")
    if 200 <= status < 300:
        return Verdict("sent")
    why = f"status {status}"
    if status in (401, 403):
        return Verdict("hold", HELD_PROBE, why, away="key")
    if status in (400, 413, 422):
        return Verdict("dead", why=why)
    if status in (404, 405, 410, 501) or 300 <= status < 400:
        delay = max(MISDIRECTED_PROBE, backoff(attempts, jitter))
        return Verdict("retry", delay, f"{why}: the base URL looks wrong", away="base_url")
    asked = retry_after(answer.retry_after, now=now)
    delay = max(backoff(attempts, jitter), asked)
    return Verdict("retry", delay, why, away="outage", wait=asked)


def backoff(attempts: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds until the next attempt: exponential with full jitter, one second at the least."""
    ceiling = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(attempts, 30))
    return max(FIRST_RETRY, jitter() * ceiling)


def probe_after(probes: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds until a receiver that is down is asked again, after so many probes in vain."""
    ceiling = min(LAST_PROBE, 2.0 ** min(probes, 30))
    return ceiling * (0.5 + jitter() / 2)


def retry_after(header: str | None, *, now: float) -> float:
    """Seconds that a ``Retry-After`` header asks for, as a number or as an HTTP date; capped."""
    if not header:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), RETRY_AFTER_CAP))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    wait = (moment - datetime.fromtimestamp(now, UTC)).total_seconds()
    return min(max(wait, 0.0), RETRY_AFTER_CAP)
