"""What the contract has against a body, before it is sent."""

from __future__ import annotations

import json
from typing import NoReturn

from pydantic import ValidationError

from zelto_agents.contract import CANONICAL_PROVIDERS, PROVIDERS, CallIngest, describe

__all__ = ["violations"]

Violation = dict[str, str]


def violations(body: bytes, provider: str) -> list[Violation]:
    """Each violation of the contract as ``{"path", "message"}``; the path is empty for the whole.

    A canonical body is checked field by field, unknown fields included; of a native one it is
    known only that it is a JSON object.
    """
    if provider not in PROVIDERS:
        allowed = ", ".join(PROVIDERS)
        return [{"path": "X-Zelto-Provider", "message": f"must be one of {allowed}"}]
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_no_json)
    except (ValueError, RecursionError) as fault:
        return [{"path": "", "message": f"not JSON: {_why(fault)}"}]
    if not isinstance(value, dict):
        return [{"path": "", "message": "must be a JSON object"}]
    if provider not in CANONICAL_PROVIDERS:
        return []
    try:
        CallIngest.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
    except ValidationError as error:
        return describe(error)
    return []


def _no_json(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _why(fault: Exception) -> str:
    if isinstance(fault, UnicodeDecodeError):
        return f"byte {fault.start} is not UTF-8"
    return "nested too deeply" if isinstance(fault, RecursionError) else str(fault)
