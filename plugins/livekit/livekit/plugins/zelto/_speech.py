"""Who is heard speaking, from when to when: what turns without times of their own are timed by."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from livekit.agents import llm

from zelto_agents.contract import Role
from zelto_agents.facts import SpeechHeard
from zelto_agents.guard import guarded

__all__ = ["SpeechWatch"]

# Nobody speaks for so short, in seconds; LiveKit passes through the state with typed text.
A_WORD = 0.02


class SpeechWatch:
    """Makes stretches of speech out of the states of a session and its audio output.

    Args:
        session: gives the session.
        add: is given each stretch once it is over.
    """

    def __init__(self, session: Callable[[], Any], add: Callable[[SpeechHeard], None]) -> None:
        self._session = session
        self._add = add
        self._output: Any = None
        self._since: dict[Role, float] = {}

    def forget(self) -> None:
        """Begin anew: the session has been restarted."""
        self._since.clear()

    def user_state(self, event: Any) -> None:
        """The caller began or ceased to speak."""
        self._state("user", event)

    def agent_state(self, event: Any) -> None:
        """The agent began or ceased to speak."""
        if event.new_state == "speaking":
            self._follow_playback()
            can = self._realtime()
            if can is not None and not getattr(can, "supports_overlapping_speech", False):
                # A model that waits for silence speaks: the caller is silent, whatever the state
                # says. Gemini's plugin ends the caller's speech with the answer to it.
                self._stop("user", event.created_at)
        self._state("assistant", event)

    def close(self, at: float) -> None:
        """Nobody is heard any longer."""
        for role in list(self._since):
            self._stop(role, at)
        if self._output is not None:
            self._output.off("playback_started", self._on_playback_started)
            self._output.off("playback_finished", self._on_playback_finished)
            self._output = None

    def _state(self, role: Role, event: Any) -> None:
        if event.new_state == "speaking":
            self._since[role] = event.created_at
        elif event.old_state == "speaking":
            self._stop(role, event.created_at)

    def _stop(self, role: Role, at: float) -> None:
        if role in self._since:
            start, whole = self._since.pop(role), role == "user" and self._heard_by_server()
            if role == "user" and at - start < A_WORD:
                return
            self._add(SpeechHeard(at=time.time(), role=role, start=start, end=at, whole=whole))

    def _follow_playback(self) -> None:
        """One answer is one speech of the agent, but each message of it has its own playback."""
        output = self._session().output.audio
        if output is not None and output is not self._output:
            self._output = output
            output.on("playback_started", self._on_playback_started)
            output.on("playback_finished", self._on_playback_finished)

    @guarded
    def _on_playback_started(self, event: Any) -> None:
        if self._session().agent_state == "speaking":
            self._since.setdefault("assistant", event.created_at)

    @guarded
    def _on_playback_finished(self, _: Any) -> None:
        self._stop("assistant", time.time())

    def _heard_by_server(self) -> bool:
        """Whether the model itself finds the caller's turns, and tells each in one piece."""
        session, can = self._session(), self._realtime()
        own = self._agent().vad or session.vad
        default = getattr(session, "_using_default_vad", False)
        return bool(can and can.turn_detection and (default or not own))

    def _realtime(self) -> Any:
        """The capabilities of the realtime model that holds the call; None without one."""
        model = self._agent().llm or self._session().llm
        return model.capabilities if isinstance(model, llm.RealtimeModel) else None

    def _agent(self) -> Any:
        """The agent, whose models go before the session's; the session itself without one."""
        session = self._session()
        try:
            return session.current_agent
        except RuntimeError:
            return session
