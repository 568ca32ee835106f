"""The fold: from the facts of one call to its document. Pure and total: no clock, no I/O.

Any order, duplicates, gaps and clock jumps give a valid document, so that the same function
serves a call that ended well and one that is put together from a dead process's journal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from zelto_agents import contract
from zelto_agents._turns import Turn, compose
from zelto_agents.contract import CallIngest, clean_text, plain_json
from zelto_agents.facts import (
    AgentKnown,
    CallEnded,
    CallStarted,
    ChannelKnown,
    CostKnown,
    CustomerKnown,
    Fact,
    HandoffMade,
    MetadataKnown,
    PromptKnown,
    RecordingAwaited,
    RecordingKnown,
    SpeechHeard,
    UsageKnown,
)

__all__ = ["fold", "merged", "refusal"]

# A time further from the start of the call than this is a fault, not a time.
LONGEST_CALL = 7 * 24 * 3600.0

_OF_A_MODEL = ("type", "provider", "model")
_RANK = {"framework": 0, "environment": 1, "argument": 2}
_F = TypeVar("_F", bound=Fact)
_FIELDS: dict[str, TypeAdapter[Any]] = {
    "externalId": TypeAdapter(contract.Reference),
    "agentId": TypeAdapter(contract.AgentUuid),
    "version": TypeAdapter(contract.Version),
    "recordingUrl": TypeAdapter(contract.Url),
    "cost": TypeAdapter(contract.NonNegative),
}


def refusal(field: str, value: object) -> str | None:
    """Why the contract does not allow this value in this field, or None if it does."""
    try:
        _FIELDS[field].validate_python(value)
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)[0]["msg"]
    return None


def fold(facts: Iterable[Fact]) -> CallIngest:
    """The document of a call, always valid; what the contract refuses is kept in metadata.

    The agent reference alone may be missing (see ``CallIngest.has_agent``).
    """
    ordered = _in_order(facts)
    refused: dict[str, Any] = {}
    started = _started(ordered)
    text_only = any(f.channel == "text" for f in _of(ordered, ChannelKnown))
    turns, untranscribed = compose(ordered)
    wire_turns = [_wire_turn(turn, started, timed=not text_only) for turn in turns]
    metadata = _metadata(ordered, text_only=text_only)
    notes: dict[str, Any] = {
        "turns": [{"index": i, **turn.marks} for i, turn in enumerate(turns) if turn.marks],
        "untranscribed": [_stretch(s, started) for s in untranscribed if not text_only],
        "handoffs": [_handoff(f, started, timed=not text_only) for f in _of(ordered, HandoffMade)],
        "recording": _awaited(ordered),
        "usage": _usage(ordered),
        "refused": refused,
    }
    body: dict[str, Any] = {
        "call": _call(ordered, started, wire_turns, refused, timed=not text_only),
        **_agent(ordered, refused),
        "transcript": {"turns": wire_turns} if wire_turns else None,
        "system_prompt": _prompt(ordered),
    }
    kept = {name: note for name, note in notes.items() if note}
    body["metadata"] = plain_json(merged(metadata, {"zelto": kept} if kept else {})) or None
    return CallIngest.model_validate(body, context={"agent": "later"})


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Two JSON objects in one: nested objects merge, anything else is replaced."""
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merged(before, value)  # noqa: PLW2901 - the one that counts
        result[key] = value
    return result


