"""Where the processor stands, how often, and what else there is to know: the same comes of it."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    EndFrame,
    LLMMessagesAppendFrame,
    LLMMessagesUpdateFrame,
    StopFrame,
)
from pipecat.pipeline.parallel_pipeline import ParallelPipeline
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.filters.null_filter import NullFilter
from pipecat.processors.frame_processor import FrameProcessor

from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall

from .speech import CHAT
from .stage import CallerLine, Play, Reply, Script, Stage, Truth, after


async def first(stage: Stage) -> None:
    """Before everything."""
    await stage.voice(CHAT, arrange=lambda call, zelto: [zelto, *call.processors])


async def in_the_middle(stage: Stage) -> None:
    """Between the model and the voice."""

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        return [*call.processors[:4], zelto, *call.processors[4:]]

    await stage.voice(CHAT, arrange=arrange)


async def nested(stage: Stage) -> None:
    """In a pipeline within the pipeline, with what it listens to in others."""

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        parts = call.processors
        return [Pipeline(parts[:3]), Pipeline([Pipeline([*parts[3:5], zelto])]), *parts[5:]]

    await stage.voice(CHAT, arrange=arrange)


async def parallel(stage: Stage) -> None:
    """In one of two branches; each reports its own hops of the same frames."""

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        parts = call.processors
        branches = ParallelPipeline(parts[3:5], [NullFilter(), zelto])
        return [*parts[:3], branches, *parts[5:]]

    await stage.voice(CHAT, arrange=arrange)


async def twice(stage: Stage) -> None:
    """Two processors and an observer, by mistake."""

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        return [*call.processors, zelto, stage.processor()]

    await stage.voice(CHAT, arrange=arrange, worker={"observers": [stage.observer()]})


async def observer(stage: Stage) -> None:
    """Without a processor."""
    await stage.voice(
        CHAT,
        arrange=lambda call, _: call.processors,
        worker={"observers": [stage.observer()]},
    )


async def again(stage: Stage) -> None:
    """The same processor in two pipelines, one after the other: two calls."""
    zelto = stage.processor()
    before = ScriptedCall(CHAT)
    worker = before.worker([*before.processors, zelto])

    async def stop(transport: object, client: object) -> None:
        await worker.queue_frames([StopFrame()])

    before.transport.add_event_handler("on_client_disconnected", stop)
    await before.run(worker, cancels=False)
    call = ScriptedCall(CHAT)
    await call.run(call.worker([*call.processors, zelto]))
    stage.heard(before)


async def typed(stage: Stage) -> None:
    """A bot without a voice."""

    async def type_it(call: ScriptedCall, worker: PipelineWorker) -> None:
        for seconds, text in ((0.5, "Who are you?"), (2.0, "Thank you.")):
            await asyncio.sleep(seconds)
            stage.truth.append(Truth("user", text))
            await _type(worker, text)
        await after(2.0, worker, EndFrame())

    def arrange(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
        return [call.user, call.llm, call.assistant, zelto]

    call = ScriptedCall(CHAT, prompt="Be kind.")
    worker = call.worker(arrange(call, stage.processor()))
    typing = asyncio.ensure_future(type_it(call, worker))
    await call.run(worker)
    await typing
    answers = [Truth("assistant", reply.text) for reply in CHAT.replies]
    stage.truth = [stage.truth[0], answers[0], stage.truth[1], answers[1]]


async def typed_in_a_call(stage: Stage) -> None:
    """The caller types while they could speak."""

    async def type_it(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(5.0)
        await _type(worker, stage.typed("Thank you."))

    await stage.voice(Script(CHAT.lines[:1], CHAT.replies, 10.0), during=type_it)


async def _type(worker: PipelineWorker, text: str) -> None:
    message = {"role": "user", "content": text}
    await worker.queue_frames([LLMMessagesAppendFrame([message], run_llm=True)])


async def reset(stage: Stage) -> None:
    """The context is replaced in mid-call, as at a node of a flow."""

    async def replace(call: ScriptedCall, worker: PipelineWorker) -> None:
        message = {"role": "user", "content": "In short: we have met."}
        await after(4.4, worker, LLMMessagesUpdateFrame([message]))

    script = Script(lines=CHAT.lines, replies=CHAT.replies, hang_up=10.0)
    await stage.voice(script, during=replace)


async def two_prompts(stage: Stage) -> None:
    """A developer message in mid-call tells the bot what to do now."""

    async def tell(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(4.4)
        now = call.transport.started_at + 4.4
        stage.truth.append(Truth("system", "Say thank you.", now, now))
        message = {"role": "developer", "content": "Say thank you."}
        await worker.queue_frames([LLMMessagesAppendFrame([message], run_llm=True)])

    lines = (*CHAT.lines[:1], CallerLine(8.0, 8.6, "Bye."))
    replies = (*CHAT.replies, Reply(to="bye", text="Bye."))
    await stage.voice(Script(lines, replies, 11.0), during=tell)


PLACES: dict[str, Play] = {
    play.__name__: play
    for play in (
        first,
        in_the_middle,
        nested,
        parallel,
        twice,
        observer,
        again,
        typed,
        typed_in_a_call,
        reset,
        two_prompts,
    )
}
