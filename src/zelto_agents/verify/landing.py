"""Whether one conversation has landed, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__ = ["landing"]


def landing(target: Target, external_id: str) -> dict[str, Any] | None:
    """What is there of a call; None if no conversation came of it.

    Args:
        target: where to look.
        external_id: its ``call.externalId``.

    Raises:
        Differs: a read did not work.
        httpx.TransportError: no answer.
    """
    found = target.find(external_id)
    if found is None:
        return None
    transcript = target.read(f"/v1/conversations/{found['id']}/transcript")
    return {
        "externalId": external_id,
        "id": found["id"],
        "source": found["source"],
        "agent": _agent(target, found["agentId"]),
        "turns": len(transcript["content"] or ()),
        "durationSeconds": transcript["durationSeconds"],
        "endedReason": found["endedReason"],
        "cost": found["cost"],
        "recordingUrl": transcript["recordingUrl"],
        "updatedAt": found["updatedAt"],
    }


def _agent(target: Target, agent_id: str) -> dict[str, Any]:
    for page in target.pages("/v1/agents", limit=150, most=100):
        for agent in page:
            if agent["id"] == agent_id:
                return {name: agent[name] for name in ("id", "name", "externalId")}
    return {"id": agent_id, "name": None, "externalId": None}
