"""Rates: what one unit costs, and what a part costs by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zelto_agents.cost._parts import Part, Unpriced

__all__ = ["Charge", "Rates", "token_counts"]

_Dollars = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
_MILLION = Decimal(1_000_000)


class Rates(BaseModel):
    """Prices in US dollars of one model, or of a carrier's minute; at least one of them.

    A cached token without a price of its own costs what any input token does; so does one that is
    written to the cache. An audio token is never priced as text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_million_input_tokens: _Dollars | None = None
    per_million_cached_input_tokens: _Dollars | None = None
    per_million_cache_creation_tokens: _Dollars | None = None
    per_million_output_tokens: _Dollars | None = None
    per_million_input_audio_tokens: _Dollars | None = None
    per_million_cached_input_audio_tokens: _Dollars | None = None
    per_million_output_audio_tokens: _Dollars | None = None
    per_million_characters: _Dollars | None = None
    per_audio_minute: _Dollars | None = None
    per_audio_hour: _Dollars | None = None
    per_minute: _Dollars | None = None
    """Of telephony, each begun minute; of a realtime session, to the second."""
    per_request: _Dollars | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.model_fields_set:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"a price is missing; there are {known}")
        return self

    def charge(self, part: Part) -> Charge:
        """What the part costs.

        Raises:
            Unpriced: a price is missing for something that was consumed.
        """
        for meters in _METERS.get(part.kind, ((_requests,),)):
            charge = Charge(self)
            for meter in meters:
                meter(charge, part)
            if charge.used:
                return charge
        told = ", ".join(sorted(part.quantities))
        raise Unpriced(f"its price is for something else than {told}")


class Charge:
    """Adds up, and remembers which prices were used."""

    def __init__(self, rates: Rates) -> None:
        self.usd = Decimal(0)
        self.used: dict[str, Decimal] = {}
        self._rates = rates

    def add(self, names: str | tuple[str, ...], count: Decimal, per: Decimal) -> None:
        """Add a count, by the first of these prices that there is.

        Raises:
            Unpriced: there is none.
        """
        if not count:
            return
        for name in (names,) if isinstance(names, str) else names:
            rate = getattr(self._rates, name)
            if rate is not None:
                self.used[name] = rate
                self.usd += rate * count / per
                return
        raise Unpriced(f"{names if isinstance(names, str) else names[0]} has no price")

    def has(self, *names: str) -> bool:
        """Whether one of these prices is there."""
        return any(getattr(self._rates, name) is not None for name in names)


def token_counts(part: Part) -> Mapping[str, Decimal]:
    """Tokens by what they cost: each counted once.

    Raises:
        Unpriced: some are more than those that they are a part of.
    """
    cached_audio = part.of("input_cached_audio_tokens")
    counts = {
        "cached_audio": cached_audio,
        "audio": part.of("input_audio_tokens") - cached_audio,
        "cached": part.of("input_cached_tokens") - cached_audio,
        "created": part.of("input_cache_creation_tokens"),
        "audio_out": part.of("output_audio_tokens"),
    }
    counts["text"] = part.of("input_tokens") - sum(
        counts[name] for name in ("cached_audio", "audio", "cached", "created")
    )
    counts["text_out"] = part.of("output_tokens") - counts["audio_out"]
    if min(counts.values()) < 0:
        raise Unpriced("its token counts contradict one another")
    return counts


def _tokens(charge: Charge, part: Part) -> None:
    if not charge.has(*(n for n in Rates.model_fields if n.endswith("_tokens"))):
        return
    counts = token_counts(part)
    text, audio = "per_million_input_tokens", "per_million_input_audio_tokens"
    charge.add(text, counts["text"], _MILLION)
    charge.add(("per_million_cached_input_tokens", text), counts["cached"], _MILLION)
    charge.add(("per_million_cache_creation_tokens", text), counts["created"], _MILLION)
    charge.add(audio, counts["audio"], _MILLION)
    cached_audio = ("per_million_cached_input_audio_tokens", audio)
    charge.add(cached_audio, counts["cached_audio"], _MILLION)
    charge.add("per_million_output_tokens", counts["text_out"], _MILLION)
    charge.add("per_million_output_audio_tokens", counts["audio_out"], _MILLION)


def _session(charge: Charge, part: Part) -> None:
    if charge.has("per_minute"):
        charge.add("per_minute", part.of("session_duration"), Decimal(60))


def _characters(charge: Charge, part: Part) -> None:
    if charge.has("per_million_characters"):
        charge.add("per_million_characters", part.of("characters_count"), _MILLION)


def _audio(charge: Charge, part: Part) -> None:
    seconds = part.of("audio_duration")
    if charge.has("per_audio_minute"):
        charge.add("per_audio_minute", seconds, Decimal(60))
    elif charge.has("per_audio_hour"):
        charge.add("per_audio_hour", seconds, Decimal(3600))


def _minutes(charge: Charge, part: Part) -> None:
    begun = (part.of("duration") / 60).to_integral_value(ROUND_CEILING)
    if charge.has("per_minute"):
        charge.add("per_minute", begun, Decimal(1))


def _requests(charge: Charge, part: Part) -> None:
    if charge.has("per_request"):
        charge.add("per_request", part.of("total_requests"), Decimal(1))


_Meter = Callable[[Charge, Part], None]
# By what each kind is billed. The first that both the price and the usage have counts; those of
# one group are added.
_METERS: Mapping[str, tuple[tuple[_Meter, ...], ...]] = {
    "llm": ((_tokens, _session),),
    "tts": ((_characters,), (_tokens,), (_audio,)),
    "stt": ((_audio,), (_tokens,)),
    "telephony": ((_minutes,),),
}
