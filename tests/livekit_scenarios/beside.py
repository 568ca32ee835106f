"""A session with the plugin beside it, held against the same one without."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession
from livekit.plugins import zelto

from zelto_agents import Call, Settings, Zelto
from zelto_agents.receiver import RunningReceiver

from .harmless import Beside, traced
from .trace import Trace

__all__ = ["BUDGET", "DEADLINE", "Attached", "arrives", "impatient", "unharmed", "until", "without"]

# How long our settings let a job's shutdown be held, in virtual seconds there and real ones here.
BUDGET = 0.3
DEADLINE = 20.0


class Attached(Beside):
    """The one line before the session starts; ``options`` are its arguments."""

    def __init__(self, **options: Any) -> None:
        self.calls: list[Call] = []
        self._options = options

    def attached(self, session: AgentSession[Any]) -> None:
        """Attach."""
        self.attach(session)

    def attach(self, session: Any, **options: Any) -> None:
        """Attach, with these options, too."""
        self.calls.append(zelto.attach(session, **(self._options | options)))


@functools.cache
def without(name: str) -> Trace:
    """What the conversation is without the plugin."""
    return traced(name, Beside())


def unharmed(beside: Beside, name: str = "job", *, budget: float = BUDGET) -> bool:
    """Play a conversation, and hold it against itself without the plugin.

    Raises:
        AssertionError: something differs, and what does first.
    """
    expected, seen = without(name), traced(name, beside)
    for ours, theirs in zip(seen.lines, expected.lines, strict=False):
        if ours != theirs:
            raise AssertionError(f"{ours} instead of {theirs}")
    if len(seen.lines) != len(expected.lines):
        raise AssertionError(f"{len(seen.lines)} events instead of {len(expected.lines)}")
    if seen.held > max(expected.held, budget) + 0.1:
        raise AssertionError(f"the shutdown was held for {seen.held} s")
    return True


def impatient(settings: Settings, **changes: Any) -> Settings:
    """Settings with a small budget, and with these changes."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    known: dict[str, Any] = {"api_key": key, "shutdown_budget": BUDGET}
    for name in ("base_url", "outbox"):
        known[name] = getattr(settings, name)
    return Settings.load({}, **(known | changes))


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
