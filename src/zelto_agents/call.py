"""Call: one conversation as its host sees it, from the first turn to the end."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, cast, get_args

from zelto_agents.contract import Role, plain_json
from zelto_agents.facts import (
    CallEnded,
    CostKnown,
    CustomerKnown,
    Fact,
    MetadataKnown,
    PromptKnown,
    RecordingKnown,
    Source,
    ToolEnded,
    ToolStarted,
    TurnSaid,
    UsageKnown,
)
from zelto_agents.guard import guarded

__all__ = ["Call", "epoch"]

logger = logging.getLogger("zelto_agents")

_ROLES = get_args(Role)
_ALIASES: dict[str, Role] = {
    "agent": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "human": "user",
    "customer": "user",
    "caller": "user",
    "developer": "system",
    "function": "tool",
}


class Call:
    """One conversation. Methods may be called from any thread, take microseconds, never raise.

    Leaving the ``with`` block ends the call. Times are seconds from the start of the call; a time
    that is not known is left out.
    """

    def __init__(
        self, external_id: str, started_at: float, hand_over: Callable[[Fact], None]
    ) -> None:
        self.external_id = external_id
        self.started_at = started_at
        """Seconds since the epoch."""
        self._hand_over = hand_over
        self._numbers = itertools.count()

    @guarded
    def add(self, fact: Fact) -> None:
        """Hand one fact over; its ``seq`` is given here."""
        self._hand_over(dataclasses.replace(fact, seq=next(self._numbers)))

    @guarded
    def turn(
        self,
        role: str,
        text: str,
        *,
        start: float | None = None,
        end: float | None = None,
        interrupted: bool = False,
    ) -> None:
        """Somebody said something: ``user``, ``assistant`` or ``system``."""
        known = _ALIASES.get(role, role) if isinstance(role, str) else ""
        details: dict[str, Any] = {}
        if known not in _ROLES:
            # Without the value: swapped arguments would put what was said into the log.
            logger.error(
                "a turn's role is not one of user, assistant, system, tool; kept as assistant"
            )
            known, details = "assistant", {"role": "unknown"}
        at = time.time()
        self.add(
            TurnSaid(
                at=at,
                id=f"turn-{at}-{next(self._numbers)}",
                role=cast("Role", known),
                text=_text(text),
                start=self._moment(start),
                end=self._moment(end),
                interrupted=interrupted,
                details=details,
            )
        )

    @guarded
    def tool(
        self,
        name: str,
        arguments: Any = None,
        *,
        result: Any = None,
        error: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        """A tool ran: its arguments, and its result or the error that it ended with."""
        now = time.time()
        began = self._moment(start)
        number = f"tool-{now}-{next(self._numbers)}"
        self.add(
            ToolStarted(
                at=began or now, id=number, name=_text(name), arguments=plain_json(arguments)
            )
        )
        outcome = result if error is None else error
        ended = self._moment(end) or began or now
        self.add(
            ToolEnded(at=ended, id=number, result=plain_json(outcome), failed=error is not None)
        )

    @guarded
    def customer(
        self, number: str | None = None, name: str | None = None, *, source: Source = "argument"
    ) -> None:
        """Who is at the other end."""
        self.add(
            CustomerKnown(
                at=time.time(),
                number=_text(number) if number else None,
                name=_text(name) if name else None,
                source=source,
            )
        )

    @guarded
    def prompt(self, text: str, *, source: Source = "argument") -> None:
        """The agent's system prompt."""
        self.add(PromptKnown(at=time.time(), text=_text(text), source=source))

    @guarded
    def metadata(self, values: Mapping[str, Any]) -> None:
        """Free-form values, merged deeply into what is there."""
        self.add(MetadataKnown(at=time.time(), values=_plain(values)))

    @guarded
    def recording(self, url: str) -> None:
        """Where the audio can be fetched; Zelto keeps a copy, so the URL may expire later."""
        self.add(RecordingKnown(at=time.time(), url=_text(url)))

    @guarded
    def cost(self, usd: float) -> None:
        """What the call cost in all, in US dollars."""
        self.add(CostKnown(at=time.time(), usd=float(usd)))

    @guarded
    def usage(self, *parts: Mapping[str, Any]) -> None:
        """What the models consumed so far, a part for each provider and model."""
        self.add(UsageKnown(at=time.time(), parts=tuple(_plain(part) for part in parts)))

    @guarded
    def end(
        self, reason: str | None = None, *, at: float | None = None, settled: bool = True
    ) -> None:
        """The call is over; its document becomes durable and is sent.

        Args:
            reason: such as ``customer-ended-call``.
            at: seconds since the epoch, if it ended before now.
            settled: False while a better reason may come within half a second.
        """
        why = None if reason is None else _text(reason)
        self.add(CallEnded(at=epoch(at), reason=why, settled=settled))

    def _moment(self, seconds: float | None) -> float | None:
        try:
            return None if seconds is None else self.started_at + float(seconds)
        except (TypeError, ValueError):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        failed = kind is not None and issubclass(kind, Exception)
        self.end("agent-error" if failed else None)


def epoch(moment: object) -> float:
    """Seconds since the epoch, of a number or a ``datetime``; now, if it is neither."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if isinstance(moment, datetime):
            return moment.timestamp()
        if isinstance(moment, int | float) and math.isfinite(moment):
            return float(moment)
    return time.time()


# Values are made plain where they come in: the host may change or reuse its own afterwards.
def _text(value: object) -> str:
    return value if isinstance(value, str) else str(plain_json(value))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", plain_json(dict(values)))
