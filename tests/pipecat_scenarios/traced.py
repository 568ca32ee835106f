"""Everything that the host of a pipeline can notice, in order, each with its virtual time.

The frames come from an observer of its own, hop by hop. A hop into a processor of ours is left
out, and the one out of it is noted as a hop of the processor before; of sound, which ours gives on
untold, the hop into it is noted as one to the processor behind. So a trace with ours is the trace
without, if ours gives on at once what it gets, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from loguru import logger
from pipecat.frames.frames import AudioRawFrame, CancelFrame, Frame, MetricsFrame, StartFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pydantic import BaseModel

from pipecat_zelto import ZeltoProcessor

__all__ = ["Seconds", "Trace"]

# The clock of a pipeline is in seconds since the epoch, which leaves a float no finer ones.
GRAIN = 1e-5
# Names of instances, random ids, and times that the virtual clock does not reach.
_RANDOM = re.compile(r"\b(call_|runner-)[0-9a-f]{8}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b0x[0-9a-f]+")
_NUMBERED = re.compile(r"#\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(Z|\+00:00)")
_BACK = {
    FrameDirection.DOWNSTREAM: FrameDirection.UPSTREAM,
    FrameDirection.UPSTREAM: FrameDirection.DOWNSTREAM,
}
_OWN_TO_EACH = {"id", "name", "broadcast_sibling_id", "pts"}
# Counted through all that is made in a process.
_COUNTED = ("id", "segment_id")
# Told of every frame; the frames themselves are noted.
_OF_FRAMES = ("on_before_", "on_after_")


@dataclass(frozen=True, eq=False)
class Seconds:
    """A time of a trace, from its start; equal within the grain of the clock."""

    value: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seconds) and abs(self.value - other.value) < GRAIN

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.value:.3f}s"


@dataclass
class Trace:
    """What happened; two traces of the same conversation are equal but for random ids.

    Args:
        began: seconds since the epoch.
        usage: whether to note the metrics of a pipeline, and that it was asked for them.
    """

    began: float
    usage: bool = True
    frames: list[tuple[Any, ...]] = field(default_factory=list)
    """Each push and each taking in of a frame."""
    events: list[tuple[Any, ...]] = field(default_factory=list)
    """What a bot can subscribe to, what came of the call, and what was logged as trouble."""
    tasks: list[str] = field(default_factory=list)
    """What was still running once the pipeline was over."""
    timers: list[str] = field(default_factory=list)
    """What would still have been called then."""
    _ids: dict[str, str] = field(default_factory=dict)
    _cancelled: set[ZeltoProcessor] = field(default_factory=set)
    _numbers: dict[int, int] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    def observer(self) -> BaseObserver:
        """Note every frame of a pipeline that it is given to."""
        return _Tracer(self)

    def push(self, data: FramePushed) -> None:
        """A frame goes from one processor to another."""
        destination = data.destination
        if isinstance(destination, ZeltoProcessor):
            if destination not in self._cancelled and not isinstance(data.frame, AudioRawFrame):
                return
            # One that is cancelled drops it, as any would.
            destination = beyond(destination, data.direction)
        if not self._is_left_out(data.frame):
            source = beyond(data.source, _BACK[data.direction])
            self._note_frame(data, f"{self.plain(source)} -> {self.plain(destination)}")

    def taken(self, data: FrameProcessed) -> None:
        """A processor looks at a frame."""
        if isinstance(data.processor, ZeltoProcessor):
            if isinstance(data.frame, CancelFrame):
                self._cancelled.add(data.processor)
        # Of the sound, which is most of all frames, the pushes are enough.
        elif not isinstance(data.frame, AudioRawFrame) and not self._is_left_out(data.frame):
            self._note_frame(data, self.plain(data.processor))

    def _is_left_out(self, frame: Frame) -> bool:
        """Whether it is a report of metrics, to the bot or to the client, that is not noted."""
        message = getattr(frame, "message", None)
        told = isinstance(message, Mapping) and message.get("type") == "metrics"
        return not self.usage and (told or isinstance(frame, MetricsFrame))

    def _note_frame(self, data: FramePushed | FrameProcessed, place: str) -> None:
        frame, at = data.frame, Seconds(data.timestamp / 1e9)
        kind, way = type(frame).__name__, data.direction.name
        number = self._numbers.setdefault(frame.id, len(self._numbers))
        self.frames.append((at, kind, number, way, place, self._payload(frame)))

    def _payload(self, frame: Frame) -> Any:
        if isinstance(frame, AudioRawFrame):
            return len(frame.audio), zlib.crc32(frame.audio)
        known = {name: value for name, value in vars(frame).items() if name not in _OWN_TO_EACH}
        if isinstance(frame, StartFrame) and not self.usage:
            del known["enable_usage_metrics"]
        sibling, moment = frame.broadcast_sibling_id, frame.pts
        if sibling is not None:
            known["sibling"] = self._numbers.setdefault(sibling, len(self._numbers))
        if moment is not None:
            known["pts"] = moment / 1e9
        return self.plain(known)

    def note(self, what: str, value: object = None) -> None:
        """Something happened now."""
        at = Seconds(asyncio.get_running_loop().time())
        self.events.append((at, what, self.plain(value)))

    def listen(self, place: str, speaker: Any) -> None:
        """Note every event of a processor, a transport or a worker.

        Args:
            place: what it is.
            speaker: the one.
        """
        for name in speaker._event_handlers:
            if not name.startswith(_OF_FRAMES):
                speaker.add_event_handler(name, self._listener(f"{place} {name}"))

    def _listener(self, what: str) -> Callable[..., None]:
        def heard(speaker: object, *told: object, **options: object) -> None:
            self.note(what, [told, options])

        return heard

    @contextlib.contextmanager
    def troubles(self) -> Iterator[None]:
        """Note what pipecat warns of; what else it logs, which is a lot, goes nowhere."""
        logger.remove()
        logger.add(self._logged, level="WARNING", format="{level} {message}", filter=_by_others)
        try:
            yield
        finally:
            logger.remove()
            logger.add(sys.stderr.write)

    def _logged(self, text: str) -> None:
        self.note("log", str(text))

    def note_the_rest(self) -> None:
        """The pipeline is over: note what is left of it."""
        loop = asyncio.get_running_loop()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        self.tasks = sorted(repr(task.get_coro()).split(" at ")[0] for task in rest)
        timers: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]
        self.timers = sorted(_callback(one) for one in timers if not one.cancelled())

    def plain(self, value: object) -> Any:
        """A value that compares: times from the start, random ids by their order of appearance."""
        if value is None or (isinstance(value, int) and not isinstance(value, Enum)):
            return value
        if isinstance(value, float):
            return Seconds(value - self.began if value > 1e9 else value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes):
            return len(value), zlib.crc32(value)
        if isinstance(value, Mapping):
            return self._items(value)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(item) for item in value]
        return self._plain_object(value)

    def _items(self, items: Mapping[Any, object]) -> dict[Any, Any]:
        return {
            key: self._named(str(item))
            if key in _COUNTED and isinstance(item, int)
            else self.plain(item)
            for key, item in items.items()
        }

    def _text(self, value: str) -> str:
        known = self._texts.get(value)
        if known is None:
            text = _TIME.sub("<time>", _NUMBERED.sub("", value))
            known = _RANDOM.sub(lambda found: self._named(found[0]), text)
            self._texts[value] = known
        return known

    def _plain_object(self, value: object) -> Any:
        kind = type(value).__name__
        if isinstance(value, Frame):
            return [kind, self._payload(value)]
        if isinstance(value, FrameProcessor):
            return self._text(value.name)
        if isinstance(value, LLMContext):
            return [kind, self.plain(value.get_messages())]
        if isinstance(value, BaseModel):
            return [kind, self.plain(dict(value))]
        if is_dataclass(value) and not isinstance(value, type):
            return [
                kind,
                self._items({one.name: getattr(value, one.name) for one in fields(value)}),
            ]
        return self._text(repr(value)) if isinstance(value, Enum | BaseException) else kind

    def _named(self, random: str) -> str:
        return self._ids.setdefault(random, f"<{len(self._ids)}>")


def beyond(processor: FrameProcessor, direction: FrameDirection) -> FrameProcessor:
    """The next processor in this direction, itself included, that is none of ours."""
    while isinstance(processor, ZeltoProcessor):
        down = direction == FrameDirection.DOWNSTREAM
        neighbour = processor._next if down else processor._prev
        assert neighbour is not None
        processor = neighbour
    return processor


def _callback(timer: asyncio.TimerHandle) -> str:
    called: Any = timer._callback  # type: ignore[attr-defined]
    return getattr(called, "__qualname__", type(called).__name__)


def _by_others(record: Any) -> bool:
    return not record["message"].startswith("Zelto")


class _Tracer(BaseObserver):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    async def on_push_frame(self, data: FramePushed) -> None:
        self._trace.push(data)

    async def on_process_frame(self, data: FrameProcessed) -> None:
        self._trace.taken(data)