def _in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Finite times, each fact once, in the order of observation whatever order they come in."""
    unique = {(f.seq, type(f).__name__): f for f in facts if math.isfinite(f.at)}
    return [unique[key] for key in sorted(unique)]


def _of(facts: Sequence[Fact], kind: type[_F]) -> list[_F]:
    return [fact for fact in facts if isinstance(fact, kind)]


def _best(facts: Sequence[Any], name: str) -> Any:
    """A field from the strongest source that knows it; within one source, the earliest."""
    known = [fact for fact in facts if getattr(fact, name) is not None]
    return getattr(max(known, key=lambda fact: _RANK[fact.source]), name) if known else None


def _started(facts: Sequence[Fact]) -> float:
    starts = _of(facts, CallStarted)
    return starts[-1].at if starts else min((fact.at for fact in facts), default=0.0)


def _call(
    facts: Sequence[Fact],
    started: float,
    turns: list[dict[str, Any]],
    refused: dict[str, Any],
    *,
    timed: bool,
) -> dict[str, Any]:
    ends = _of(facts, CallEnded)
    reasons = [fact.reason for fact in ends if fact.reason]
    # A tool may go on after everybody has left.
    spoken = [turn for turn in turns if turn["role"] != "tool" or not ends]
    last_heard = max(
        (t.get("end_seconds") or t.get("start_seconds") or 0 for t in spoken), default=0
    )
    duration = last_heard
    if ends:
        duration = max(duration, _relative(min(fact.at for fact in ends), started) or 0)
    ids = [fact.external_id for fact in _of(facts, CallStarted) if fact.external_id]
    costs = _of(facts, CostKnown)[-1:]
    urls = [fact.url for fact in _of(facts, RecordingKnown)]
    for url in urls:
        _allowed("recordingUrl", url, refused)
    usable = [url for url in urls if refusal("recordingUrl", url) is None]
    number, name = _customer(facts)
    return {
        "external_id": clean_text(ids[0]) if ids else f"unknown-{started:.3f}",
        "started_at": _moment(started),
        "ended_at": _moment(started + duration) if ends else None,
        "duration_seconds": round(duration, 3) if ends and timed else None,
        "ended_reason": _text(reasons[-1]) if reasons else None,
        "cost": _allowed("cost", costs[0].usd if costs else None, refused),
        "recording_url": usable[-1] if usable else None,
        "customer": {"number": number, "name": name} if number or name else None,
    }


def _agent(facts: Sequence[Fact], refused: dict[str, Any]) -> dict[str, Any]:
    known = _of(facts, AgentKnown)
    reference, name = _text(_best(known, "external_id")), _text(_best(known, "name"))
    return {
        "agent": {"external_id": reference, "name": name} if reference else None,
        "agent_id": _allowed("agentId", _best(known, "uuid"), refused),
        "version": _allowed("version", _best(known, "version"), refused),
    }


def _customer(facts: Sequence[Fact]) -> tuple[str | None, str | None]:
    """Number and name: of each source the latest word, whole, for it may be another person's."""
    latest = {fact.source: fact for fact in _of(facts, CustomerKnown)}
    known = list(latest.values())
    return _text(_best(known, "number")), _text(_best(known, "name"))


def _usage(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """Of each kind of service, provider and model, what was told last."""
    latest: dict[str, list[dict[str, Any]]] = {}
    for fact in _of(facts, UsageKnown):
        told: dict[str, list[dict[str, Any]]] = {}
        for part in fact.parts:
            key = repr([part.get(name) for name in _OF_A_MODEL])
            told.setdefault(key, []).append(dict(part))
        latest |= told
    return [part for parts in latest.values() for part in parts]


def _awaited(facts: Sequence[Fact]) -> dict[str, Any]:
    """What an enrichment will tell more of."""
    awaited = _of(facts, RecordingAwaited)[-1:]
    return {"state": "awaited", "from": awaited[0].where} if awaited else {}


def _prompt(facts: Sequence[Fact]) -> str | None:
    return _text(_best(_of(facts, PromptKnown), "text"))


def _metadata(facts: Sequence[Fact], *, text_only: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"channel": "text"} if text_only else {}
    for fact in _of(facts, MetadataKnown):
        metadata = merged(metadata, fact.values)
    return metadata


def _wire_turn(turn: Turn, started: float, *, timed: bool) -> dict[str, Any]:
    start = _relative(turn.start, started) if timed else None
    end = _relative(turn.end, started) if timed else None
    if start is None:
        end = None
    elif end is not None:
        end = max(start, end)
    content = clean_text(turn.content)
    return {"role": turn.role, "content": content, "start_seconds": start, "end_seconds": end}


def _handoff(fact: HandoffMade, started: float, *, timed: bool) -> dict[str, Any]:
    seconds = _relative(fact.at, started) if timed else None
    known = {"from": fact.old, "to": fact.new, "atSeconds": seconds, "systemPrompt": fact.prompt}
    return {key: value for key, value in known.items() if value is not None}


def _stretch(speech: SpeechHeard, started: float) -> dict[str, Any]:
    times = (_relative(speech.start, started), _relative(speech.end, started))
    return {"role": speech.role, "startSeconds": times[0], "endSeconds": times[1]}


def _relative(moment: float | None, started: float) -> float | None:
    """Seconds from the start of the call, to the millisecond; absurd times are not known."""
    if moment is None or not math.isfinite(moment) or abs(moment - started) > LONGEST_CALL:
        return None
    return max(0.0, round(moment - started, 3))


def _moment(seconds: float) -> datetime:
    """A wall-clock time; one that no calendar holds becomes the nearest that one does."""
    milliseconds = round(min(max(seconds, 0.0), 253_402_300_799.0), 3)
    return datetime.fromtimestamp(milliseconds, UTC)


def _text(value: object) -> str | None:
    return clean_text(str(value)) if value is not None and str(value) else None


def _allowed(field: str, value: Any, refused: dict[str, Any]) -> Any:
    """The value if the contract allows it; else None, with the reason among the refused."""
    if value is None:
        return None
    why = refusal(field, value)
    if why is None:
        return value
    refused[field] = {"value": clean_text(str(value))[:1000], "why": why}
    return None
