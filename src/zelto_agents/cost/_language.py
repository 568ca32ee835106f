"""Language models, by ``genai-prices``: it is imported here alone, and when something needs it.

Importing it takes a third of a second and 10 MB once it is compiled, and a second and 70 MB where
Python keeps no bytecode. It does not touch the network, unless the host asks it to update itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from zelto_agents.cost._parts import Part, Unpriced

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

__all__ = ["INSTALL", "NO_PRICE", "language_charge"]

INSTALL = "install zelto-agents[cost]"
NO_PRICE = "no published price is known"

# Where its name for a provider is another than ours.
_PROVIDERS = {"xai": "x-ai"}
# Its names for what we are told, and for the prices of it.
_UNITS = {
    "input_tokens": ("input_tokens", "input_mtok", "per_million_input_tokens"),
    "cache_read_tokens": (
        "input_cached_tokens",
        "cache_read_mtok",
        "per_million_cached_input_tokens",
    ),
    "cache_write_tokens": (
        "input_cache_creation_tokens",
        "cache_write_mtok",
        "per_million_cache_creation_tokens",
    ),
    "input_audio_tokens": (
        "input_audio_tokens",
        "input_audio_mtok",
        "per_million_input_audio_tokens",
    ),
    "cache_audio_read_tokens": (
        "input_cached_audio_tokens",
        "cache_audio_read_mtok",
        "per_million_cached_input_audio_tokens",
    ),
    "input_image_tokens": (
        "input_image_tokens",
        "input_image_mtok",
        "per_million_input_image_tokens",
    ),
    "cache_image_read_tokens": (
        "input_cached_image_tokens",
        "cache_image_read_mtok",
        "per_million_cached_input_image_tokens",
    ),
    "output_tokens": ("output_tokens", "output_mtok", "per_million_output_tokens"),
    "output_audio_tokens": (
        "output_audio_tokens",
        "output_audio_mtok",
        "per_million_output_audio_tokens",
    ),
    "input_characters": ("characters_count", "input_mchars", "per_million_characters"),
}
_OF_THEIR_OWN = ("input_audio_tokens", "input_image_tokens", "output_audio_tokens")
# Its models cost the same for sound and pictures as for text, unless a price says otherwise.
_ONE_FOR_ALL = ("google",)


def language_charge(part: Part, at: datetime | None) -> tuple[Decimal, Mapping[str, Decimal]]:
    """Dollars, and the prices that were used.

    Args:
        part: with what was consumed in a whole call.
        at: when, now without it; some prices change with the day, or the hour.

    Raises:
        Unpriced: it cannot be said what it costs.
    """
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        raise Unpriced(INSTALL) from None
    if not part.provider or not part.model:
        raise Unpriced(f"its {'model' if part.provider else 'provider'} is not known")
    provider = _PROVIDERS.get(part.provider, part.provider)
    try:
        found = calc_price(
            Usage(), part.model, provider_id=provider, genai_request_timestamp=at
        ).model_price
        prices = _lowest_tiers(found)
        if not prices.__dict__:
            raise Unpriced(NO_PRICE)
        counts = _counts(part, prices)
        usd = prices.calc_price(Usage(**counts))["total_price"]
    except LookupError:
        raise Unpriced(NO_PRICE) from None
    except ValueError:
        raise Unpriced("its token counts contradict one another") from None
    return usd, _used(counts, prices)


def _lowest_tiers(found: ModelPrice) -> ModelPrice:
    """Prices that do not rise with the size of a request: we know the sum of a call's alone."""
    from genai_prices.types import ModelPrice, TieredPrices

    known: dict[str, Any] = dict(found.__dict__)
    return ModelPrice(
        **{
            name: price.base if isinstance(price, TieredPrices) else price
            for name, price in known.items()
        }
    )


def _counts(part: Part, prices: ModelPrice) -> dict[str, Any]:
    if prices.requests_kcount:
        raise Unpriced("it is billed by request too, and their number was not reported")
    counts: dict[str, Any] = {unit: part.of(told) for unit, (told, *_) in _UNITS.items()}
    seconds = part.of("session_duration") or part.of("audio_duration")
    by_token = prices.input_mtok is not None or prices.output_mtok is not None
    by_time = prices.audio_hours is not None
    if by_time:
        counts["audio_seconds"] = counts["input_audio_seconds"] = seconds
    if not (by_token and (counts["input_tokens"] or counts["output_tokens"])):
        if by_time and not seconds:
            told = "neither session_duration nor audio_duration was reported"
            raise Unpriced(f"it is billed by time, and {told}")
        if not by_time and not (prices.input_mchars is not None and counts["input_characters"]):
            told = "input_tokens and output_tokens, which were not reported"
            raise Unpriced(f"it is billed by {told}" if by_token else "it has no price")
    elif part.kind == "stt" and not counts["input_audio_tokens"]:
        raise Unpriced("which of its tokens were audio was not reported")
    else:
        _covered(part, prices, counts)
    return counts


def _covered(part: Part, prices: ModelPrice, counts: Mapping[str, Decimal]) -> None:
    """Tokens of each kind have a price: those of sound are dearer than those of text."""
    wanted = ["input_tokens", "output_tokens"]
    if part.provider not in _ONE_FOR_ALL:
        wanted += _OF_THEIR_OWN
    for unit in wanted:
        told, price, _ = _UNITS[unit]
        if counts[unit] and getattr(prices, price) is None:
            raise Unpriced(f"no published price of its {told} is known")


def _used(counts: Mapping[str, Decimal], prices: ModelPrice) -> dict[str, Decimal]:
    used = {
        name: getattr(prices, price)
        for unit, (_, price, name) in _UNITS.items()
        if counts[unit] and getattr(prices, price) is not None
    }
    if counts.get("audio_seconds"):
        used["per_audio_hour"] = prices.audio_hours
    return used
