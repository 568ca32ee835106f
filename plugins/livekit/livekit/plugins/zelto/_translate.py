"""From single objects of LiveKit to facts: no state, no policy, nothing that waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zelto_agents.facts import (
    AgentKnown,
    Fact,
    HandoffMade,
    PromptKnown,
    ToolEnded,
    ToolStarted,
    TurnSaid,
    UsageKnown,
)

__all__ = [
    "handoff",
    "history",
    "message",
    "prompt_changes",
    "prompt_of",
    "tool_ended",
    "tool_started",
    "usage",
]

# What LiveKit measures of a message, in seconds, and the name it goes by in the document.
_LATENCIES = {
    "e2e_latency": "endToEnd",
    "llm_node_ttft": "timeToFirstToken",
    "tts_node_ttfb": "timeToFirstByte",
    "end_of_turn_delay": "endOfTurn",
    "transcription_delay": "transcription",
}
_ROLES = {"developer": "system"}


def message(item: Any, at: float, *, heard: bool) -> TurnSaid:
    """A message of the conversation; LiveKit times what it saw spoken, the fold the rest.

    ``heard`` is for words of the caller's that were transcribed. Voice turns carry a confidence,
    be it 0.0, and what was typed has none; but realtime models had none before LiveKit 1.8.
    """
    metrics = getattr(item, "metrics", None) or {}
    start, end = metrics.get("started_speaking_at"), metrics.get("stopped_speaking_at")
    confidence = getattr(item, "transcript_confidence", None)
    typed = item.role == "user" and not heard and start is None and confidence is None
    latency = {
        name: round(float(metrics[key]), 3)
        for key, name in _LATENCIES.items()
        if metrics.get(key) is not None
    }
    details: dict[str, Any] = {"latency": latency} if latency else {}
    if confidence not in (None, 0.0, 1.0):  # LiveKit's words for one that is not known
        details["confidence"] = round(float(confidence), 3)
    return TurnSaid(
        at=at,
        id=item.id,
        role=_ROLES.get(item.role, item.role),
        text=item.text_content or "",
        start=item.created_at if typed else start,
        end=item.created_at if typed else end,
        interrupted=bool(item.interrupted),
        typed=typed,
        details=details,
    )


def tool_started(call: Any, at: float) -> ToolStarted:
    """A tool that the model called; its time is that of the execution, from LiveKit 1.5 on."""
    began = getattr(call, "created_at", at)
    return ToolStarted(at=began, id=call.call_id, name=call.name, arguments=call.arguments)


def tool_ended(call_id: str, output: Any, at: float, reason: str | None = None) -> ToolEnded:
    """What the model was told of a tool; ``reason`` is what the tool itself said, if it failed."""
    failed = bool(output.is_error)
    hidden = failed and reason not in (None, output.output)
    return ToolEnded(
        at=getattr(output, "created_at", at),
        id=call_id,
        result=output.output,
        failed=failed,
        details={"reason": reason} if hidden else {},
    )


def handoff(item: Any, prompt: str | None) -> Sequence[Fact]:
    """An agent that took over; the first of a session is the one that the call belongs to."""
    if item.old_agent_id is None:
        known = AgentKnown(at=item.created_at, external_id=item.new_agent_id)
        return [known, PromptKnown(at=item.created_at, text=prompt)] if prompt else [known]
    old, new = item.old_agent_id, item.new_agent_id
    return [HandoffMade(at=item.created_at, old=old, new=new, prompt=prompt)]


def prompt_of(item: Any, session: Any) -> str | None:
    """The prompt of the agent of a handoff, which may be over long since.

    LiveKit puts it into the history behind the handoff, once the agent has been set up.
    """
    items = session.history.items
    place = next((i for i, other in enumerate(items) if other.id == item.id), len(items))
    behind = items[place + 1] if place + 1 < len(items) else None
    if getattr(behind, "type", "") == "agent_config_update":
        return getattr(behind, "instructions", None)
    agent = session.current_agent
    return _rendered(agent.instructions) if agent.id == item.new_agent_id else None


def history(session: Any, since: float) -> Sequence[Any]:
    """What the session remembers since then; it keeps what came before a restart."""
    return [item for item in session.history.items if item.created_at >= since]


def prompt_changes(session: Any, since: float) -> Sequence[Fact]:
    """Prompts that an agent was given while it held the call; they cause no event."""
    changes: list[Fact] = []
    agent, fresh = "", False
    for item in history(session, since):
        kind = item.type
        if kind == "agent_config_update" and item.instructions and not fresh and agent:
            known = {"old": agent, "new": agent, "prompt": item.instructions}
            changes.append(HandoffMade(at=item.created_at, **known))
        if kind == "agent_handoff":
            agent = item.new_agent_id
        fresh = kind == "agent_handoff"
    return changes


def usage(session: Any, at: float) -> Sequence[Fact]:
    """What each model has consumed, without zeros; durations to the millisecond."""
    known = getattr(session, "usage", None)
    return (
        [UsageKnown(at=at, parts=tuple(_part(part) for part in known.model_usage))] if known else []
    )


def _part(part: Any) -> dict[str, Any]:
    known = part.model_dump(exclude_defaults=True)
    return {"type": part.type} | {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in known.items()
    }


def _rendered(instructions: Any) -> str | None:
    """Instructions as LiveKit itself renders them for voice; older versions have plain text."""
    render = getattr(instructions, "render", None)
    if callable(render):
        try:
            return str(render(modality="audio"))
        except Exception:  # noqa: BLE001 - the user's own template
            return str(instructions)
    return str(instructions) if instructions else None
