"""What the operator is told: each kind of trouble once in a while, and how attempts went."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from zelto_agents.outbox import Claim
from zelto_agents.outbox.steady import AHEAD
from zelto_agents.policy import Verdict

__all__ = ["Tally", "Trouble", "explain"]

logger = logging.getLogger("zelto_agents")


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

    def problem(self, kind: str, text: str, *args: object) -> None:
        """``say`` as an error."""
        self.say(logging.ERROR, kind, text, *args)


@dataclass(slots=True)
class Tally:
    """How many attempts ended how."""

    sent: int = 0
    retried: int = 0
    held: int = 0
    dead: int = 0


def explain(claim: Claim, verdict: Verdict, trouble: Trouble, tally: Tally) -> None:
    """Count an attempt, and say what the operator can do about it."""
    base_url, why = claim.base_url, verdict.why
    if verdict.action == "sent":
        tally.sent += 1
        logger.info("call %s sent (revision %d)", claim.external_id, claim.revision % AHEAD)
    elif verdict.action == "dead":
        tally.dead += 1
        logger.error(
            "call %s was refused for good (%s) and is a dead letter: "
            "zelto-agents outbox show %s has the reason",
            claim.external_id,
            why,
            claim.external_id,
        )
    elif verdict.action == "hold":
        tally.held += 1
        trouble.problem(
            "key",
            "%s refused the key (%s): check ZELTO_API_KEY; calls are held until it is right",
            base_url,
            why,
        )
    elif verdict.away == "base_url":
        tally.retried += 1
        trouble.problem(
            "base_url",
            "%s is not an ingest API (%s): check ZELTO_BASE_URL; calls wait in the outbox",
            base_url,
            why,
        )
    else:
        tally.retried += 1
        trouble.say(
            logging.WARNING,
            "away",
            "%s does not take calls now (%s); they wait in the outbox and are sent later",
            base_url,
            why,
        )
