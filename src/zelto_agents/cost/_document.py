"""Pricing a document: a pure function, from one to one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zelto_agents.contract import CallIngest
from zelto_agents.cost._pricing import price
from zelto_agents.cost._telephony import telephony_of
from zelto_agents.cost._yours import OwnPrices

__all__ = ["priced"]


def priced(document: CallIngest, prices: OwnPrices) -> CallIngest:
    """The document with ``call.cost`` and, in ``metadata.zelto.cost``, what that is made of.

    A cost that is there already was given, and stays; the breakdown then names it as ``given``.
    Without usage and telephony nothing changes.
    """
    metadata: Mapping[str, Any] = document.metadata or {}
    zelto = metadata.get("zelto")
    notes: Mapping[str, Any] = zelto if isinstance(zelto, Mapping) else {}
    usage = notes.get("usage")
    parts = [part for part in usage if isinstance(part, Mapping)] if usage else []
    call = document.call
    cloud = any(part.get("provider") == "livekit" for part in parts)
    customer = call.customer.number if call.customer else None
    lines = telephony_of(metadata, customer, cloud=cloud)
    if not parts and not lines:
        return document
    cost = price(
        parts,
        prices=prices,
        duration=call.duration_seconds,
        telephony=lines,
        at=call.started_at,
    )
    told = cost.metadata()
    changes: dict[str, Any] = {}
    if call.cost is not None:
        told["given"] = str(Decimal(str(call.cost)))
    elif cost.usd is not None:
        changes["call"] = call.model_copy(update={"cost": float(cost.usd)})
    changes["metadata"] = {**metadata, "zelto": {**notes, "cost": told}}
    return document.model_copy(update=changes)
