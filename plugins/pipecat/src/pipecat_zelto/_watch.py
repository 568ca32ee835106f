"""From one running pipeline to facts. No policy, no I/O: every handler is guarded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport

from zelto_agents import Call
from zelto_agents.facts import CallStarted, ChannelKnown, CustomerKnown, Fact, MetadataKnown
from zelto_agents.guard import guarded

from ._answers import Answers
from ._context import ContextWatch
from ._endings import Ending
from ._speech import CallerSpeech
from ._tools import Tools
from ._transport import TransportWatch, carries_audio, transports
from ._usage import Usage

__all__ = ["PipelineWatch", "conversation", "walk"]

Handler = Callable[[Any, float], None]

# Seconds after which a pipeline that was told to end is given up; Pipecat cancels within 20.
GIVE_UP = 60.0
REMEMBERED = 5000
# What only a call with a voice has.
_VOICE = {
    "BotStartedSpeakingFrame",
    "TTSAudioRawFrame",
    "TranscriptionFrame",
    "VADUserStartedSpeakingFrame",
}


class PipelineWatch:
    """Follows one pipeline from its setup to its end.

    Args:
        call: where facts go.
        zero: when the pipeline's clock started, in seconds since the epoch.
    """

    def __init__(self, call: Call, zero: float) -> None:
        self.call = call
        self.over = False
        """Whether the call has ended."""
        self._zero = zero
        self._answers = Answers(self._add)
        self._speech = CallerSpeech(self._add, self._answers.answering_since)
        self._tools = Tools(self._add)
        self._usage = Usage(self._add)
        self._context = ContextWatch(self._add)
        self._ending = Ending()
        self._transport = TransportWatch(self._on_left, self._on_back, self._on_named)
        self._user_turn = 0
        self._user_text: list[str] = []
        self._user_turn_open = False
        self._connected = self._voice = self._metered = False
        self._source: Any = None
        self._recorder: Any = None
        self._last_look: asyncio.TimerHandle | None = None
        self._seen: dict[int, None] = {}
        self._handlers = self._by_name()
        self._by_type: dict[type, tuple[str, Handler] | None] = {}

    def _by_name(self) -> dict[str, Handler]:
        speech, answers, tools = self._speech, self._answers, self._tools
        return {
            "ClientConnectedFrame": self._client_connected,
            "VADUserStartedSpeakingFrame": speech.vad_started,
            "VADUserStoppedSpeakingFrame": speech.vad_stopped,
            "ProposedUserStartedSpeakingFrame": speech.proposed_start,
            "ProposedUserStoppedSpeakingFrame": speech.proposed_stop,
            "UserStartedSpeakingFrame": speech.turn_started,
            "UserStoppedSpeakingFrame": speech.turn_stopped,
            "InterimTranscriptionFrame": speech.interim,
            "TranscriptionFrame": speech.final,
            "TTSStartedFrame": answers.utterance_started,
            "TTSTextFrame": answers.words,
            "TTSAudioRawFrame": answers.audio,
            "BotStartedSpeakingFrame": answers.bot_started,
            "BotSpeakingFrame": answers.bot_speaking,
            "BotStoppedSpeakingFrame": answers.bot_stopped,
            "InterruptionFrame": answers.interrupted,
            "LLMFullResponseStartFrame": self._completion,
            "LLMContextFrame": self._context.sent,
            "FunctionCallsStartedFrame": tools.asked,
            "FunctionCallInProgressFrame": tools.running,
            "FunctionCallResultFrame": tools.result,
            "FunctionCallCancelFrame": tools.cancelled,
            "MetricsFrame": self._usage.reported,
            "ErrorFrame": self._ending.error_seen,
            "EndFrame": self._end_seen,
            "CancelFrame": self._end_seen,
            "StopFrame": self._end_seen,
        }

    def _add(self, fact: Fact) -> None:
        self.call.add(fact)

    def follow(self, worker: Any, transport: Any = None) -> None:
        """Subscribe to what the parts of the pipeline tell beside its frames."""
        self._transport.follow(transport)
        self._metered = bool(worker.params.enable_usage_metrics)
        processors = list(walk(worker.pipeline))
        context = conversation(processors)
        if context is not None:
            self._context.know_context(context)
        for processor in processors:
            self._follow(processor, context)

    @guarded
    def _follow(self, processor: Any, context: Any) -> None:
        events = getattr(processor, "_event_handlers", {})
        ours = getattr(processor, "context", None) is context
        if "on_user_turn_message_added" in events and ours:
            processor.add_event_handler("on_user_turn_started", self._on_user_turn_started)
            processor.add_event_handler("on_user_turn_message_added", self._on_user_message)
            processor.add_event_handler("on_user_turn_stopped", self._on_user_turn_stopped)
        if "on_assistant_turn_stopped" in events and ours:
            self._answers.aggregated = True
            processor.add_event_handler("on_assistant_turn_started", self._on_answer_started)
            processor.add_event_handler("on_assistant_turn_stopped", self._on_answer_stopped)
        if "on_recording_started" in events:  # older releases do not tell
            processor.add_event_handler("on_recording_started", self._on_recording)
        if "on_audio_data" in events and self.call.keeps_audio:
            processor.add_event_handler("on_audio_data", self._on_audio)
        for transport in transports(processor):
            self._transport.follow(transport)
        self._voice = self._voice or carries_audio(processor)
        if processor.can_generate_metrics():
            self._usage.know(processor)
            self._context.know_model(processor, time.time())

    @guarded
    def frame(self, data: Any) -> None:
        """Take in one push of a frame; never suspends, never raises."""
        frame = data.frame
        kind = type(frame)
        try:
            known = self._by_type[kind]
        except KeyError:
            known = self._by_type[kind] = self._handler_of(kind)
        if known is not None:
            self._frame(data, frame, *known)

    def _handler_of(self, kind: type) -> tuple[str, Handler] | None:
        for name in (parent.__name__ for parent in kind.__mro__):
            if name in self._handlers:
                return name, self._handlers[name]
        return None

    def _frame(self, data: Any, frame: Any, name: str, handler: Handler) -> None:
        # Of a frame that is sent both ways, the copy that goes down counts.
        if frame.broadcast_sibling_id is not None and data.direction != FrameDirection.DOWNSTREAM:
            return
        if name == "TTSAudioRawFrame" and isinstance(data.source, BaseOutputTransport):
            return  # cut into new frames, to be played
        if self._seen_before(frame.id):
            return
        at = self._zero + data.timestamp / 1e9
        self._voice = self._voice or name in _VOICE
        self._source = data.source
        handler(frame, at)
        self._context.settle(at)

    def _seen_before(self, number: int) -> bool:
        """A frame is told of wherever it is pushed."""
        if number in self._seen:
            return True
        self._seen[number] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def _client_connected(self, frame: Any, at: float) -> None:
        if not self._connected:
            self._connected = True
            self.call.started_at = at
            self._add(CallStarted(at=at, external_id=self.call.external_id))

    def _completion(self, frame: Any, at: float) -> None:
        self._usage.completion(self._source)

    def _end_seen(self, frame: Any, at: float) -> None:
        if self._ending.frame_seen(frame, at):
            self._watch_the_end()

    def _watch_the_end(self) -> None:
        """A processor that swallows the frame keeps a pipeline for ever; the call is over."""
        self._last_look = asyncio.get_running_loop().call_later(GIVE_UP, self._give_up)

    @guarded
    def _give_up(self) -> None:
        if self._answers.speaking:
            self._watch_the_end()
        else:
            self.finish()

    @guarded
    def _on_user_turn_started(self, aggregator: Any, *details: Any) -> None:
        self._user_turn += 1
        self._user_text = []
        self._user_turn_open = True

    @guarded
    def _on_user_turn_stopped(self, aggregator: Any, *details: Any) -> None:
        self._user_turn_open = False

    @guarded
    def _on_user_message(self, aggregator: Any, message: Any) -> None:
        text = message.content
        if text:
            if self._user_text and not self._user_turn_open:
                self._user_turn, self._user_text = self._user_turn + 1, []
            self._user_text.append(text)
            self._context.spoken(text)
            said = " ".join(self._user_text)
            self._speech.said(f"user-{self._user_turn}", said, time.time())

    @guarded
    def _on_answer_started(self, aggregator: Any) -> None:
        self._answers.turn_started(time.time())

    @guarded
    def _on_answer_stopped(self, aggregator: Any, message: Any) -> None:
        now = time.time()
        self._answers.turn_stopped(message.content or "", now, interrupted=message.interrupted)
        self._usage.tell(now)

    @guarded
    def _on_recording(self, processor: Any, *details: Any) -> None:
        seconds = round(time.time() - self.call.started_at, 3)
        self._note({"recording": {"startSeconds": max(0.0, seconds)}})

    @guarded
    def _on_audio(self, processor: Any, audio: bytes, rate: int, channels: int) -> None:
        # Of several, the first that gives any: one that is never started gives none.
        if self._recorder is None:
            self._recorder = processor
        if processor is self._recorder:
            self.call.audio(audio, rate=rate, channels=channels)

    def _on_left(self, event: str) -> None:
        self._ending.client_left(event, time.time())

    def _on_back(self) -> None:
        self._ending.client_back()

    def _on_named(self, name: str) -> None:
        self._add(CustomerKnown(at=time.time(), name=name))

    def _note(self, values: dict[str, Any]) -> None:
        self._add(MetadataKnown(at=time.time(), values={"pipecat": values}))

    @guarded
    def finish(self) -> None:
        """The pipeline is over; what is told later makes another revision."""
        if self.over:
            return
        self.over = True
        if self._last_look is not None:
            self._last_look.cancel()
        now = time.time()
        end = self._ending.ended_at or now
        for finish in (self._speech.finish, self._answers.finish, self._context.finish):
            self._finish_part(finish, end)
        self._finish_part(lambda at: self._usage.finish(at, metered=self._metered), now)
        if not self._voice:
            self._add(ChannelKnown(at=now, channel="text"))
        if raw := self._ending.raw:
            self._note(raw)
        self.call.end(self._ending.reason, at=end)

    @guarded
    def _finish_part(self, finish: Callable[[float], None], end: float) -> None:
        finish(end)


def conversation(processors: Iterable[Any]) -> Any:
    """The context of the talk: of several aggregators, that of the ones behind the output.

    Detectors of answering machines bring a pair of their own, which hears no bot.
    """
    first = heard = None
    behind = False
    for processor in processors:
        behind = behind or isinstance(processor, BaseOutputTransport)
        events = getattr(processor, "_event_handlers", {})
        if "on_assistant_turn_stopped" in events or "on_user_turn_message_added" in events:
            first = first or processor
            if behind and "on_assistant_turn_stopped" in events:
                heard = heard or processor
    return getattr(heard or first, "context", None)


def walk(processor: Any) -> Iterator[Any]:
    """A processor and all that it is made of, nested and parallel ones too."""
    yield processor
    for part in getattr(processor, "processors", ()):
        yield from walk(part)
