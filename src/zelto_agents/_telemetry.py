"""Figures of the delivery for OpenTelemetry, when the host uses it; no ids, nothing personal.

``zelto.delivery.attempts`` by ``outcome`` and ``zelto.calls.adopted`` from each process; from the
one that sweeps for all ``zelto.outbox.deliveries`` by ``state``, and ``zelto.outbox.oldest_age`` in
seconds.
"""

from __future__ import annotations

import functools
import sys
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, get_args

from zelto_agents.outbox import State, Stats
from zelto_agents.policy import Action

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

__all__ = ["Telemetry"]

_all: weakref.WeakSet[Telemetry] = weakref.WeakSet()


class Telemetry:
    """What one delivery thread tells; without OpenTelemetry in the process, nothing is imported."""

    def __init__(self) -> None:
        self.stats: Stats | None = None
        """What the outbox holds; None where another process tells."""
        self._attempts, self._adopted = None, None
        if "opentelemetry" in sys.modules:
            self._attempts, self._adopted = _instruments()
            _all.add(self)

    @property
    def active(self) -> bool:
        """Whether anybody looks."""
        return self._attempts is not None

    def attempted(self, outcome: Action) -> None:
        """One attempt ended so."""
        if self._attempts is not None:
            self._attempts.add(1, {"outcome": outcome})

    def adopted(self, calls: int) -> None:
        """So many calls of dead processes were finished."""
        if self._adopted is not None and calls:
            self._adopted.add(calls)


@functools.cache
def _instruments() -> tuple[Any, Any]:
    """Made once in a process: a second gauge of the same name would never be asked."""
    from opentelemetry import metrics

    meter = metrics.get_meter("zelto_agents", version("zelto-agents"))
    meter.create_observable_gauge("zelto.outbox.deliveries", [_observe(_counts)], "{delivery}")
    meter.create_observable_gauge("zelto.outbox.oldest_age", [_observe(_age)], "s")
    return (
        meter.create_counter("zelto.delivery.attempts", "{attempt}"),
        meter.create_counter("zelto.calls.adopted", "{call}"),
    )


def _observe(
    figures: Callable[[list[Stats]], list[tuple[float, dict[str, str]]]],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def callback(_: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        # Of the delivery threads; this is the exporter's.
        known = [stats for one in list(_all) if (stats := one.stats) is not None]
        return [Observation(*figure) for figure in figures(known)] if known else []

    return callback


def _counts(known: list[Stats]) -> list[tuple[float, dict[str, str]]]:
    counts: Counter[State] = Counter()
    for stats in known:
        counts.update(stats.counts)
    return [(counts[state], {"state": state}) for state in get_args(State)]


def _age(known: list[Stats]) -> list[tuple[float, dict[str, str]]]:
    since = [stats.waiting_since for stats in known if stats.waiting_since is not None]
    return [(max(0.0, time.time() - min(since)) if since else 0.0, {})]
