"""The table: published prices of speech and telephony, each with its source."""

from __future__ import annotations

import functools
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zelto_agents._frozen import frozen
from zelto_agents.cost._rates import Rates

__all__ = ["Row", "most_exact", "row_of", "rows"]

_RATES = frozenset(Rates.model_fields)


@frozen
class Row:
    """One price of a provider's, for the models that these patterns name."""

    provider: str
    kind: str
    models: tuple[str, ...]
    rates: Rates
    source: str
    """The page that publishes it."""
    read: str
    """The day on which it was read there."""
    via: str | None
    """By whom, if not by us."""
    note: str | None


@functools.cache
def rows() -> tuple[Row, ...]:
    """All of them."""
    listed = json.loads(Path(__file__).with_name("prices.json").read_bytes())
    return tuple(_row(values) for values in listed)


def _row(values: dict[str, Any]) -> Row:
    return Row(
        provider=values["provider"],
        kind=values["kind"],
        models=tuple(values["models"]),
        rates=Rates.model_validate({k: v for k, v in values.items() if k in _RATES}),
        source=values["source"],
        read=values["read"],
        via=values.get("via"),
        note=values.get("note"),
    )


def row_of(provider: str, kind: str, model: str) -> Row | None:
    """The row for a model, by the pattern that says the most."""
    found = {
        pattern: row
        for row in rows()
        if row.provider == provider and row.kind == kind
        for pattern in row.models
    }
    best = most_exact(found, model)
    return None if best is None else found[best]


def most_exact(patterns: Any, name: str) -> str | None:
    """Of the patterns that match a name, the one with the fewest wildcards, then the longest."""
    matching = [p for p in patterns if p == name or ("*" in p and fnmatchcase(name, p))]
    return max(matching, key=lambda p: (p == name, -p.count("*"), len(p)), default=None)
