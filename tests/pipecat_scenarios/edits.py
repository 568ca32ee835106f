"""Contexts that are edited, several models and aggregators, and sound that nobody wrote."""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMMessagesAppendFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
)
from pipecat.pipeline.parallel_pipeline import ParallelPipeline
from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall, ScriptedLLM

from .speech import CHAT
from .stage import CallerLine, Play, Reply, Script, Stage, UnsupportedError


class Documents(FrameProcessor):
    """Adds what it has found to the question, as a retriever does."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Change the newest message."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            messages: list[Any] = frame.context.get_messages()
            text = f"{messages[-1]['content']} Documents: none."
            frame.context.set_messages([*messages[:-1], {**messages[-1], "content": text}])
        await self.push_frame(frame, direction)


async def with_documents(stage: Stage) -> None:
    """What a retriever adds to a question was not said."""

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        return [*call.processors[:3], Documents(), *call.processors[3:], zelto]

    await stage.voice(CHAT, arrange=arrange)


async def summed_up(stage: Stage) -> None:
    """Old messages make room for a summary of them."""

    async def sum_up(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(4.8)
        last = call.context.get_messages()[-1:]
        call.context.set_messages([{"role": "user", "content": "Summary: they met."}, *last])

    await stage.voice(CHAT, during=sum_up)


async def unanswered(stage: Stage) -> None:
    """Typed right before the end, which nobody answers."""

    async def type_it(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(5.92)
        message: Any = {"role": "user", "content": stage.typed("My number is 42.")}
        await worker.queue_frames([LLMMessagesAppendFrame([message], run_llm=False)])

    await stage.voice(Script(CHAT.lines[:1], CHAT.replies, 6.0), during=type_it)


async def two_models(stage: Stage) -> None:
    """A switch between two models with prompts of their own, of which one is used."""
    call = ScriptedCall(CHAT, prompt="Be kind.")
    models: list[FrameProcessor] = [call.llm, ScriptedLLM(CHAT, prompt="Be strict.")]
    switch = ServiceSwitcher(models, ServiceSwitcherStrategyManual)

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        return [*call.processors[:3], switch, *call.processors[4:], zelto]

    await stage.voice(CHAT, call=call, arrange=arrange)


async def listening_along(stage: Stage) -> None:
    """A second pair of aggregators, whose model nobody hears, as detectors of machines have."""
    call = ScriptedCall(CHAT, prompt="Be kind.")
    other = ScriptedCall(
        Script(CHAT.lines, (Reply(to="", text="HUMAN"),), 10.0), prompt="Classify."
    )

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        line, stt, *talk = call.processors
        beside = ParallelPipeline([other.user, other.llm, other.assistant], talk)
        return [line, stt, beside, zelto]

    await stage.voice(CHAT, call=call, arrange=arrange)


async def must_be_heard(stage: Stage) -> None:
    """Announcements that no interruption stops; the caller speaks into the first."""
    if not hasattr(TTSStartedFrame(), "interruptible"):
        raise UnsupportedError("all speech can be interrupted")

    async def say(call: ScriptedCall, worker: PipelineWorker) -> None:
        for text in ("This call is recorded for training.", "By staying on the line you agree."):
            frame = TTSSpeakFrame(text, append_to_context=False)
            frame.interruptible = False
            await worker.queue_frames([frame])

    lines = (CallerLine(1.0, 1.8, "Who are you?"),)
    await stage.voice(Script(lines, CHAT.replies, 13.0), during=say)


EDITS: dict[str, Play] = {
    play.__name__: play
    for play in (
        with_documents,
        summed_up,
        unanswered,
        two_models,
        listening_along,
        must_be_heard,
    )
}
