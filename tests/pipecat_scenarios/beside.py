"""A pipeline with the plugin in it, held against the same one without."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pipecat.observers.base_observer import BaseObserver
from pipecat.processors.frame_processor import FrameProcessor

from pipecat_zelto import ZeltoObserver, ZeltoProcessor
from zelto_agents import Zelto
from zelto_agents.receiver import RunningReceiver

from .harmless import Beside, traced
from .traced import Trace

__all__ = [
    "ARGUMENTS",
    "DEADLINE",
    "Both",
    "First",
    "Last",
    "Observing",
    "arrives",
    "unharmed",
    "until",
    "without",
]

DEADLINE = 20.0
ARGUMENTS = SimpleNamespace(
    call_data=SimpleNamespace(call_id="CA1", from_number="+15550100", to_number="+15550199"),
    body={"dialin_settings": {"call_id": "D1", "From": "+15550100"}},
    session_id="session",
)
"""What a runner tells of a call that came in."""


class Last(Beside):
    """One processor, behind all others; ``options`` are its arguments."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def processor(self) -> ZeltoProcessor:
        """The one line."""
        return ZeltoProcessor(**self.options)

    def among(self, processors: list[FrameProcessor]) -> list[FrameProcessor]:
        """Stand last."""
        return [*processors, self.processor()]


class First(Last):
    """One processor, before all others."""

    def among(self, processors: list[FrameProcessor]) -> list[FrameProcessor]:
        """Stand first."""
        return [self.processor(), *processors]


class Observing(Last):
    """No processor; an observer."""

    def among(self, processors: list[FrameProcessor]) -> list[FrameProcessor]:
        """Stay out."""
        return processors

    def observers(self) -> list[BaseObserver]:
        """Observe."""
        return [ZeltoObserver(**self.options)]


class Both(Observing):
    """Processors before the first, between any two and behind the last; an observer as well."""

    def among(self, processors: list[FrameProcessor]) -> list[FrameProcessor]:
        """Stand everywhere."""
        pairs = [(self.processor(), one) for one in processors]
        return [one for pair in pairs for one in pair] + [self.processor(), self.processor()]


@functools.cache
def without(name: str) -> Trace:
    """What the conversation is without the plugin."""
    return traced(name, Beside())


def unharmed(beside: Beside, name: str = "everything", *, leaves_timers: bool = True) -> bool:
    """Play a conversation, and hold it against itself without the plugin.

    Args:
        beside: where the plugin is.
        name: of the conversation.
        leaves_timers: whether it is allowed to be called later on.

    Raises:
        AssertionError: something differs, and what does first.
    """
    expected, seen = without(name), traced(name, beside)
    for kind in ("events", "frames", "tasks", *(() if leaves_timers else ("timers",))):
        ours, theirs = getattr(seen, kind), getattr(expected, kind)
        for one, other in zip(ours, theirs, strict=False):
            if one != other:
                raise AssertionError(f"{one} instead of {other}")
        if len(ours) != len(theirs):
            more = max(ours, theirs, key=len)[min(len(ours), len(theirs)) :]
            raise AssertionError(f"{len(ours)} {kind} instead of {len(theirs)}: {more[:3]}")
    return True


def until(reached: Callable[[], object]) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come true in time.
    """
    deadline = time.monotonic() + DEADLINE
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)


def arrives(client: Zelto, receiver: RunningReceiver) -> dict[str, Any]:
    """The only conversation that the receiver has in the end."""
    until(lambda: client.flush(DEADLINE))
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    return conversation
