"""Parts of usage, as the plugins tell them: whose, which model, how much."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zelto_agents._frozen import frozen
from zelto_agents.cost._names import model_name, provider_name

__all__ = ["Part", "Unpriced", "number", "parts_of"]

_KINDS = {
    "llm_usage": "llm",
    "tts_usage": "tts",
    "stt_usage": "stt",
    "interruption_usage": "interruption",
    "eot_usage": "eot",
}
_WORDS = ("type", "provider", "model")
UNREPORTED = "unreported_completions"
MOST = 10**12
# What something may be billed by. Of these nothing is passed over: it would make a price too low.
_BILLED = (
    *(f"input_{name}tokens" for name in ("", "cached_", "cache_creation_", "audio_", "image_")),
    *(f"input_cached_{name}_tokens" for name in ("audio", "image")),
    "output_tokens",
    "output_audio_tokens",
    "characters_count",
    "audio_duration",
    "session_duration",
    "duration",
    "total_requests",
    UNREPORTED,
)


class Unpriced(Exception):  # noqa: N818 - no error: the reason why a part has no price
    """Why a part cannot be priced, in words for people."""


@frozen
class Part:
    """One provider's model, and what was consumed of it."""

    provider: str
    model: str
    kind: str
    quantities: Mapping[str, Decimal]
    told: Mapping[str, Any]
    """As it was told, for a price function of the user's."""
    broken: str | None = None
    """Which quantity is none."""

    def of(self, name: str) -> Decimal:
        """A quantity; 0 if nothing of it was told."""
        return self.quantities.get(name, Decimal(0))

    @property
    def key(self) -> str:
        """Under which it is found in a price list."""
        return f"{self.provider}/{self.model}"


def number(value: object) -> Decimal | None:
    """An amount that a call can have, of tokens or of dollars; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        return Decimal(str(value)) if 0 <= value <= MOST else None
    except ArithmeticError:  # a signalling NaN
        return None


def parts_of(told: Mapping[str, Any]) -> list[Part]:
    """What was told, with what nobody reported as a part of its own."""
    values = {name: value for name, value in told.items() if name not in _WORDS}
    missing = values.pop(UNREPORTED, None)
    found = [_part(told, values)] if values or not missing else []
    if missing:
        found.append(_part(told, {UNREPORTED: missing}))
    return found


def _part(told: Mapping[str, Any], values: Mapping[str, object]) -> Part:
    amounts = {name: number(value) for name, value in values.items() if value is not None}
    words = [value if isinstance(value := told.get(w), str) else "" for w in _WORDS]
    return Part(
        provider=provider_name(words[1]),
        model=model_name(words[2]),
        kind=_KINDS.get(words[0], words[0].removesuffix("_usage")),
        quantities={name: amount for name, amount in amounts.items() if amount},
        told=told,
        broken=next((name for name in _BILLED if name in amounts and amounts[name] is None), None),
    )
