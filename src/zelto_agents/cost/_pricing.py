"""Pricing: from parts of usage to lines, and to a sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

from zelto_agents._frozen import frozen_by_name
from zelto_agents.cost._language import INSTALL, NO_PRICE, language_charge
from zelto_agents.cost._parts import UNREPORTED, Part, Unpriced, parts_of
from zelto_agents.cost._table import Row, row_of
from zelto_agents.cost._telephony import Telephony, told_parts, why_unpriced
from zelto_agents.cost._yours import OwnPrices, Prices

__all__ = ["Cost", "Line", "Source", "price"]

Source = Literal["genai-prices", "table", "yours"]

# A ten-billionth of a dollar: less than the smallest price of a token.
_EXACT = Decimal("1e-10")


@frozen_by_name
class Line:
    """What one part cost, or why that cannot be said: one of ``usd`` and ``unpriced`` is None."""

    provider: str
    model: str
    kind: str
    """``llm``, ``tts``, ``stt``, ``telephony``, ``interruption`` or ``eot``."""
    quantities: Mapping[str, Decimal]
    usd: Decimal | None = None
    unpriced: str | None = None
    rates: Mapping[str, Decimal] | None = None
    """The prices that were used, by the names that prices of the user's own have."""
    source: Source | None = None
    published: str | None = None
    """The page with the price; of the table's prices."""
    read: str | None = None
    """The day on which it was read there."""

    def metadata(self) -> dict[str, Any]:
        """As JSON; what is not known is left out, amounts of money are strings."""
        known: dict[str, Any] = {
            "provider": self.provider or "unknown",
            "model": self.model,
            "kind": self.kind,
            "quantities": {name: _plain(value) for name, value in self.quantities.items()},
            "usd": None if self.usd is None else _money(self.usd),
            "unpriced": self.unpriced,
            "price": {name: _money(rate) for name, rate in (self.rates or {}).items()},
            "source": self.source,
            "published": self.published,
            "read": self.read,
        }
        return {name: value for name, value in known.items() if value}


@frozen_by_name
class Cost:
    """What a call cost: the sum of all lines that have a price, None if none has one."""

    lines: tuple[Line, ...]

    @property
    def usd(self) -> Decimal | None:
        """Dollars; exactly the sum of the lines."""
        amounts = [line.usd for line in self.lines if line.usd is not None]
        return sum(amounts, Decimal(0)) if amounts else None

    @property
    def complete(self) -> bool:
        """Whether every part has a price; without that, the sum is a lower bound."""
        return all(line.usd is not None for line in self.lines)

    def metadata(self) -> dict[str, Any]:
        """The JSON of ``metadata.zelto.cost``.

        Dollars are strings of decimals, as in Zelto's read API, so that the lines add up to the
        total digit by digit. ``usd`` is left out when nothing could be priced.
        """
        total = {} if self.usd is None else {"usd": _money(self.usd)}
        lines = [line.metadata() for line in self.lines]
        return {**total, "complete": self.complete, "lines": lines}


def price(
    parts: Iterable[Mapping[str, Any]],
    *,
    prices: OwnPrices | Prices | None = None,
    duration: float | None = None,
    telephony: Sequence[Telephony] = (),
    at: datetime | None = None,
) -> Cost:
    """What the parts cost. Never raises for what is in them.

    Args:
        parts: of usage, as ``Call.usage`` takes them and the plugins tell them.
        prices: of the user's own; they beat the published ones.
        duration: of the call in seconds, which telephony is billed by.
        telephony: who carried the call.
        at: when the call began; now, without it.
    """
    own = prices if isinstance(prices, OwnPrices) else OwnPrices(prices)
    told = [*parts, *told_parts(telephony, duration)]
    return Cost(lines=tuple(_line(part, own, at) for one in told for part in parts_of(one)))


def _line(part: Part, own: OwnPrices, at: datetime | None) -> Line:
    found: dict[str, Any] = {}
    try:
        found = _found(part, own, at)
        found["usd"] = found["usd"].quantize(_EXACT, ROUND_HALF_EVEN)
    except Unpriced as why:
        found = {"unpriced": str(why)}
    return Line(
        provider=part.provider,
        model=part.model,
        kind=part.kind,
        quantities=part.quantities,
        **found,
    )


def _found(part: Part, own: OwnPrices, at: datetime | None) -> dict[str, Any]:
    if part.broken:
        raise Unpriced(f"{part.broken} is no amount")
    if UNREPORTED in part.quantities:
        raise Unpriced("they were interrupted, and the provider reported no usage")
    if not part.quantities:
        raise Unpriced("nothing was reported")
    yours = own.charge(part)
    if yours is not None:
        return {"usd": yours[0], "rates": yours[1], "source": "yours"}
    row = _row(part)
    if row is not None:
        charge = row.rates.charge(part)
        published = {"source": "table", "published": row.source, "read": row.read}
        return {"usd": charge.usd, "rates": charge.used, **published}
    if part.kind == "telephony":
        raise Unpriced(why_unpriced(part.provider, part.model))
    if not part.kind:
        raise Unpriced("its type is not known: it is llm_usage, tts_usage or stt_usage")
    if part.kind not in ("llm", "tts", "stt"):
        raise Unpriced(NO_PRICE)
    return _of_a_model(part, at)


def _row(part: Part) -> Row | None:
    model = str(part.told.get("published")) if part.kind == "telephony" else part.model
    return row_of(part.provider, part.kind, model)


def _of_a_model(part: Part, at: datetime | None) -> dict[str, Any]:
    try:
        usd, rates = language_charge(part, at)
    except Unpriced as why:
        if part.kind == "llm":
            raise
        # Speech is in our table, or most likely nowhere.
        raise Unpriced(NO_PRICE if str(why) == INSTALL else str(why)) from None
    return {"usd": usd, "rates": rates, "source": "genai-prices"}


def _money(amount: Decimal) -> str:
    text = format(amount.normalize(), "f")
    return "0" if text in ("-0", "") else text


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
