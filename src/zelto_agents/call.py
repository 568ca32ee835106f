"""Call: one conversation as its host sees it, from the first turn to the end."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
import math
import os
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast, get_args

from zelto_agents._items import Sound
from zelto_agents._refused import amount, check, note
from zelto_agents.contract import Role, plain_json
from zelto_agents.facts import (
    CallEnded,
    CostKnown,
    CustomerKnown,
    Fact,
    MetadataKnown,
    PromptKnown,
    RecordingAwaited,
    RecordingKnown,
    RecordingSource,
    Source,
    ToolEnded,
    ToolStarted,
    TurnSaid,
    UsageKnown,
)
from zelto_agents.guard import guarded, mapping

__all__ = ["Call", "awaited_recordings", "epoch"]

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
        self,
        external_id: str,
        started_at: float,
        hand_over: Callable[[Fact], None],
        keep_sound: Callable[[Sound], None] | None = None,
    ) -> None:
        self.external_id = external_id
        self.started_at = started_at
        """Seconds since the epoch."""
        self._hand_over = hand_over
        self._keep_sound = keep_sound
        self._sound_name = ""
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
        if known := mapping("metadata", values):
            self.add(MetadataKnown(at=time.time(), values=_plain(known)))

    @guarded
    def recording(
        self,
        url: str | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        egress: str | None = None,
        twilio: str | None = None,
        daily: str | None = None,
    ) -> None:
        """Where the audio is, or will be; the call is sent without it first, and again with it.

        Args:
            url: where it can be fetched; Zelto keeps a copy, so it may expire later.
            file: a finished file, kept next to the outbox and uploaded to ``ZELTO_RECORDINGS``
                after the call; yours stays where it is.
            egress: the id of a LiveKit egress.
            twilio: the SID of a recording at Twilio.
            daily: the id of a recording at Daily.
        """
        now = time.time()
        if url is not None:
            check("recordingUrl", _text(url), "recording_url")
            self.add(RecordingKnown(at=now, url=_text(url)))
        for where, reference in awaited_recordings(file, egress, twilio, daily):
            self.add(RecordingAwaited(at=now, where=where, reference=reference))

    @property
    def keeps_audio(self) -> bool:
        """Whether there is a place where recordings go; else ``audio`` does nothing."""
        return self._keep_sound is not None

    @guarded
    def audio(self, samples: bytes, *, rate: int, channels: int = 1) -> None:
        """A stretch of the call's audio, which follows the one before it; becomes its recording.

        Args:
            samples: 16 bits each, little-endian, channels interleaved.
            rate: samples a second.
            channels: 1, or 2 with the caller left and the agent right.
        """
        if self._keep_sound is None or not samples:
            return
        if not self._sound_name:
            self._sound_name = name = f"{uuid.uuid4().hex}.wav"
            self.add(RecordingAwaited(at=time.time(), where="audio", reference=name))
        self._keep_sound(Sound(self._sound_name, bytes(samples), rate, channels))

    @guarded
    def cost(self, usd: float) -> None:
        """What the call cost in all, in US dollars."""
        if why := check("cost", amount(usd), "argument cost"):
            self.metadata({"zelto": {"refused": {"cost": note(usd, why)}}})
        elif usd is not None:
            self.add(CostKnown(at=time.time(), usd=float(usd)))

    @guarded
    def usage(self, *parts: Mapping[str, Any]) -> None:
        """What the models consumed so far, a part for each provider and model.

        Told again, a part replaces the one before it of the same type, provider and model.
        """
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


def awaited_recordings(
    file: str | os.PathLike[str] | None = None,
    egress: str | None = None,
    twilio: str | None = None,
    daily: str | None = None,
) -> list[tuple[RecordingSource, str]]:
    """What was given, as ``RecordingAwaited`` has it."""
    given: list[tuple[RecordingSource, str | None]] = [
        ("file", None if file is None else str(Path(file).absolute())),
        ("livekit-egress", None if egress is None else json.dumps({"egress": egress})),
        ("twilio", twilio),
        ("daily", daily),
    ]
    return [(where, _text(reference)) for where, reference in given if reference]


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
