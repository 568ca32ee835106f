"""Prices of the user's own: a mapping, a function, or a file for every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from zelto_agents.cost._names import provider_name
from zelto_agents.cost._parts import Part, Unpriced, number
from zelto_agents.cost._rates import Charge, Rates
from zelto_agents.cost._table import most_exact

__all__ = ["OwnPrices", "Prices"]

Prices = (
    Mapping[str, Mapping[str, Any]] | Callable[[Mapping[str, Any]], Decimal | float | int | None]
)
"""``{"deepgram/nova-3": {"per_audio_minute": 0.0043}, "twilio/*": {"per_minute": 0.01}}``, or a
function from a part of the usage to dollars, None for the published price."""


class OwnPrices:
    """The user's prices, each checked once. Making them never raises.

    Args:
        prices: see ``Prices``.
    """

    def __init__(self, prices: Prices | object | None = None) -> None:
        self.problems: dict[str, str] = {}
        """What cannot be used, by its path; parts that it is for are named as unpriced."""
        self._function: Callable[[Mapping[str, Any]], object] | None = None
        self._rates: dict[str, Rates | str] = {}
        if callable(prices):
            self._function = prices
        elif isinstance(prices, Mapping):
            for key, rates in prices.items():
                self._take(key, rates)
        elif prices is not None:
            self.problems["prices"] = "expected a mapping or a function"

    @classmethod
    def chosen(cls, argument: Prices | None, file: Path | None) -> Self:
        """Those of the argument, else of the file (``ZELTO_PRICES``), else none."""
        if argument is not None or file is None:
            return cls(argument)
        try:
            return cls(json.loads(file.read_bytes()))
        except (OSError, ValueError) as fault:
            own = cls()
            own.problems["ZELTO_PRICES"] = f"{file} cannot be read ({type(fault).__name__})"
            return own

    def _take(self, key: object, rates: object) -> None:
        if not isinstance(key, str) or "/" not in key:
            self.problems[str(key)] = "expected a key such as deepgram/nova-3 or deepgram/*"
            return
        label, _, model = key.partition("/")
        name = f"{provider_name(label)}/{model.strip().lower()}"
        try:
            self._rates[name] = Rates.model_validate(rates)
        except ValidationError as fault:
            reasons = []
            for error in fault.errors(include_url=False, include_input=False):
                path = ".".join(map(str, (key, *error["loc"])))
                self.problems[path] = error["msg"]
                reasons.append(f"{path}: {error['msg']}")
            self._rates[name] = f"your price is not usable ({'; '.join(reasons)})"

    def charge(self, part: Part) -> tuple[Decimal, Mapping[str, Decimal]] | None:
        """Dollars, and the prices that were used; None where the user has none.

        Raises:
            Unpriced: there is a price, but it cannot be used for this.
        """
        if self._function is not None:
            return self._asked(self._function, part)
        found = most_exact(self._rates, part.key)
        if found is None:
            return None
        rates = self._rates[found]
        if isinstance(rates, str):
            raise Unpriced(rates)
        charge: Charge = rates.charge(part)
        return charge.usd, charge.used

    def _asked(
        self, function: Callable[[Mapping[str, Any]], object], part: Part
    ) -> tuple[Decimal, Mapping[str, Decimal]] | None:
        try:
            answer = function(dict(part.told))
        except Exception as fault:  # noqa: BLE001 - the user's function
            raise Unpriced(f"your function failed ({type(fault).__name__})") from None
        if answer is None:
            return None
        usd = number(answer)
        if usd is None:
            raise Unpriced("your function returned no amount of dollars")
        return usd, {}
