"""What every scenario has: a call, its truth, and what came of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from scripted import Spoken
from zelto_agents import Zelto

__all__ = ["Play", "Ran", "Scene", "Truth", "UnsupportedError"]


class UnsupportedError(Exception):
    """This version of the framework cannot do what the scenario is about; says what it lacks."""


@dataclass
class Truth:
    """A turn as it really was; seconds since the epoch, none where nothing was spoken."""

    role: str
    text: str
    start: float | None = None
    end: float | None = None
    interrupted: bool = False

    @classmethod
    def of(cls, spoken: Spoken) -> Truth:
        """What really sounded on the line."""
        times = (spoken.started, spoken.stopped)
        return cls(spoken.role, spoken.text, *times, spoken.interrupted)


@dataclass
class Ran:
    """A tool as it really ran."""

    name: str
    arguments: dict[str, Any]
    outcome: dict[str, Any] = field(default_factory=dict)
    start: float = 0.0
    end: float | None = None

    def turn(self) -> Truth:
        """The turn that it should be."""
        content = {"name": self.name, "arguments": self.arguments, **self.outcome}
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return Truth("tool", text, self.start, self.end)


@dataclass
class Scene:
    """One scenario: what it plays on, what was true, and what came of it."""

    name: str
    client: Zelto
    truth: list[Truth] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Every body that was sent for this scenario's call, the newest last."""
    conversations: list[dict[str, Any]] = field(default_factory=list)
    """What the receiver made of it."""
    tools: list[Ran] = field(default_factory=list)
    untranscribed: list[Truth] = field(default_factory=list)
    """Speech of which the framework tells no text."""
    unsupported: str = ""
    """Why this version of the framework cannot play it."""
    fault: str = ""
    """What the scenario itself ended with."""
    tolerance: float = 0.1
    """Seconds by which a start or an end may be off."""

    @property
    def document(self) -> dict[str, Any]:
        """The newest body."""
        return self.bodies[-1] if self.bodies else {}

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The document's turns."""
        turns: list[dict[str, Any]] = self.document.get("transcript", {}).get("turns", [])
        return turns

    @property
    def began(self) -> float:
        """The document's start, in seconds since the epoch."""
        return datetime.fromisoformat(self.document["call"]["startedAt"]).timestamp()

    @property
    def expected(self) -> list[Truth]:
        """Every turn that was, by its start; one without a time stays behind its predecessor."""
        moment, moments = 0.0, []
        for turn in self.truth:
            moment = moment if turn.start is None else turn.start
            moments.append((moment, turn))
        moments += [(tool.start, tool.turn()) for tool in self.tools]
        return [turn for _, turn in sorted(moments, key=lambda one: one[0])]

    @contextlib.contextmanager
    def tool(self, name: str, **arguments: Any) -> Iterator[Ran]:
        """Note a tool's run; what it leaves in ``outcome`` is what its turn should say."""
        ran = Ran(name, arguments, start=time.time())
        self.tools.append(ran)
        try:
            yield ran
        finally:
            ran.end = time.time()

    def typed(self, text: str) -> str:
        """Note that the caller typed this, now."""
        now = time.time()
        self.truth.append(Truth("user", text, now, now))
        return text


_S = TypeVar("_S", bound=Scene)
Play = Callable[[_S], Awaitable[object]]
