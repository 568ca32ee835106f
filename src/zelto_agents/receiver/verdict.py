"""What the contract says to one authenticated body: a pure function, no clock, no I/O."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from pydantic import JsonValue, ValidationError

from zelto_agents.contract import PROVIDERS, CallIngest, describe, plain_json
from zelto_agents.receiver.native import READERS, NativeFaultError

__all__ = ["DEFAULT_PROVIDER", "State", "Verdict", "judge"]

State = Literal["received", "ingested", "unconnected", "ignored", "failed", "rejected"]
DEFAULT_PROVIDER = "zelto"

Faults = list[dict[str, str]]

# What pydantic's JSON parser takes and JavaScript's does not, or what no database can hold.
_DOUBTFUL = (b"NaN", b"Infinity", b"\\u0000")
_ENDLESS = re.compile(rb"[0-9]{300}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one body, and what becomes of it after the answer.

    ``state`` is ``received`` when ``call`` waits for ingest; the other states are final.
    """

    status: int
    answer: dict[str, JsonValue]
    state: State
    reason: str | None = None
    external_id: str | None = None
    provider: str = DEFAULT_PROVIDER
    call: CallIngest | None = None


def judge(provider: str | None, body: bytes) -> Verdict:
    """Decides on one body, whatever its bytes are; never raises.

    Args:
        provider: the ``X-Zelto-Provider`` header, or None when it is absent.
        body: the bytes as they came.
    """
    provider = DEFAULT_PROVIDER if provider is None else provider
    if provider not in PROVIDERS:
        allowed = f"X-Zelto-Provider must be one of {', '.join(PROVIDERS)}"
        return _refusal("Unsupported provider", details=allowed)
    if provider not in READERS and (call := _sound(body)) is not None:
        return _accepted(provider, call)
    try:
        value = _parse(body)
    except (ValueError, RecursionError):
        return _refusal("Invalid JSON")
    if provider in READERS:
        return _native(provider, value)
    try:
        return _accepted(provider, _call(json.dumps(value)))
    except ValidationError as error:
        return _refusal("Validation failed", details=describe(error), about=_external_id(value))


def _sound(body: bytes) -> CallIngest | None:
    """The call, if the body can be taken as it is: several times faster than the careful way."""
    if any(each in body for each in _DOUBTFUL):
        return None
    try:
        call = _call(body)
    except ValidationError:
        return None
    if call.metadata is None:
        return call
    if _ENDLESS.search(body):
        return None
    metadata = {key: plain_json(value, depth=30) for key, value in call.metadata.items()}
    return call.model_copy(update={"metadata": metadata})


def _call(body: bytes | str) -> CallIngest:
    return CallIngest.model_validate_json(body, extra="ignore", by_alias=True, by_name=False)


def _accepted(provider: str, call: CallIngest) -> Verdict:
    external_id = call.call.external_id
    return Verdict(200, {"received": True}, "received", None, external_id, provider, call)


def _native(provider: str, value: JsonValue) -> Verdict:
    try:
        call = READERS[provider](value)
    except NativeFaultError as fault:
        details = [{"path": fault.path, "message": str(fault)}]
        return _refusal("Validation failed", details=details)
    except ValidationError as error:
        return _refusal("Validation failed", details=describe(error))
    if isinstance(call, str):
        return Verdict(200, {"received": True}, "ignored", call, provider=provider)
    return _accepted(provider, call)


def _refusal(
    error: str, *, details: Faults | str | None = None, about: str | None = None
) -> Verdict:
    answer: dict[str, JsonValue] = {"error": error}
    reason = error
    if isinstance(details, str):
        answer["details"] = details
        reason = f"{error}: {details}"
    elif details is not None:
        answer["details"] = [dict[str, JsonValue](fault) for fault in details]
        named = "; ".join(
            f"{fault['path'] or 'body'}: {fault['message']}" for fault in details[:20]
        )
        reason = f"{error}: {named}"
    return Verdict(400, answer, "rejected", reason, about)


def _parse(body: bytes) -> JsonValue:
    # As JavaScript reads a body: UTF-8 only, a byte order mark is skipped, the last duplicate wins.
    text = body.decode("utf-8-sig")
    return plain_json(json.loads(text, parse_constant=_not_json, parse_int=_number))


def _not_json(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _number(digits: str) -> int | float:
    # int() refuses more than 4,300 digits; a double that large is an infinity.
    return int(digits) if len(digits) < 400 else float(digits)


def _external_id(value: JsonValue) -> str | None:
    call = value.get("call") if isinstance(value, dict) else None
    external_id = call.get("externalId") if isinstance(call, dict) else None
    return external_id if isinstance(external_id, str) else None
