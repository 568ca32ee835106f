"""The states of a delivery, as options name them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["StateName"]


class StateName(StrEnum):
    """``State``, for ``--state``."""

    live = "live"
    due = "due"
    held = "held"
    dead = "dead"
    sent = "sent"
    awaited = "awaited"
    skipped = "skipped"
