"""From the events of one ``AgentSession`` to facts. No policy, no I/O: every handler is guarded."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession, JobContext

from zelto_agents import Call, Zelto
from zelto_agents.facts import (
    CallStarted,
    ChannelKnown,
    Fact,
    MetadataKnown,
    ToolEnded,
    WordsHeard,
)
from zelto_agents.guard import guarded

from . import _translate as translate
from ._endings import Close, ended_reason
from ._job import is_ending, verdict
from ._room import RoomWatch
from ._speech import SpeechWatch
from .log import logger

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
        self._room = RoomWatch(self._add, self._room_io)
        self._speech = SpeechWatch(lambda: self._session, self._add)
        self._closed = asyncio.Event()
        self._close: Close | None = None
        self._closed_first = False
        self._shutdown: str | None = None
        self._started: Any = None
        self._began = False
        self._forget()

    def _forget(self) -> None:
        """What belongs to one run of the session alone."""
        self._heard_audio: bool | None = None
        self._speech.forget()
        self._first_words: float | None = None
        self._interim = ""
        self._finals: deque[str] = deque(maxlen=10)
        self._handed: set[str] = set()
        # By the id of their tool: reasons that the model is not told, and results that came late.
        self._reasons: dict[str, str] = {}
        self._late: set[str] = set()

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
            self._room.follow(self._ctx.room)
            self._ctx.add_shutdown_callback(self._on_shutdown)

    def _add(self, *facts: Fact) -> None:
        for fact in facts:
            self.call.add(fact)

    def _room_io(self) -> Any:
        return getattr(self._session_ref(), "_room_io", None)

    def _begin(self) -> None:
        """The true start, known from the first event on; a restart after a close is a new call."""
        if not self._began:
            started = getattr(self._session, "_started_at", None)
            if self._close is not None:
                if started == self._started:
                    return  # an event that comes late belongs to what has ended
                self._close = None
                self._forget()
                self._closed.clear()
                self._room.reset()
                self.call = self._open_call()
            self._began, self._started = True, started
            if self._ctx is not None:
                self._room.follow(self._ctx.room)
            if isinstance(started, float):
                self.call.started_at = started
                self._add(
                    CallStarted(at=started, external_id=self.call.external_id, provider="livekit")
                )
            self._look_back()
            self._await_file()
        self._room.follow(getattr(self._room_io(), "_room", None))
        self._room.look_around()

    @guarded
    def _await_file(self) -> None:
        """The session's own recording, which is whole once the session has closed."""
        recorder = getattr(self._session, "_recorder_io", None)
        path = getattr(recorder, "output_path", None)
        if path is not None and self.call.keeps_audio:
            self.call.recording(file=path)

    @guarded
    def _on_item(self, event: Any) -> None:
        self._begin()
        item = event.item
        if item.type == "agent_handoff":
            self._on_handoff(item)
        elif item.type == "message":
            ends = (self._session.input, self._session.output)
            audio = any(end.audio is not None and end.audio_enabled for end in ends)
            self._heard_audio = bool(self._heard_audio) or audio
            heard = item.role == "user" and item.text_content in self._finals
            if heard:
                self._finals.clear()
            self._add(translate.message(item, event.created_at, heard=heard))

    def _on_handoff(self, item: Any) -> None:
        if item.id not in self._handed:
            self._handed.add(item.id)
            self._add(*translate.handoff(item, translate.prompt_of(item, self._session)))

    def _look_back(self) -> None:
        """LiveKit 1.5.0 and 1.5.1 tell of handoffs in the history alone."""
        for item in translate.history(self._session, self.call.started_at):
            if item.type == "agent_handoff":
                self._on_handoff(item)

    @guarded
    def _on_words(self, event: Any) -> None:
        self._begin()
        self._heard_audio = True
        if self._first_words is None and event.transcript:
            self._first_words = event.created_at
        if event.is_final:
            self._finals.append(event.transcript)
            self._add_words(event.transcript, event.created_at, event.created_at)
        self._interim = "" if event.is_final else event.transcript

    def _add_words(self, text: str, at: float, end: float) -> None:
        start, self._first_words = self._first_words, None
        self._add(WordsHeard(at=at, text=text, start=start, end=end))

    @guarded
    def _on_user_state(self, event: Any) -> None:
        self._begin()
        self._heard_audio = self._heard_audio or event.new_state == "speaking"
        self._speech.user_state(event)

    @guarded
    def _on_agent_state(self, event: Any) -> None:
        self._begin()
        self._speech.agent_state(event)

    @guarded
    def _on_tool_update(self, event: Any) -> None:
        self._begin()
        update, at = event.update, event.created_at
        if update.type == "tool_call_started":
            self._add(translate.tool_started(update.function_call, at))
        elif update.type == "tool_call_ended":
            failed = update.status != "done"
            result = update.message if update.message is not None else update.status
            if failed:
                self._reasons[update.call_id] = result
            if update.id != update.call_id:
                self._late.add(update.call_id)
            self._add(ToolEnded(at=at, id=update.call_id, result=result, failed=failed))

    @guarded
    def _on_tools(self, event: Any) -> None:
        """The results as the model saw them, which are cleaner than those of the updates."""
        self._begin()
        outputs = event.function_call_outputs
        for function_call, output in zip(event.function_calls, outputs, strict=False):
            call_id, at = function_call.call_id, event.created_at
            self._add(translate.tool_started(function_call, at))
            # What a tool that reported in between is said to have given here is its first report.
            if output is not None and call_id not in self._late:
                reason = self._reasons.pop(call_id, None)
                self._add(translate.tool_ended(call_id, output, at, reason))

    @guarded
    def _on_close(self, event: Any) -> None:
        self._begin()
        self._began = False
        reason = str(getattr(event.reason, "value", event.reason))
        self._close = Close.now(reason, event.created_at, self._room, getattr(event, "error", None))
        self._closed_first = is_ending(self._ctx) is False
        self._await_file()
        self._tell_the_rest(event.created_at)
        # Within a job, its shutdown tells more a few milliseconds later.
        self._end(settled=self._ctx is None or reason not in _VAGUE)
        self._room.stop()
        self._closed.set()

    def _tell_the_rest(self, at: float) -> None:
        """What is known of a session only once it is over; none of it depends on the rest."""
        for tell in (self._tell_usage, self._tell_prompts, self._tell_unfinished):
            tell(at)

    @guarded
    def _tell_usage(self, at: float) -> None:
        if self._heard_audio is False:
            self._add(ChannelKnown(at=at, channel="text"))
        self._add(*translate.usage(self._session, at))

    @guarded
    def _tell_prompts(self, _: float) -> None:
        self._look_back()
        self._add(*translate.prompt_changes(self._session, self.call.started_at))

    @guarded
    def _tell_unfinished(self, at: float) -> None:
        end = at if self._room.left_at is None else self._room.left_at
        if self._interim:  # nobody will finish it
            self._add_words(self._interim, at, end)
        self._speech.close(end)

    def _end(self, *, settled: bool = True) -> None:
        shutdown = self._shutdown
        close = self._close or Close.now("", time.time(), self._room)
        raw = {
            "closeReason": close.reason,
            "shutdownReason": shutdown,
            "disconnectReason": close.disconnect,
            "error": close.error,
        }
        known = {name: value for name, value in raw.items() if value}
        self._add(
            MetadataKnown(at=close.at, values={"livekit": known | (verdict(self._ctx) or {})})
        )
        reason = ended_reason(close.reason, shutdown=shutdown, disconnect=close.disconnect)
        self.call.end(reason, at=close.at, settled=settled)

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
                self._shutdown = reason  # a session may close after that, however late
                self._end()
            elif tags := verdict(self._ctx):
                self._add(MetadataKnown(at=time.time(), values={"livekit": tags}))
            await self._client.aflush(max(0.1, budget - (time.monotonic() - started)))
        except Exception as fault:  # noqa: BLE001 - raised here, it cancels the other callbacks
            logger.error("the call was not finished cleanly (%s)", type(fault).__name__)

    def _tells_more(self, shutdown: str) -> bool:
        """Whether the job's reason explains the end of the session, and did not just follow it."""
        close = self._close
        if close is None:
            return True  # a caller who hung up before the first event was a caller all the same
        if time.time() - close.at > JUST_CLOSED:
            return False
        if self._closed_first and shutdown == "parent process shutdown":
            return False
        if close.reason not in _VAGUE:
            return shutdown == "job crashed"
        return shutdown != "room disconnected" or close.room_gone
