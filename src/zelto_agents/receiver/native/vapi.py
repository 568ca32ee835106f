"""Vapi's server messages: the ``end-of-call-report`` as a conversation, all others ignored.

The body is ``{"message": {"type": ..., ...}}``, as https://docs.vapi.ai/server-url/events and
https://docs.vapi.ai/server-url/end-of-call-report show it; the fields of the report, of its call
and of its ``artifact.messages`` are those of ``ServerMessageEndOfCallReport``, ``Call``,
``Artifact``, ``BotMessage``, ``UserMessage``, ``ToolCallMessage`` and ``ToolCallResultMessage`` in
Vapi's OpenAPI document (https://api.vapi.ai/api-json). Older reports had recording, transcript and
messages beside the artifact; both places are read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from zelto_agents.contract import CallIngest
from zelto_agents.receiver.native._reading import (
    NativeFaultError,
    Tools,
    call_ingest,
    first,
    items,
    number,
    obj,
    spoken,
    text,
    time,
    turn,
    url,
    without_nones,
)

__all__ = ["TERMINAL", "read"]

TERMINAL = "end-of-call-report"

Object = dict[str, Any]

_ROLES = {"bot": "assistant", "assistant": "assistant", "user": "user", "system": "system"}
_SPEAKERS = {"ai": "assistant", "assistant": "assistant", "bot": "assistant", "user": "user"}
# Kept as they came, for people who look for them.
_KEPT = ("analysis", "costBreakdown", "costs", "destination")
_KEPT_OF_CALL = ("type", "orgId", "phoneNumberId", "squadId", "workflowId")


def read(body: JsonValue) -> CallIngest | str:
    """The conversation of a report; for any other message, why it is ignored.

    Raises:
        NativeFaultError: not a server message, or a report that does not name its call.
    """
    message = obj(body).get("message")
    if not isinstance(message, dict):
        raise NativeFaultError("message", "Field required: a Vapi server message")
    kind = text(message.get("type"))
    if kind is None:
        raise NativeFaultError("message.type", "Field required: the type of the message")
    if kind != TERMINAL:
        return f"the Vapi message {kind} is not {TERMINAL}"
    call = obj(message.get("call"))
    call_id = text(call.get("id"))
    if call_id is None:
        raise NativeFaultError("message.call.id", "Field required: the id of the call")
    return call_ingest(_document(call_id, message, call))


def _document(call_id: str, message: Object, call: Object) -> Object:
    artifact, assistant = obj(message.get("artifact")), obj(message.get("assistant"))
    assistant = assistant or obj(call.get("assistant"))
    turns = _turns(first(artifact.get("messages"), message.get("messages"), call.get("messages")))
    turns = turns or spoken(first(artifact.get("transcript"), message.get("transcript")), _SPEAKERS)
    prompt = _prompt(assistant)
    if turns and turns[0]["role"] == "system":
        # As the call had it, with its variables filled in.
        prompt, turns = turns[0]["content"], turns[1:]
    return {
        "call": _call(call_id, message, call, artifact),
        "agent": _agent(call, assistant),
        "version": text(first(message.get("assistantVersion"), call.get("assistantVersion"))),
        "transcript": {"turns": turns},
        "systemPrompt": prompt,
        "metadata": {
            **obj(first(call.get("metadata"), assistant.get("metadata"))),
            "vapi": without_nones(
                {name: call.get(name) for name in _KEPT_OF_CALL}
                | {name: first(message.get(name), call.get(name)) for name in _KEPT}
            ),
        },
    }


def _call(call_id: str, message: Object, call: Object, artifact: Object) -> Object:
    started = first(time(message.get("startedAt")), time(call.get("startedAt")))
    ended = first(time(message.get("endedAt")), time(call.get("endedAt")))
    customer = obj(first(message.get("customer"), call.get("customer")))
    breakdown = obj(first(message.get("costBreakdown"), call.get("costBreakdown")))
    return {
        "externalId": call_id,
        "startedAt": started,
        "endedAt": ended,
        "durationSeconds": _duration(message, started, ended),
        "endedReason": first(text(message.get("endedReason")), text(call.get("endedReason"))),
        "cost": first(
            number(message.get("cost")), number(call.get("cost")), number(breakdown.get("total"))
        ),
        "recordingUrl": _recording(artifact, message, call),
        "customer": {
            "number": first(text(customer.get("number")), text(customer.get("sipUri"))),
            "name": text(customer.get("name")),
        },
    }


def _duration(message: Object, started: str | None, ended: str | None) -> float | None:
    seconds, ms = number(message.get("durationSeconds")), number(message.get("durationMs"))
    if seconds is not None or ms is not None:
        return seconds if seconds is not None else (ms or 0.0) / 1000
    if started is None or ended is None:
        return None
    length = datetime.fromisoformat(ended) - datetime.fromisoformat(started)
    return number(length.total_seconds())


def _recording(artifact: Object, message: Object, call: Object) -> str | None:
    recording = obj(artifact.get("recording"))
    found: str | None = first(
        url(artifact.get("recordingUrl")),
        url(message.get("recordingUrl")),
        url(obj(recording.get("mono")).get("combinedUrl")),
        url(artifact.get("presignedMonoUrl")),
        url(recording.get("stereoUrl")),
        url(artifact.get("stereoRecordingUrl")),
        url(call.get("recordingUrl")),
    )
    return found


def _agent(call: Object, assistant: Object) -> Object:
    name = text(assistant.get("name"))
    identity = first(
        text(call.get("assistantId")),
        text(assistant.get("id")),
        text(call.get("squadId")),
        text(call.get("workflowId")),
        name,
        # An assistant that was only written into the call has no id of its own.
        "inline-assistant",
    )
    return {"externalId": identity, "name": name}


def _prompt(assistant: Object) -> str | None:
    model = obj(assistant.get("model"))
    system = [each for each in items(model.get("messages")) if each.get("role") == "system"]
    said = [text(each.get("content")) for each in system]
    found: str | None = first(*said, text(model.get("systemPrompt")))
    return found


def _turns(messages: JsonValue) -> list[Object]:
    turns: list[Object] = []
    tools = Tools()
    for message in items(messages):
        start = number(message.get("secondsFromStart"))
        if message.get("role") == "tool_calls":
            for each in items(message.get("toolCalls")):
                function = obj(each.get("function"))
                name, arguments = text(function.get("name")), function.get("arguments")
                turns.append(tools.called(text(each.get("id")), name, arguments, start))
        elif message.get("role") == "tool_call_result":
            error = message.get("error")
            orphan = tools.returned(
                text(message.get("toolCallId")),
                text(message.get("name")),
                message.get("result") if error is None else error,
                start,
                failed=error is not None,
            )
            turns += [] if orphan is None else [orphan]
        else:
            role, said = _ROLES.get(str(message.get("role"))), text(message.get("message"))
            if role is not None and said is not None:
                turns.append(turn(role, said, start, _end(message, start)))
    tools.finish()
    return turns


def _end(message: Object, start: float | None) -> float | None:
    """The end of a turn: ``time`` and ``endTime`` are milliseconds since 1970."""
    begun, ended = number(message.get("time")), number(message.get("endTime"))
    if start is None or begun is None or ended is None:
        return None
    return round(start + (ended - begun) / 1000, 3)
