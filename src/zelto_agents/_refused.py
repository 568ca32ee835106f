"""What a host gives for a field of the contract: what cannot be sent is said, and kept."""

from __future__ import annotations

import logging
from typing import Any, cast

from zelto_agents.contract import clean_text, plain_json
from zelto_agents.fold import refusal

__all__ = ["amount", "check", "note", "text_of"]

logger = logging.getLogger("zelto_agents")


def check(field: str, value: object, source: str) -> str | None:
    """Why a value cannot be sent in this field, said once, here; the call goes on without it."""
    why = None if value is None else refusal(field, value)
    if why:
        logger.error(
            "%s cannot be sent as %s (%s); "
            "the call is sent without it, and the value is in metadata.zelto.refused",
            source,
            field,
            why,
        )
    return why


def amount(value: object) -> object:
    """A number as a float; anything else as it is, so that ``check`` says what is wrong with it."""
    try:
        return float(cast("Any", value))
    except (ArithmeticError, TypeError, ValueError):
        return value


def note(value: object, why: str) -> dict[str, str]:
    """A refused value with the reason, as ``metadata.zelto.refused`` has it."""
    # JSON has no NaN, but its name.
    text = str(value) if isinstance(value, float) else text_of(value)
    return {"value": text[:1000], "why": why}


def text_of(value: object) -> str:
    """As text that can be sent, whatever it is."""
    return clean_text(value if isinstance(value, str) else str(plain_json(value)))
