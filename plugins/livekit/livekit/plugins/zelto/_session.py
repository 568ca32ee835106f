"""From the events of one ``AgentSession`` to facts. No policy, no I/O: every handler is guarded."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession, JobContext

from zelto_agents import Call, Zelto
from zelto_agents.facts import (
    AgentKnown,
    CallStarted,
    ChannelKnown,
    HandoffMade,
    MetadataKnown,
    PromptKnown,
    SpeechHeard,
    ToolEnded,
    ToolStarted,
    TurnSaid,
    UsageKnown,
    WordsHeard,
)
from zelto_agents.guard import guarded

from ._endings import ended_reason
from ._room import RoomWatch
from .log import logger

# What LiveKit measures of a message, in seconds, and the name it goes by in the document.
_LATENCIES = {
    "e2e_latency": "endToEnd",
    "llm_node_ttft": "timeToFirstToken",
    "tts_node_ttfb": "timeToFirstByte",
    "end_of_turn_delay": "endOfTurn",
    "transcription_delay": "transcription",
}
_ROLES = {"developer": "system"}
# The close reasons that LiveKit gives whatever the cause was.
_VAGUE = ("user_initiated", "job_shutdown")
# Seconds within which a job's shutdown belongs to the close before it; LiveKit's own transcript
# wait and a user's `on_session_end` lie between the two.
JUST_CLOSED = 30.0


class SessionWatch:
    """Follows one session from ``attach`` to the end of its job.

    Args:
        session: what to follow.
        ctx: its job, if there is one.
        client: where facts go.
        open_call: makes the call; again when the session is restarted after a close.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        ctx: JobContext | None,
        client: Zelto,
        open_call: Callable[[], Call],
    ) -> None:
        self.call = open_call()
        # A strong reference would keep the session, which holds our handlers, alive for ever.
        self._session_ref = weakref.ref(session)
        self._ctx = ctx
        self._client = client
        self._open_call = open_call
        self._room = RoomWatch(ctx, self._add)
        self._began = False
        self._heard_audio: bool | None = None
        self._close: tuple[str, float] | None = None
        self._closed = asyncio.Event()
        self._speaking: dict[str, float] = {}
        self._first_words: float | None = None

    @property
    def _session(self) -> AgentSession[Any]:
        session = self._session_ref()
        if session is None:
            raise ReferenceError("the session is gone")
        return session

    def start(self) -> None:
        """Subscribe, and catch up with what the session has recorded so far."""
        handlers: dict[str, Callable[[Any], None]] = {
            "conversation_item_added": self._on_item,
            "user_input_transcribed": self._on_words,
            "user_state_changed": self._on_user_state,
            "agent_state_changed": self._on_agent_state,
            "tool_execution_updated": self._on_tool_update,
            "function_tools_executed": self._on_tools,
            "close": self._on_close,
        }
        for past in list(getattr(self._session, "_recorded_events", ())):
            handler = handlers.get(getattr(past, "type", ""))
            if handler is not None:
                handler(past)
        for name, handler in handlers.items():
            self._session.on(name, handler)  # type: ignore[arg-type] # older versions lack some
        if self._ctx is not None:
            self._room.start()
            self._ctx.add_shutdown_callback(self._on_shutdown)

    def _add(self, fact: Any) -> None:
        self.call.add(fact)

    def _begin(self) -> None:
        """The true start, known from the first event on; a restart after a close is a new call."""
        if self._began:
            self._room.look_around()
            return
        if self._close is not None:
            self._close = self._heard_audio = None
            self._closed.clear()
            self._room.reset()
            self.call = self._open_call()
        self._began = True
        started = getattr(self._session, "_started_at", None)
        if isinstance(started, float):
            self.call.started_at = started
            self._add(
                CallStarted(at=started, external_id=self.call.external_id, provider="livekit")
            )
        self._room.look_around()

    @guarded
    def _on_item(self, event: Any) -> None:
        self._begin()
        item = event.item
        if item.type == "agent_handoff":
            self._on_handoff(item)
        elif item.type == "message":
            self._on_message(item, event.created_at)

    def _on_message(self, item: Any, at: float) -> None:
        ends = (self._session.input, self._session.output)
        audio = any(end.audio is not None and end.audio_enabled for end in ends)
        self._heard_audio = bool(self._heard_audio) or audio
        metrics = getattr(item, "metrics", None) or {}
        start, end = metrics.get("started_speaking_at"), metrics.get("stopped_speaking_at")
        # Voice turns carry a confidence, be it 0.0; what was typed has none.
        typed = item.role == "user" and start is None and item.transcript_confidence is None
        latency = {
            name: round(float(metrics[key]), 3)
            for key, name in _LATENCIES.items()
            if metrics.get(key) is not None
        }
        self._add(
            TurnSaid(
                at=at,
                id=item.id,
                role=_ROLES.get(item.role, item.role),
                text=item.text_content or "",
                start=item.created_at if typed else start,
                end=None if typed else end,
                interrupted=bool(item.interrupted),
                typed=typed,
                details={"latency": latency} if latency else {},
            )
        )

    def _on_handoff(self, item: Any) -> None:
        agent = self._session.current_agent
        prompt = _rendered(agent.instructions)
        if item.old_agent_id is None:
            self._add(AgentKnown(at=item.created_at, external_id=item.new_agent_id))
            if prompt:
                self._add(PromptKnown(at=item.created_at, text=prompt))
        else:
            old, new = item.old_agent_id, item.new_agent_id
            self._add(HandoffMade(at=item.created_at, old=old, new=new, prompt=prompt))

    @guarded
    def _on_words(self, event: Any) -> None:
        self._begin()
        if self._first_words is None:
            self._first_words = event.created_at
        if event.is_final:
            start, self._first_words = self._first_words, None
            at, text = event.created_at, event.transcript
            self._add(WordsHeard(at=at, text=text, start=start, end=at))

    @guarded
    def _on_user_state(self, event: Any) -> None:
        self._begin()
        self._on_state("user", event)

    @guarded
    def _on_agent_state(self, event: Any) -> None:
        self._begin()
        self._on_state("assistant", event)

    def _on_state(self, role: Any, event: Any) -> None:
        if event.new_state == "speaking":
            self._heard_audio = self._heard_audio or role == "user"
            self._speaking[role] = event.created_at
        elif event.old_state == "speaking" and role in self._speaking:
            start = self._speaking.pop(role)
            self._add(SpeechHeard(at=time.time(), role=role, start=start, end=event.created_at))

    @guarded
    def _on_tool_update(self, event: Any) -> None:
        self._begin()
        update = event.update
        if update.type == "tool_call_started":
            self._add_tool(update.function_call, event.created_at)
        elif update.type == "tool_call_ended":
            failed = update.status != "done"
            result = update.message if update.message is not None else update.status
            at = event.created_at
            self._add(ToolEnded(at=at, id=update.call_id, result=result, failed=failed))

    @guarded
    def _on_tools(self, event: Any) -> None:
        """The results as the model saw them, which are cleaner than those of the updates."""
        self._begin()
        outputs = event.function_call_outputs
        for function_call, output in zip(event.function_calls, outputs, strict=False):
            self._add_tool(function_call, event.created_at)
            if output is not None:
                self._add(
                    ToolEnded(
                        at=getattr(output, "created_at", event.created_at),
                        id=function_call.call_id,
                        result=output.output,
                        failed=bool(output.is_error),
                    )
                )

    def _add_tool(self, function_call: Any, at: float) -> None:
        self._add(
            ToolStarted(
                at=getattr(function_call, "created_at", at),
                id=function_call.call_id,
                name=function_call.name,
                arguments=function_call.arguments,
            )
        )

    @guarded
    def _on_close(self, event: Any) -> None:
        self._begin()
        reason = str(getattr(event.reason, "value", event.reason))
        for role in list(self._speaking):
            start = self._speaking.pop(role)
            self._add(
                SpeechHeard(at=time.time(), role=role, start=start, end=event.created_at)  # type: ignore[arg-type]
            )
        if self._heard_audio is False:
            self._add(ChannelKnown(at=event.created_at, channel="text"))
        usage = getattr(self._session, "usage", None)
        if usage is not None:
            parts = tuple(_usage(part) for part in usage.model_usage)
            self._add(UsageKnown(at=event.created_at, parts=parts))
        self._close = (reason, self._room.left_at or event.created_at)
        self._began = False
        # Within a job, its shutdown tells more a few milliseconds later.
        self._end(settled=self._ctx is None or reason not in _VAGUE)
        self._closed.set()

    def _end(self, *, shutdown: str | None = None, settled: bool = True) -> None:
        close, at = self._close or (None, self._room.left_at or time.time())
        disconnect = self._room.disconnect_reason
        raw = {"closeReason": close, "shutdownReason": shutdown, "disconnectReason": disconnect}
        known = {name: value for name, value in raw.items() if value}
        self._add(MetadataKnown(at=at, values={"livekit": known}))
        reason = ended_reason(close, shutdown=shutdown, disconnect=disconnect)
        self.call.end(reason, at=at, settled=settled)

    async def _on_shutdown(self, reason: str) -> None:
        """Hold the job's shutdown until the call is durable and tried once, within the budget."""
        try:
            budget = self._client.settings.shutdown_budget
            started = time.monotonic()
            if self._close is None and self._began:
                # Sessions other than the first are closed by callbacks that run beside this one.
                try:
                    await asyncio.wait_for(self._closed.wait(), budget / 2)
                except TimeoutError:
                    logger.warning("the session did not close in time; its call ends here")
            if self._tells_more(reason):
                self._end(shutdown=reason)
            await self._client.aflush(max(0.1, budget - (time.monotonic() - started)))
        except Exception as fault:  # noqa: BLE001 - raised here, it cancels the other callbacks
            logger.error("the call was not finished cleanly (%s)", type(fault).__name__)

    def _tells_more(self, shutdown: str) -> bool:
        """Whether the job's reason explains the end of the session, and did not just follow it."""
        if self._close is None:
            return True  # a caller who hung up before the first event was a caller all the same
        close, at = self._close
        if close not in _VAGUE:
            return shutdown == "job crashed"
        just_closed = time.time() - at < JUST_CLOSED
        return just_closed and (shutdown != "room disconnected" or self._room.room_gone)


def _usage(part: Any) -> dict[str, Any]:
    """One model's consumption without its zeros; durations to the millisecond."""
    known = part.model_dump(exclude_defaults=True)
    return {"type": part.type} | {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in known.items()
    }


def _rendered(instructions: Any) -> str | None:
    """Instructions as LiveKit itself renders them for voice; older versions have plain text."""
    render = getattr(instructions, "render", None)
    if callable(render):
        try:
            return str(render(modality="audio"))
        except Exception:  # noqa: BLE001 - the user's own template
            return str(instructions)
    return str(instructions) if instructions else None
