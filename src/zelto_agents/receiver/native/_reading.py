"""Reading bodies that others define: a value of an unexpected type counts as absent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from zelto_agents.contract import VERSION_MAX, CallIngest

__all__ = [
    "NativeFaultError",
    "Tools",
    "call_ingest",
    "first",
    "instant",
    "integer_text",
    "items",
    "number",
    "obj",
    "spoken",
    "text",
    "time",
    "turn",
    "url",
    "without_nones",
]

Object = dict[str, Any]

_URL = re.compile(r"^https?://[^\s/]+\S*$")
_LAST_INSTANT = 253_402_300_799_000  # ms, the end of the year 9999


class NativeFaultError(ValueError):
    """A body that is not what its provider sends: where, and what is wrong."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def obj(value: JsonValue) -> Object:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: JsonValue) -> list[Object]:
    """The objects of a list; anything else has none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: JsonValue) -> str | None:
    """The value if it is a string with something in it."""
    return value if isinstance(value, str) and value.strip() else None


def number(value: JsonValue) -> float | None:
    """The value if it is a finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def integer_text(value: JsonValue) -> str | None:
    """A whole number, or a text, as a text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def url(value: JsonValue) -> str | None:
    """The value if it is an http or https address."""
    return value if isinstance(value, str) and _URL.match(value) else None


def time(value: JsonValue) -> str | None:
    """The value if it is an RFC 3339 time with its offset."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.isoformat() if moment.tzinfo is not None else None


def instant(milliseconds: JsonValue) -> str | None:
    """Milliseconds since 1970 as an RFC 3339 time."""
    found = number(milliseconds)
    if found is None or found > _LAST_INSTANT:
        return None
    return datetime.fromtimestamp(found / 1000, UTC).isoformat(timespec="milliseconds")


def first(*candidates: Any) -> Any:
    """The first that is not None."""
    return next((each for each in candidates if each is not None), None)


def without_nones(fields: Object) -> Object:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def turn(role: str, content: str, start: float | None = None, end: float | None = None) -> Object:
    """One turn of the canonical body."""
    if start is not None and end is not None and end < start:
        end = None
    fields = {"role": role, "content": content, "startSeconds": start, "endSeconds": end}
    return without_nones(fields)


def spoken(transcript: JsonValue, roles: dict[str, str]) -> list[Object]:
    """Turns of a transcript as one text, ``Name: words`` a line; for bodies without a list."""
    turns: list[Object] = []
    for line in (text(transcript) or "").splitlines():
        name, colon, words = line.partition(":")
        role = roles.get(name.strip().lower()) if colon else None
        if role is not None and words.strip():
            turns.append(turn(role, words.strip()))
        elif turns and line.strip():
            turns[-1]["content"] += f"\n{line.strip()}"
        elif line.strip():
            turns.append(turn("assistant", line.strip()))
    return turns


@dataclass(slots=True)
class Tools:
    """Tool runs: each is one turn, at the place of its call, with the result that came later."""

    _open: dict[str, Object] = field(default_factory=dict[str, Object])
    _runs: list[tuple[Object, Object]] = field(default_factory=list[tuple[Object, Object]])

    def called(
        self, call_id: str | None, name: str | None, arguments: JsonValue, at: float | None
    ) -> Object:
        """The turn of a call; its content is written by ``finish``."""
        run: Object = {"name": name or "tool", "arguments": _decoded(arguments)}
        told = turn("tool", "", at)
        self._runs.append((told, run))
        if call_id is not None:
            self._open[call_id] = {"run": run, "turn": told}
        return told

    def returned(
        self,
        call_id: str | None,
        name: str | None,
        result: JsonValue,
        at: float | None,
        *,
        failed: bool = False,
    ) -> Object | None:
        """Adds a result to its call; the turn of a result whose call is not there."""
        known = self._open.pop(call_id, None) if call_id is not None else None
        run: Object = {"name": name or "tool", "arguments": None}
        if known is None:
            told = turn("tool", "", at)
            self._runs.append((told, run))
        else:
            told, run = known["turn"], known["run"]
            start = told.get("startSeconds")
            if at is not None and start is not None and at >= start:
                told["endSeconds"] = at
        run["error" if failed else "result"] = _decoded(result)
        return told if known is None else None

    def finish(self) -> None:
        """Writes the content of all turns."""
        for told, run in self._runs:
            told["content"] = json.dumps(run, ensure_ascii=False, separators=(",", ":"))


def call_ingest(document: Object) -> CallIngest:
    """The canonical body of what was read, its empty parts left out."""
    version = document.get("version")
    call = without_nones(document["call"])
    customer = without_nones(call.get("customer") or {})
    call = {**call, "customer": customer or None}
    fields = {
        **document,
        "call": without_nones(call),
        "agent": without_nones(document["agent"]),
        "version": version[:VERSION_MAX] if version else None,
        "metadata": dict(_filled(document["metadata"])) or None,
    }
    return CallIngest.model_validate_json(json.dumps(without_nones(fields)))


def _filled(fields: Object) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in fields.items() if value not in (None, {}, []))


def _decoded(value: JsonValue) -> JsonValue:
    """What a text of JSON holds, if it holds an object or a list."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            found: JsonValue = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return found
    return value
