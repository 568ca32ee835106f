"""What should have arrived, and what did: by the receiver's own books."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the processes of calls import this module, and have no receiver to load
    from zelto_agents.receiver import RunningReceiver

__all__ = ["Said", "Score", "Truth", "arrived", "said", "score", "until"]

Said = tuple[str, str, float, float]
"""Role, words, start and end in seconds."""


def said(external_id: str, number: int) -> Said:
    """What is said in a turn of a call; everybody can work it out from the names alone."""
    role = "assistant" if number % 2 else "user"
    words = f"Turn {number} of {external_id}: the caller asked for a blue bicycle, “élégant”."
    return role, words, number * 2.0 + 0.25, number * 2.0 + 1.75


@dataclass(frozen=True, slots=True)
class Truth:
    """How the conversation of one call has to look; ``timed`` if at the times of ``said``."""

    external_id: str
    turns: int
    ended_reason: str | None
    timed: bool = True

    def matches(self, conversation: Mapping[str, Any]) -> bool:
        """Whether the conversation is this one, word for word."""
        wanted = [said(self.external_id, n) for n in range(self.turns)]
        found = arrived(conversation)
        if not self.timed:
            times = [moment for *_, start, end in found for moment in (start, end)]
            if times != sorted(times) or min(times, default=0.0) < 0:
                return False
            found, wanted = ([(*turn[:2], 0.0, 0.0) for turn in those] for those in (found, wanted))
        return (
            found == wanted
            and conversation["endedReason"] == self.ended_reason
            and conversation["agent"]["externalId"] == "proof"
        )


def arrived(conversation: Mapping[str, Any]) -> list[Said]:
    """The turns of a conversation, as ``said`` gives them."""
    return [
        (turn["role"], turn["content"], *_times(turn["startSeconds"], turn["endSeconds"]))
        for turn in conversation["turns"]
    ]


def _times(start: float | None, end: float | None) -> tuple[float, float]:
    return round(-1.0 if start is None else start, 3), round(-1.0 if end is None else end, 3)


@dataclass(frozen=True, slots=True)
class Score:
    """How many of the calls arrived, how many of them as they were, and what came twice.

    A duplicate is an accepted delivery whose body the receiver had accepted before: two bodies of
    one call are the same revision if, and only if, they are the same bytes.
    """

    delivered: int
    whole: int
    duplicates: int


def score(receiver: RunningReceiver, truths: Iterable[Truth]) -> Score:
    """Judge these calls by the receiver's books."""
    delivered = whole = duplicates = 0
    for truth in truths:
        conversation = receiver.conversation(truth.external_id)
        if conversation is None:
            continue
        delivered += 1
        whole += truth.matches(conversation)
        duplicates += repeated(receiver, truth.external_id)
    return Score(delivered, whole, duplicates)


def repeated(receiver: RunningReceiver, external_id: str) -> int:
    """How many accepted deliveries of a call brought nothing but what was accepted before."""
    taken = [
        receiver.raw_body(entry["id"]) or b""
        for entry in receiver.deliveries(external_id)
        if entry["status"] is not None and entry["status"] < 300
    ]
    return len(taken) - len({hashlib.sha256(body).digest() for body in taken})


def until(condition: Callable[[], bool], timeout: float, every: float = 0.05) -> bool:
    """Poll until the condition holds; whether it did in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
