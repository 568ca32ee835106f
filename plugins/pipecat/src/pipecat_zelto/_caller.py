"""Who calls, and what the call is called, from what the runner was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["external_id", "known_of", "name_of", "numbers"]

_IDS = ("call_sid", "_call_sid", "_call_control_id", "_call_id")


def external_id(runner_args: Any, worker: Any) -> str | None:
    """The provider's id of the call, else the runner's of the session, else the worker's own.

    Args:
        runner_args: Pipecat's ``RunnerArguments``, if there are any.
        worker: the ``PipelineWorker``, if it is known yet.
    """
    known = (
        _of(getattr(runner_args, "call_data", None), "call_id"),
        _dial_in(runner_args).get("call_id"),
        _serializer_id(worker),
        getattr(runner_args, "session_id", None),
        getattr(worker, "_conversation_id", None),
    )
    return next((str(one) for one in known if one), None)


def numbers(runner_args: Any) -> tuple[str | None, str | None]:
    """From which number, and to which; telephone calls only."""
    data = getattr(runner_args, "call_data", None)
    dial_in = _dial_in(runner_args)
    caller = _of(data, "from_number") or dial_in.get("From") or dial_in.get("from")
    called = _of(data, "to_number") or dial_in.get("To") or dial_in.get("to")
    return caller, called


def known_of(runner_args: Any, worker: Any) -> dict[str, Any]:
    """Ids for ``metadata.pipecat``."""
    data = getattr(runner_args, "call_data", None)
    known = {
        "callId": _of(data, "call_id") or _dial_in(runner_args).get("call_id"),
        "streamId": _of(data, "stream_id"),
        "sessionId": getattr(runner_args, "session_id", None),
        "roomName": getattr(runner_args, "room_name", None),
        "roomUrl": getattr(runner_args, "room_url", None),
        "transportType": getattr(runner_args, "transport_type", None),
        "calledNumber": numbers(runner_args)[1],
        "conversationId": getattr(worker, "_conversation_id", None),
        "worker": name_of(worker),
    }
    return {name: str(value) for name, value in known.items() if value}


def name_of(worker: Any) -> str | None:
    """The name that the user gave the worker; Pipecat's own ones are numbered."""
    name = getattr(worker, "name", None)
    return name if isinstance(name, str) and name and "#" not in name else None


def _of(data: Any, name: str) -> str | None:
    value = getattr(data, name, None)
    if value is None and isinstance(data, Mapping):
        value = data.get(name)
    return str(value) if value else None


def _dial_in(runner_args: Any) -> Mapping[str, Any]:
    """Daily's settings of a call that came in, in the body that its webhook was answered with."""
    body = getattr(runner_args, "body", None)
    dump = getattr(body, "model_dump", None)
    found = (dump() if callable(dump) else body) or {}
    settings = found.get("dialin_settings") if isinstance(found, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}


def _serializer_id(worker: Any) -> str | None:
    """The id that a telephony serializer of one's own FastAPI endpoint was made with."""
    stack = [worker.pipeline] if worker is not None else []
    while stack:
        processor = stack.pop()
        serializer = getattr(getattr(processor, "_params", None), "serializer", None)
        for name in _IDS:
            if value := getattr(serializer, name, None):
                return str(value)
        stack.extend(getattr(processor, "processors", ()))
    return None
