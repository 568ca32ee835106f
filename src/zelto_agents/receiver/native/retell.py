"""Retell's webhooks: ``call_ended`` and ``call_analyzed`` as a conversation, all others ignored.

The body is ``{"event": ..., "call": {...}}``, as https://docs.retellai.com/features/webhook-overview
shows it; ``call`` is the object of https://docs.retellai.com/api-references/get-call, without its
``call_analysis`` in ``call_ended``. Times are milliseconds since 1970, words' times seconds from
the start of the audio, costs cents.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from zelto_agents.contract import CallIngest
from zelto_agents.receiver.native._reading import (
    NativeFaultError,
    Tools,
    call_ingest,
    first,
    instant,
    integer_text,
    items,
    number,
    obj,
    spoken,
    text,
    turn,
    url,
    without_nones,
)

__all__ = ["TERMINAL", "read"]

TERMINAL = ("call_ended", "call_analyzed")

Object = dict[str, Any]

_ROLES = {"agent": "assistant", "user": "user"}
# Kept as they came, for people who look for them.
_KEPT = (
    "call_type",
    "direction",
    "from_number",
    "to_number",
    "call_analysis",
    "call_cost",
    "latency",
    "public_log_url",
    "retell_llm_dynamic_variables",
)


def read(body: JsonValue) -> CallIngest | str:
    """The conversation of an ended call; for any other event, why it is ignored.

    Raises:
        NativeFaultError: not a webhook of Retell, or an ended call that has no id.
    """
    event = text(obj(body).get("event"))
    if event is None:
        raise NativeFaultError("event", "Field required: the name of the event")
    if event not in TERMINAL:
        return f"the Retell event {event} is neither {TERMINAL[0]} nor {TERMINAL[1]}"
    call = obj(obj(body).get("call"))
    call_id = text(call.get("call_id"))
    if call_id is None:
        raise NativeFaultError("call.call_id", "Field required: the id of the call")
    return call_ingest(_document(call_id, call))


def _document(call_id: str, call: Object) -> Object:
    turns = _turns(first(call.get("transcript_with_tool_calls"), call.get("transcript_object")))
    return {
        "call": _call(call_id, call),
        "agent": {
            # Retell makes no call without an agent.
            "externalId": text(call.get("agent_id")) or "unknown-agent",
            "name": text(call.get("agent_name")),
        },
        "version": integer_text(call.get("agent_version")),
        "transcript": {"turns": turns or spoken(call.get("transcript"), _ROLES)},
        "metadata": {
            **obj(call.get("metadata")),
            "retell": without_nones({name: call.get(name) for name in _KEPT}),
        },
    }


def _call(call_id: str, call: Object) -> Object:
    outbound = call.get("direction") == "outbound"
    variables = obj(call.get("retell_llm_dynamic_variables"))
    return {
        "externalId": call_id,
        "startedAt": instant(call.get("start_timestamp")),
        "endedAt": instant(call.get("end_timestamp")),
        "durationSeconds": _duration(call),
        "endedReason": text(call.get("disconnection_reason")),
        "cost": _dollars(obj(call.get("call_cost")).get("combined_cost")),
        "recordingUrl": first(
            url(call.get("recording_url")),
            url(call.get("scrubbed_recording_url")),
            url(call.get("recording_multi_channel_url")),
        ),
        "customer": {
            "number": text(call.get("to_number" if outbound else "from_number")),
            "name": text(variables.get("customer_name")),
        },
    }


def _duration(call: Object) -> float | None:
    length = number(call.get("duration_ms"))
    if length is None:
        start, end = number(call.get("start_timestamp")), number(call.get("end_timestamp"))
        length = None if start is None or end is None else number(end - start)
    return None if length is None else length / 1000


def _dollars(cents: JsonValue) -> float | None:
    found = number(cents)
    return None if found is None else float(Decimal(str(found)) / 100)


def _turns(utterances: JsonValue) -> list[Object]:
    turns: list[Object] = []
    tools = Tools()
    for each in items(utterances):
        start, end = _span(each)
        if each.get("role") == "tool_call_invocation":
            name, arguments = text(each.get("name")), each.get("arguments")
            turns.append(tools.called(text(each.get("tool_call_id")), name, arguments, start))
        elif each.get("role") == "tool_call_result":
            failed = each.get("successful") is False
            call_id, result = text(each.get("tool_call_id")), each.get("content")
            orphan = tools.returned(call_id, None, result, start, failed=failed)
            turns += [] if orphan is None else [orphan]
        elif each.get("role") == "dtmf" and text(each.get("digit")):
            turns.append(turn("user", f"[pressed {each['digit']}]", start, end))
        else:
            role, said = _ROLES.get(str(each.get("role"))), text(each.get("content"))
            if role is not None and said is not None:
                turns.append(turn(role, said, start, end))
    tools.finish()
    return turns


def _span(utterance: Object) -> tuple[float | None, float | None]:
    """When an utterance begins and ends; what is not spoken has one time at most."""
    words = items(utterance.get("words"))
    starts = [at for at in (number(word.get("start")) for word in words) if at is not None]
    ends = [at for at in (number(word.get("end")) for word in words) if at is not None]
    start = starts[0] if starts else number(utterance.get("time_sec"))
    return start, ends[-1] if ends else None
