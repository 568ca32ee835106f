"""Faults on demand: which of the next uploads fail, and how; parsed, counted, and picked here."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, get_args

__all__ = ["GRAMMAR", "Attempt", "Fault", "Faults", "Kind"]

Kind = Literal["status", "slow", "hang", "reset", "lost", "swallow"]

ATTEMPTS_KEPT = 200
MAX_SECONDS = 3600.0
GRAMMAR = (
    "A fault is a status from 300 to 599 (503), slow=SECONDS (slow=2s), hang, reset (cut before "
    "any answer), lost (stored, then cut: the answer is lost) or swallow (answered 200, never "
    "ingested); then xN for the next N uploads, N% for that share of them, retry-after=SECONDS: "
    '"503 x3", "slow=2s 20%", "429 retry-after=7 x1"'
)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(s|ms)?", re.ASCII)
_COUNT = re.compile(r"x(\d{1,9})", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)%", re.ASCII)


@dataclass(slots=True)
class Fault:
    """One fault, and the uploads that it meets.

    Attributes:
        kind: what happens to an upload.
        status: of kind ``status``: the answer, 300 to 599.
        retry_after: of kind ``status``: seconds in ``Retry-After``; 429 says 1 without it.
        seconds: of kind ``slow``: how long an upload is kept waiting.
        left: how many uploads it still meets; None for all until it is removed.
        percent: the share of uploads that it meets, spread evenly: 20 is every fifth.
        hits: how many it has met.
        id: its number, given when it is added.

    Raises:
        ValueError: the values do not go together.
    """

    kind: Kind
    status: int | None = None
    retry_after: int | None = None
    seconds: float | None = None
    left: int | None = None
    percent: float = 100.0
    hits: int = 0
    id: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind is one of {', '.join(get_args(Kind))}")
        is_status, is_slow = self.kind == "status", self.kind == "slow"
        if (self.status is not None) != is_status:
            raise ValueError("kind status, and no other, has a status")
        if self.status is not None and not 300 <= self.status <= 599:
            raise ValueError("status is from 300 to 599")
        if self.retry_after is not None and not (is_status and 0 <= self.retry_after <= 10**9):
            raise ValueError("retryAfter is a number of seconds, 0 or more, of kind status")
        if (self.seconds is not None) != is_slow:
            raise ValueError("kind slow, and no other, has seconds")
        if self.seconds is not None and not 0 < self.seconds <= MAX_SECONDS:
            raise ValueError(f"seconds is over 0 and at most {MAX_SECONDS:g}")
        if self.left is not None and not 1 <= self.left <= 10**9:
            raise ValueError("left is a whole number, 1 or more")
        if not 0 < self.percent <= 100:
            raise ValueError("percent is over 0 and at most 100")
        if self.status == 429 and self.retry_after is None:
            self.retry_after = 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """A fault from words such as ``503 x3`` or ``slow=2s 20%``; see ``GRAMMAR``.

        Raises:
            ValueError: it is no fault; the text says what one looks like.
        """
        values: dict[str, Any] = {}
        words = text.split()
        try:
            values |= _kind(words[0])
            for word in words[1:]:
                found = _extent(word)
                if set(found) & set(values):
                    raise ValueError(f"{word!r} says a second time what was said")
                values |= found
            return cls(**values)
        except IndexError:
            why = "it is empty"
        except ValueError as error:
            why = str(error)
        raise ValueError(f"{text!r} is no fault: {why}. {GRAMMAR}")

    def __str__(self) -> str:
        """What happens, in the words that ``parse`` reads, without how often."""
        if self.kind == "status":
            wait = "" if self.retry_after is None else f" retry-after={self.retry_after}"
            return f"{self.status}{wait}"
        return self.kind if self.seconds is None else f"{self.kind}={self.seconds:g}s"

    def answer(self) -> dict[str, Any]:
        """The JSON body that a fault of kind ``status`` answers with."""
        status = self.status or 500
        if status == HTTPStatus.UNAUTHORIZED:
            return {"error": "Unauthorized"}
        phrase = next((s.phrase for s in HTTPStatus if s == status), f"Status {status}")
        return {"error": phrase, "details": "a fault on demand"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """An upload that a fault kept out of the raw log."""

    at: str
    fault: str
    external_id: str | None


class Faults:
    """The faults in force; any thread may ask and change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[int, Fault] = {}
        self._owed: dict[int, float] = {}
        self._last = 0
        self._attempts: deque[Attempt] = deque(maxlen=ATTEMPTS_KEPT)

    def add(self, fault: Fault | str) -> Fault:
        """Puts a fault in force, behind those that are; what comes back counts its hits.

        Args:
            fault: a fault, or its words: ``503 x3``.

        Raises:
            ValueError: the words are no fault.
        """
        added = replace(Fault.parse(fault) if isinstance(fault, str) else fault)
        with self._lock:
            self._last += 1
            added.id = self._last
            self._faults[added.id] = added
            self._owed[added.id] = 0.0
        return added

    def in_force(self) -> list[Fault]:
        """The faults in force, oldest first."""
        with self._lock:
            return [replace(fault) for fault in self._faults.values()]

    def remove(self, fault_id: int) -> bool:
        """Ends a fault; whether it was in force."""
        with self._lock:
            return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Ends all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self) -> Fault | None:
        """The fault that meets the upload that has just come: the oldest whose turn it is."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults.values():
                owed = self._owed[fault.id] + fault.percent
                self._owed[fault.id] = owed % 100.0
                if owed >= 100.0:
                    return self._hit(fault)
        return None

    def note(self, fault: Fault, external_id: str | None) -> None:
        """Remembers an upload that this fault kept out of the raw log."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        self._attempts.append(Attempt(at, str(fault), external_id))

    def attempts(self) -> list[Attempt]:
        """The uploads that faults kept out of the raw log: the newest 200, newest first."""
        return [*reversed(self._attempts.copy())]

    def _hit(self, fault: Fault) -> Fault:
        fault.hits += 1
        if fault.left is not None:
            fault.left -= 1
            if fault.left == 0:
                del self._faults[fault.id]
        return fault


def _kind(word: str) -> dict[str, Any]:
    name, equals, value = word.partition("=")
    if name.isascii() and name.isdecimal() and len(name) < 5 and not equals:
        return {"kind": "status", "status": int(name)}
    if name == "status" or name not in get_args(Kind):
        raise ValueError(f"{name!r} is neither a status nor a kind of fault")
    return {"kind": name} | ({"seconds": _seconds(value)} if equals else {})


def _extent(word: str) -> dict[str, Any]:
    if found := _COUNT.fullmatch(word):
        return {"left": int(found[1])}
    if found := _PERCENT.fullmatch(word):
        return {"percent": float(found[1])}
    name, equals, value = word.partition("=")
    if name == "retry-after" and equals:
        return {"retry_after": int(_seconds(value))}
    raise ValueError(f"{word!r} is neither xN, N% nor retry-after=SECONDS")


def _seconds(text: str) -> float:
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no length of time such as 2s or 500ms")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)
