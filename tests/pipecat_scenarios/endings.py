"""How a pipeline ends, and what the document says of it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pipecat.frames import frames
from pipecat.frames.frames import CancelFrame, EndFrame, ErrorFrame, Frame, StartFrame, StopFrame
from pipecat.pipeline import worker as workers
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall

from .speech import CHAT
from .stage import Play, Script, Stage, UnsupportedError

__all__ = ["ENDINGS", "OPEN", "Ending", "swallowing"]

# When it is ended, unless by the caller: both have spoken by then.
AT = 5.5
OPEN = Script(lines=CHAT.lines[:1], replies=CHAT.replies)
HANGS_UP = Script(lines=CHAT.lines[:1], replies=CHAT.replies, hang_up=AT)


@dataclass
class Ending:
    """One way to end.

    Attributes:
        reason: The disposition that is expected.
        raw: Pipecat's own words that are expected.
        play: Plays it.
        at: Seconds from the start of the call to its end.
    """

    reason: str | None
    raw: dict[str, Any]
    play: Play
    at: float = AT


ENDINGS: dict[str, Ending] = {}


def ending(
    reason: str | None, *, at: float = AT, **raw: Any
) -> Callable[[Callable[[Stage], Awaitable[object]]], Play]:
    """Note what is expected of a way to end."""

    def noted(play: Callable[[Stage], Awaitable[object]]) -> Play:
        ENDINGS[play.__name__] = Ending(reason, raw, play, at)
        return play

    return noted


def by(
    act: Callable[[ScriptedCall, PipelineWorker], Awaitable[object]],
) -> Callable[[ScriptedCall, PipelineWorker], Awaitable[object]]:
    """Do this when it is time."""

    async def later(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(AT)
        await act(call, worker)

    return later


def giving(
    make: Callable[[], Frame],
) -> Callable[[ScriptedCall, PipelineWorker], Awaitable[object]]:
    """Give the pipeline a frame when it is time."""
    return by(lambda _, worker: worker.queue_frames([make()]))


@ending("said-goodbye", endFrame="EndFrame", endReason="said-goodbye")
async def end_frame(stage: Stage) -> None:
    """The bot's code ends it, and says why."""
    await stage.voice(OPEN, during=giving(lambda: EndFrame(reason="said-goodbye")))


@ending("agent-ended-call", endFrame="EndFrame")
async def stop_when_done(stage: Stage) -> None:
    """The bot's code ends it, and does not say why."""
    await stage.voice(OPEN, during=by(lambda _, worker: worker.stop_when_done()))


@ending("transferred", endFrame="EndFrame", endReason="transferred")
async def end_worker_frame(stage: Stage) -> None:
    """A processor asks the worker to end."""

    async def ask(call: ScriptedCall, worker: PipelineWorker) -> None:
        frame = frames.EndWorkerFrame(reason="transferred")
        await call.llm.push_frame(frame, FrameDirection.UPSTREAM)

    await stage.voice(OPEN, during=by(ask))


@ending("agent-ended-call", endFrame="CancelFrame", endReason="runner exiting")
async def runner_end(stage: Stage) -> None:
    """The runner is told to end; it cancels, and the reason is lost on the way."""

    async def end(call: ScriptedCall, worker: PipelineWorker) -> None:
        assert call.runner is not None
        await call.runner.end("lost")

    await stage.voice(OPEN, during=by(end))


@ending("no-credit", endFrame="CancelFrame", endReason="no-credit")
async def worker_cancel(stage: Stage) -> None:
    """The bot's code cancels it, and says why."""
    await stage.voice(OPEN, during=by(lambda _, worker: worker.cancel(reason="no-credit")))


@ending("agent-ended-call", endFrame="CancelFrame", endReason="runner exiting")
async def runner_cancel(stage: Stage) -> None:
    """The bot's code cancels the runner while the caller is there."""

    async def cancel(call: ScriptedCall, worker: PipelineWorker) -> None:
        assert call.runner is not None
        await call.runner.cancel()

    await stage.voice(OPEN, during=by(cancel))


@ending(
    "customer-ended-call",
    endFrame="CancelFrame",
    endReason="runner exiting",
    disconnect="on_client_disconnected",
)
async def hung_up(stage: Stage) -> None:
    """The caller hangs up, and the bot cancels, as in Pipecat's own examples."""
    await stage.voice(HANGS_UP)


