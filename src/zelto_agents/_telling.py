"""What a host tells of a call, checked and made into facts or changes; how soon it must be kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from zelto_agents._delivery import Haste
from zelto_agents._items import CallFacts
from zelto_agents._refused import amount, check, note, text_of
from zelto_agents.call import Call
from zelto_agents.contract import plain_json
from zelto_agents.facts import (
    AgentKnown,
    CallEnded,
    ChannelKnown,
    Fact,
    Source,
    SpeechHeard,
    TurnSaid,
    UsageKnown,
    WordsHeard,
)
from zelto_agents.guard import guarded, mapping

__all__ = ["changes_of", "describe", "haste_of", "introduce"]

logger = logging.getLogger("zelto_agents")

_ARGUMENTS = {"recordingUrl": "recording_url", "cost": "cost"}


@guarded
def describe(
    call: Call,
    channel: str | None,
    system_prompt: str | None,
    metadata: Mapping[str, Any] | None,
    customer: Mapping[str, str] | None,
    recording_url: str | None,
) -> None:
    """What is known of the conversation as it begins."""
    if channel == "text":
        call.add(ChannelKnown(at=call.started_at, channel="text"))
    if system_prompt:
        call.prompt(system_prompt)
    if metadata:
        call.metadata(metadata)
    if recording_url:
        call.recording(recording_url)
    if known := mapping("customer", customer):
        if not {"number", "name"} & known.keys():
            logger.error("customer has neither number nor name and is left out")
        call.customer(known.get("number"), known.get("name"))


@guarded
def introduce(
    call: Call,
    source: Source,
    agent_id: str | None,
    version: str | None,
    *,
    uuid: str | None = None,
    name: str | None = None,
) -> None:
    """Which agent holds the call, by an argument or by the environment."""
    if agent_id or version or uuid or name:
        known = AgentKnown(
            at=call.started_at,
            source=source,
            external_id=text_of(agent_id) if agent_id else None,
            uuid=text_of(uuid) if uuid else None,
            name=text_of(name) if name else None,
            version=text_of(version) if version else None,
        )
        if source == "argument":
            check("version", known.version, "argument version")
            check("agentId", known.uuid, "argument agent_uuid")
        call.add(known)


def changes_of(call: Mapping[str, Any], customer: object, metadata: object) -> dict[str, Any]:
    """An enrichment as wire JSON; what cannot be sent is said, and kept in its metadata."""
    known: dict[str, Any] = {}
    refused: dict[str, Any] = {}
    for name, value in call.items():
        if value is None:
            continue
        usable = amount(value) if name == "cost" else text_of(value)
        why = name in _ARGUMENTS and check(name, usable, f"argument {_ARGUMENTS[name]}")
        if why:
            refused[name] = note(value, why)
        else:
            known[name] = usable
    if told := mapping("customer", customer):
        known["customer"] = {k: told[k] for k in ("number", "name") if told.get(k)}
    more = dict(mapping("metadata", metadata))
    if refused:
        more["zelto"] = {"refused": refused}
    changes = {"call": known, "metadata": more}
    return cast("dict[str, Any]", plain_json({k: v for k, v in changes.items() if v}))


def haste_of(collected: CallFacts, fact: Fact) -> Haste:
    """What somebody said must not be lost; what is only known about it can wait for company."""
    match fact:
        case CallEnded():
            return "now"
        case SpeechHeard() | UsageKnown():
            return "later"
        case WordsHeard(text=text):
            collected.heard = f"{collected.heard} {text}"
        case TurnSaid(role="user", typed=False, text=text):
            heard, collected.heard = collected.heard, ""
            return "later" if text.strip() in heard else "soon"
    return "soon"
