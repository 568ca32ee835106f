"""The engines of an outbox behind one another, each asked only while it is well."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from zelto_agents.outbox import OutboxError, OutboxFullError
from zelto_agents.outbox._engine import Engine

__all__ = ["Tier", "Tiers"]

FIRST_REST = 5.0
LONGEST_REST = 60.0

_T = TypeVar("_T")


@dataclass(slots=True)
class Tier:
    """One engine, opened at its first use, and left alone for a while when it fails.

    ``left`` says whether an earlier process may have left something in it.
    """

    open: Callable[[], Engine]
    left: Callable[[], bool] = lambda: False
    engine: Engine | None = None
    ill_until: float = float("-inf")
    rest: float = FIRST_REST
    next_rest: float = 0.0
    stale_journals: set[str] = field(default_factory=set[str])


class Tiers:
    """Asks engines, and leaves those alone that failed a moment ago.

    Args:
        tiers: the engines in order.
        complain: is told of each fault, and in which of the tiers.
    """

    def __init__(self, tiers: Sequence[Tier], complain: Callable[[OutboxError, int], None]) -> None:
        self.each = tiers
        self.last = len(tiers) - 1
        """The place of the last one."""
        self._complain = complain

    def ask(self, index: int, work: Callable[[Engine], _T]) -> _T | None:
        """What the engine says; None if it fails, or failed a moment ago."""
        tier = self.each[index]
        if time.monotonic() < tier.ill_until:
            return None
        try:
            if tier.engine is None:
                tier.engine = tier.open()
            answer = work(tier.engine)
        except OutboxError as fault:
            self._complain(fault, index)
            if not isinstance(fault, OutboxFullError):
                # Each failure may have taken seconds.
                tier.next_rest = min(2 * tier.next_rest, LONGEST_REST) or tier.rest
                tier.ill_until = time.monotonic() + tier.next_rest
            return None
        tier.next_rest = 0.0
        return answer

    def in_use(self) -> list[int]:
        """The places of the first one, and of what else is open."""
        return [i for i, tier in enumerate(self.each) if i == 0 or tier.engine is not None]

    def ask_all(self, work: Callable[[Engine], _T]) -> list[tuple[int, _T]]:
        """What each that is in use says, with its place; those that fail are left out."""
        answers = [(index, self.ask(index, work)) for index in self.in_use()]
        return [(index, answer) for index, answer in answers if answer is not None]

    def first_well(self, before: int) -> int | None:
        """The place of the first one that answers, of those before this place."""
        return next((i for i in range(before) if self.ask(i, lambda one: one.gate(""))), None)