@ending("customer-ended-call", endFrame="EndFrame", disconnect="on_client_disconnected")
async def hung_up_long_before(stage: Stage) -> None:
    """The caller hangs up, and the bot takes its time."""

    async def end(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(AT + 4)
        await worker.stop_when_done()

    await stage.voice(HANGS_UP, cancels=False, during=end)


@ending("agent-ended-call", endFrame="EndFrame")
async def hung_up_and_back(stage: Stage) -> None:
    """The caller is cut off and comes back; then the bot ends."""

    async def flicker(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(4.0)
        line = call.transport
        await line._call_event_handler("on_client_disconnected", call.script.caller)
        await asyncio.sleep(0.5)
        await line._call_event_handler("on_client_connected", call.script.caller)
        await asyncio.sleep(1.0)
        await worker.stop_when_done()

    await stage.voice(OPEN, cancels=False, during=_once(flicker))


def _once(
    act: Callable[[ScriptedCall, PipelineWorker], Awaitable[object]],
) -> Callable[[ScriptedCall, PipelineWorker], Awaitable[object]]:
    done: list[bool] = []

    async def first(call: ScriptedCall, worker: PipelineWorker) -> None:
        if not done:
            done.append(True)
            await act(call, worker)

    return first


@ending("silence-timed-out", at=13.5, endFrame="CancelFrame", endReason="idle timeout")
async def idle(stage: Stage) -> None:
    """Nobody says anything any more."""
    await stage.voice(OPEN, worker={"idle_timeout_secs": 9.0})


@ending("agent-error", endFrame="CancelFrame")
async def fatal_error(stage: Stage) -> None:
    """A processor gives up for good, in the way of old."""

    async def fail(call: ScriptedCall, worker: PipelineWorker) -> None:
        await call.llm.push_error_frame(ErrorFrame("no way on", fatal=True))

    await stage.voice(OPEN, during=by(fail))


def _unusable(policy: str) -> dict[str, Any]:
    policies = getattr(workers, "ProcessorUnusablePolicy", None)
    if policies is None:
        raise UnsupportedError("no processor becomes unusable")
    return {"processor_unusable_policy": policies[policy]}


async def _break(call: ScriptedCall, worker: PipelineWorker) -> None:
    await call.llm.push_error("no way on", force_treat_as_permanent=True)


@ending("agent-error", endFrame="EndFrame")
async def unusable_end(stage: Stage) -> None:
    """A processor cannot do its job any more, and the policy is to end."""
    await stage.voice(OPEN, during=by(_break), worker=_unusable("END"))


@ending("agent-error", endFrame="CancelFrame")
async def unusable_cancel(stage: Stage) -> None:
    """The same, and the policy is to cancel."""
    await stage.voice(OPEN, during=by(_break), worker=_unusable("CANCEL"))


@ending(
    "customer-ended-call",
    endFrame="CancelFrame",
    endReason="runner exiting",
    disconnect="on_client_disconnected",
)
async def plain_error(stage: Stage) -> None:
    """An error that is no end."""

    async def fail(call: ScriptedCall, worker: PipelineWorker) -> None:
        await asyncio.sleep(4.5)
        await call.llm.push_error("once")

    await stage.voice(HANGS_UP, during=fail)


@ending("agent-ended-call", endFrame="StopFrame")
async def stop_frame(stage: Stage) -> None:
    """The pipeline is stopped, to be used again."""
    await stage.voice(OPEN, during=giving(StopFrame))


@ending("agent-ended-call", endFrame="CancelFrame", endReason="runner exiting")
async def task_cancelled(stage: Stage) -> None:
    """The task that runs it is cancelled from outside."""
    call = ScriptedCall(OPEN, prompt="Be kind.")
    worker = call.worker([*call.processors, stage.processor()])
    running = asyncio.ensure_future(call.run(worker))
    connected = asyncio.Event()

    async def on_connected(transport: object, client: object) -> None:
        connected.set()

    call.transport.add_event_handler("on_client_connected", on_connected)
    await connected.wait()
    await asyncio.sleep(AT)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    stage.heard(call)


class Swallows(FrameProcessor):
    """Lets nothing of a kind through, as a processor that hangs does."""

    def __init__(self, kind: type[Frame]) -> None:
        super().__init__()
        self._kind = kind

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything else on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, self._kind):
            await self.push_frame(frame, direction)


def swallowing(
    kind: type[Frame],
) -> Callable[[ScriptedCall, ZeltoProcessor], list[FrameProcessor]]:
    return lambda call, zelto: [*call.processors, Swallows(kind), zelto]


@ending("done", endFrame="CancelFrame", endReason="done")
async def cancel_swallowed(stage: Stage) -> None:
    """The pipeline is given up after twenty seconds."""
    await stage.voice(
        OPEN,
        arrange=swallowing(CancelFrame),
        during=by(lambda _, worker: worker.cancel(reason="done")),
    )


@ending("agent-error", at=2.0)
async def never_started(stage: Stage) -> None:
    """A processor keeps the start of the pipeline to itself."""
    if "start_timeout_secs" not in inspect.signature(PipelineWorker).parameters:
        raise UnsupportedError("a pipeline that does not start is waited for")
    call = ScriptedCall(Script(), prompt="Be kind.")
    parts = [Swallows(StartFrame), *call.processors, stage.processor()]
    await call.run(call.worker(parts, start_timeout_secs=2.0))


@ending(
    "session-timed-out",
    endFrame="CancelFrame",
    endReason="runner exiting",
    disconnect="on_session_timeout",
)
async def session_timeout(stage: Stage) -> None:
    """The transport's own limit for a session is reached."""
    call = ScriptedCall(OPEN, prompt="Be kind.")
    call.transport._register_event_handler("on_session_timeout")

    async def time_out(call: ScriptedCall, worker: PipelineWorker) -> None:
        await call.transport._call_event_handler("on_session_timeout", call.script.caller)
        await worker.cancel(reason="runner exiting")

    await stage.voice(OPEN, call=call, during=by(time_out))
