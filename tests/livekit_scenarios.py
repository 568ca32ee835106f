"""Real sessions with scripted callers and models, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import Agent, AgentSession
from livekit.plugins import zelto

from agent import Support
from demo_scripts import BILLING, WEATHER
from scripted import CallerLine, Reply, Script, ScriptedCall, Spoken
from zelto_agents import Zelto

SAID = Script(
    lines=(CallerLine(1.6, 2.6, "Say something."),),
    replies=(Reply(to="something", text="Something."),),
    hang_up=5.0,
)


@dataclass
class Played:
    """What one session was, and what came of it: the newest body, and all that were sent."""

    truth: list[Spoken] = field(default_factory=list)
    started: float = 0.0
    document: dict[str, Any] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


Play = Callable[[Zelto, Played], Awaitable[None]]


def _note_close(session: AgentSession[None], played: Played) -> None:
    session.on("close", lambda event: played.notes.update(closed_at=event.created_at))


def spoken(script: Script, *, late: bool = False, pauses: bool = False, say: bool = False) -> Play:
    """A scripted call; ``late`` attaches in the middle of it, and twice."""

    async def play(client: Zelto, played: Played) -> None:
        call = ScriptedCall(script, pauses=pauses)
        session: AgentSession[None] = AgentSession(**call.session_kwargs())
        name = played.notes["name"]
        options = {"agent_id": "support", "external_id": name, "zelto": client}
        if not late:
            zelto.attach(session, **options)
        _note_close(session, played)
        call.connect(session)
        agent = Agent(instructions="Be kind.") if say else Support()
        await session.start(agent=agent, room=call.room)
        if say:
            session.say("Welcome.")
        if late:
            await asyncio.sleep(8)
            first = zelto.attach(session, **options)
            played.notes["same"] = zelto.attach(session, agent_id="other", zelto=client) is first
        await call.ended()
        played.truth, played.started = call.truth, call.started_at

    return play


async def typed(client: Zelto, played: Played) -> None:
    """A text conversation: no audio in, no audio out."""
    call = ScriptedCall(WEATHER)
    session: AgentSession[None] = AgentSession(llm=call.session_kwargs()["llm"])
    zelto.attach(session, external_id="typed", zelto=client)
    greeted = asyncio.Event()
    session.on(
        "conversation_item_added",
        lambda event: greeted.set() if event.item.type == "message" else None,
    )
    await session.start(agent=Support())
    await greeted.wait()
    await session.run(user_input="What is the weather in Paris?")
    await session.aclose()


async def silent(client: Zelto, played: Played) -> None:
    """A voice call in which nobody says a word."""
    call = ScriptedCall(Script(hang_up=1.0))
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    zelto.attach(session, external_id="silent", agent_id="a", zelto=client)
    _note_close(session, played)
    call.connect(session)
    await session.start(agent=Agent(instructions="Be kind."), room=call.room)
    await call.ended()


async def restarted(client: Zelto, played: Played) -> None:
    """One session object, started twice: two calls."""
    call = ScriptedCall(WEATHER)
    session: AgentSession[None] = AgentSession(llm=call.session_kwargs()["llm"])
    zelto.attach(session, agent_id="a", metadata={"scenario": "restarted"}, zelto=client)
    for _ in range(2):
        await session.start(agent=Agent(instructions="Be kind."))
        await session.run(user_input="Please tell me a story.")
        await session.aclose()


async def broken(client: Zelto, played: Played) -> None:
    """A call during which everything of ours raises the worst that LiveKit knows."""
    call = ScriptedCall(SAID)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    ours = zelto.attach(session, external_id="broken", agent_id="a", zelto=client)

    def explode(_: object) -> None:
        raise TypeError("ours")

    ours._hand_over = explode
    closed: list[str] = []
    session.on("close", lambda event: closed.append(event.reason.value))
    call.connect(session)
    await session.start(agent=Agent(instructions="Be kind."), room=call.room)
    session.say("Welcome.")
    await call.ended()
    played.notes["heard"] = [s.text for s in call.truth]
    played.notes["closed"] = closed


SCENARIOS: dict[str, Play] = {
    "weather": spoken(WEATHER),
    "pausing": spoken(WEATHER, pauses=True),
    "billing": spoken(BILLING),
    "late": spoken(WEATHER, late=True),
    "said": spoken(SAID, say=True),
    "typed": typed,
    "silent": silent,
    "restarted": restarted,
    "broken": broken,
}
