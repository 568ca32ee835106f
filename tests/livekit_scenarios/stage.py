"""Where a scenario is played: a scripted call, the plugin beside it, and the truth of both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from livekit.agents import Agent, AgentSession
from livekit.plugins import zelto

from scripted import CallerLine, Reply, Script, Spoken
from scripted.livekit import ScriptedCall
from zelto_agents import Call, Zelto

__all__ = ["CallerLine", "Play", "Ran", "Reply", "Script", "Stage", "Truth", "UnsupportedError"]


class UnsupportedError(Exception):
    """This version of LiveKit cannot do what the scenario is about; says what it lacks."""


def needs_prompts_in_history(session: AgentSession[Any]) -> None:
    """Some versions do not remember which prompt an agent had.

    Raises:
        UnsupportedError: this one does not.
    """
    if not any(item.type == "agent_config_update" for item in session.history.items):
        raise UnsupportedError("the history has no prompts")


@dataclass
class Truth:
    """A turn as it really was; seconds since the epoch, none where nothing was spoken."""

    role: str
    text: str
    start: float | None = None
    end: float | None = None
    interrupted: bool = False


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
class Stage:
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
    """Speech of which LiveKit tells no text."""
    unsupported: str = ""
    """Why this version of LiveKit cannot play it."""
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
        """Every turn that was, by its start."""
        every = [*self.truth, *(tool.turn() for tool in self.tools)]
        return sorted(every, key=lambda turn: math.inf if turn.start is None else turn.start)

    def attach(self, session: AgentSession[Any], **options: Any) -> Call:
        """The one line under test; this scenario's name is the call's id."""
        session.on("close", lambda event: self.notes.update(closed_at=event.created_at))
        known = {"external_id": self.name, "agent_id": "support", "zelto": self.client}
        return zelto.attach(session, **(known | options))

    async def heard(self, call: ScriptedCall) -> None:
        """Wait for the end of a call, and note what was really said in it."""
        await call.ended()
        self.truth += [_of(spoken) for spoken in call.truth]

    def join(self) -> None:
        """What the caller said in two lines, the first two turns, is one turn."""
        first, second, *rest = self.expected
        joined = Truth("user", f"{first.text} {second.text}", first.start, second.end)
        self.truth = [joined, *rest]

    async def voice(
        self,
        script: Script,
        agent: Agent,
        *,
        pauses: bool = False,
        synchronised: bool = True,
        during: Callable[[AgentSession[Any]], Awaitable[object]] | None = None,
        **session: Any,
    ) -> AgentSession[Any]:
        """Play one whole voice call; ``session`` replaces arguments of ``AgentSession``."""
        call = ScriptedCall(script, pauses=pauses)
        noises = [line for line in script.lines if not line.text]
        held: AgentSession[None] = AgentSession(**(call.session_kwargs() | session))
        self.attach(held)
        call.connect(held)
        if not synchronised:
            held.output.audio = call._speaker
            held.output.transcription = call._speaker.captions
        await held.start(agent=agent, room=call.room)
        beside = asyncio.ensure_future(during(held)) if during else None
        await self.heard(call)
        for noise in noises:  # heard, but without a word
            start, end = call.started_at + noise.start, call.started_at + noise.end
            self.untranscribed.append(Truth("user", "", start, end))
        if beside is not None:
            await beside
        return held

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


Play = Callable[[Stage], Awaitable[object]]


def _of(spoken: Spoken) -> Truth:
    return Truth(spoken.role, spoken.text, spoken.started, spoken.stopped, spoken.interrupted)
