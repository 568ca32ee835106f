"""What the conversations are made of whose traces are compared: models, tools, pipelines, acts."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pipecat.pipeline.worker as pipelines
from pipecat.frames import frames
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    LLMMessagesAppendFrame,
    LLMMessagesUpdateFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.parallel_pipeline import ParallelPipeline
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.audio.audio_buffer_processor import AudioBufferProcessor
from pipecat.processors.filters.null_filter import NullFilter
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from scripted import Script
from scripted.pipecat import ScriptedCall, ScriptedLLM
from scripted.pipecat.answering import newest_input

from .traced import Trace

__all__ = [
    "Arrange",
    "Beside",
    "Make",
    "do_everything",
    "ends_when_broken",
    "giving",
    "holding",
    "parallel",
    "play",
    "recording",
    "say_goodbye",
    "text",
    "transcribed",
    "typed",
    "voice",
]


NEWER_FRAMES = (
    "ProposedUserStartedSpeakingFrame",
    "ProposedUserStoppedSpeakingFrame",
    "AudioBufferStartRecordingFrame",
)


class Beside:
    """What stands in a pipeline beside the bot; nothing, without the plugin."""

    def among(self, processors: list[FrameProcessor]) -> list[FrameProcessor]:
        """The processors of a pipeline."""
        return processors

    def observers(self) -> list[BaseObserver]:
        """Its observers."""
        return []


class Breaking(ScriptedLLM):
    """A model that fails when it is told to break, and for good when it is told to die."""

    async def answer(self, context: LLMContext) -> None:
        """Fail, or answer."""
        asked = newest_input(context)
        if "Die" in asked:
            known = inspect.signature(self.push_error).parameters
            lasts = "force_treat_as_permanent" if "force_treat_as_permanent" in known else "fatal"
            await self.push_error(error_msg="no more", **{lasts: True})
        elif "Break" in asked:
            raise RuntimeError("broken")
        else:
            await super().answer(context)


def ends_when_broken() -> dict[str, Any]:
    """A worker's argument: a processor that cannot go on ends the call, where that is known."""
    policy = getattr(pipelines, "ProcessorUnusablePolicy", None)
    return {"processor_unusable_policy": policy.END} if policy else {}


class Holding(FrameProcessor):
    """Takes more than a minute to let a pipeline end."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on, or keep it for a while."""
        await super().process_frame(frame, direction)
        if isinstance(frame, EndFrame):
            await asyncio.sleep(70)
        await self.push_frame(frame, direction)


Arrange = Callable[[ScriptedCall, Beside], list[FrameProcessor]]


def voice(call: ScriptedCall, beside: Beside) -> list[FrameProcessor]:
    """The usual pipeline."""
    return beside.among(call.processors)


def text(call: ScriptedCall, beside: Beside) -> list[FrameProcessor]:
    """A pipeline without a voice."""
    return beside.among([call.user, call.llm, call.assistant])


def holding(call: ScriptedCall, beside: Beside) -> list[FrameProcessor]:
    """One that is slow to end."""
    return beside.among([call.user, call.llm, Holding(), call.assistant])


def parallel(call: ScriptedCall, beside: Beside) -> list[FrameProcessor]:
    """One with branches, and with a pipeline in the pipeline."""
    parts = call.processors
    branches = ParallelPipeline(beside.among(parts[3:5]), beside.among([NullFilter()]))
    return [Pipeline(beside.among(parts[:3])), branches, *parts[5:]]


def recording(call: ScriptedCall, beside: Beside) -> list[FrameProcessor]:
    """One that can record."""
    return beside.among([*call.processors, AudioBufferProcessor()])


During = Callable[[ScriptedCall, PipelineWorker], Awaitable[None]]


async def play(
    beside: Beside,
    script: Script,
    *,
    arrange: Arrange = voice,
    during: During | None = None,
    usage: bool = True,
    worker: dict[str, Any] | None = None,
    **options: Any,
) -> Trace:
    """One call from its first frame until nothing of it is left.

    Args:
        beside: what else is in the pipeline.
        script: what is said.
        arrange: the pipeline.
        during: runs beside it.
        usage: whether the pipeline tells what it consumes.
        worker: arguments of ``PipelineWorker``.
        options: of ``ScriptedCall``.
    """
    trace = Trace(time.time(), usage=usage)
    turns = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.1)])
    model = Breaking(script, prompt="Be kind.")
    call = ScriptedCall(script, llm=model, user={"user_turn_strategies": turns}, **options)
    model.register_function("book", book)
    model.register_function("wait", wait)
    held = call.worker(
        arrange(call, beside),
        params=PipelineParams(enable_metrics=usage, enable_usage_metrics=usage),
        observers=[trace.observer(), *beside.observers()],
        **(worker or {}),
    )
    for name in ("transport", "stt", "user", "llm", "tts", "assistant"):
        trace.listen(name, getattr(call, name))
    trace.listen("worker", held)
    doing = asyncio.ensure_future(during(call, held)) if during else None
    with trace.troubles():
        await _run(call, held, trace)
    if doing is not None:
        await doing
    for name, left in (("context", call.context), ("voiced", call.tts.utterances)):
        trace.note(name, left)
    trace.note("heard", [call.transport.heard, call.transport.hung_up_at])
    trace.note_the_rest()
    return trace


async def _run(call: ScriptedCall, worker: PipelineWorker, trace: Trace) -> None:
    try:
        await call.run(worker)
        trace.note("ended")
    except Exception as fault:  # noqa: BLE001 - how it ended is what is noted
        trace.note("ended", fault)


async def book(params: FunctionCallParams) -> None:
    """A tool."""
    await asyncio.sleep(0.1)
    await params.result_callback({"booked": params.arguments})


async def wait(params: FunctionCallParams) -> None:
    """A tool that does not end."""
    await asyncio.sleep(60)


Make = Callable[[], Frame]


def giving(*one_by_one: Make) -> During:
    """Give the pipeline new frames of these, two seconds after one another."""

    async def give(call: ScriptedCall, worker: PipelineWorker) -> None:
        for make in one_by_one:
            await asyncio.sleep(2)
            await worker.queue_frame(make())

    return give


def typed(text: str) -> Make:
    """What a caller types, to be answered."""
    return lambda: LLMMessagesAppendFrame([{"role": "user", "content": text}], run_llm=True)


def transcribed(text: str) -> Make:
    """What a caller says to an ear that tells words alone."""
    return lambda: TranscriptionFrame(text, "caller", "")


async def say_goodbye(call: ScriptedCall, worker: PipelineWorker) -> None:
    """The bot ends a call in its own words."""
    await asyncio.sleep(2.2)
    await worker.queue_frames([TTSSpeakFrame("Goodbye."), EndFrame(reason="said-goodbye")])


async def do_everything(call: ScriptedCall, worker: PipelineWorker) -> None:
    """What a bot's code may do in a call, beside all that is said."""
    await worker.queue_frames([TTSSpeakFrame("Hi.", append_to_context=False)])
    await asyncio.sleep(0.2)
    named = {"info": {"userName": "Ada"}}
    await call.transport._call_event_handler("on_client_connected", named)
    kinds = [getattr(frames, name) for name in NEWER_FRAMES if hasattr(frames, name)]
    jingle = TTSAudioRawFrame(bytes(4_800), 24_000, 1)
    await worker.queue_frames([jingle, *(kind() for kind in kinds)])
    await asyncio.sleep(5.0)
    message = {"role": "user", "content": "In short, then."}
    await worker.queue_frames([LLMMessagesUpdateFrame([message], run_llm=True)])
