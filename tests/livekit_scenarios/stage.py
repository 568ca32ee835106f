"""Where a scenario is played: a scripted call, the plugin beside it, and the truth of both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from livekit.agents import Agent, AgentSession
from livekit.plugins import zelto

import truth
from scripted import CallerLine, Reply, Script
from scripted.livekit import ScriptedCall
from truth import Ran, Scene, Truth, UnsupportedError
from zelto_agents import Call

__all__ = ["CallerLine", "Play", "Ran", "Reply", "Script", "Stage", "Truth", "UnsupportedError"]


def needs_prompts_in_history(session: AgentSession[Any]) -> None:
    """Some versions do not remember which prompt an agent had.

    Raises:
        UnsupportedError: this one does not.
    """
    if not any(item.type == "agent_config_update" for item in session.history.items):
        raise UnsupportedError("the history has no prompts")


class Stage(Scene):
    """One scenario of a session."""

    def attach(self, session: AgentSession[Any], **options: Any) -> Call:
        """The one line under test; this scenario's name is the call's id."""
        session.on("close", lambda event: self.notes.update(closed_at=event.created_at))
        known = {"external_id": self.name, "agent_id": "support", "zelto": self.client}
        return zelto.attach(session, **(known | options))

    async def heard(self, call: ScriptedCall) -> None:
        """Wait for the end of a call, and note what was really said in it."""
        await call.ended()
        self.truth += [Truth.of(spoken) for spoken in call.truth]

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


Play = truth.Play[Stage]
