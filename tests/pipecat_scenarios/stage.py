"""Where a scenario is played: a scripted bot, the processor in it, and the truth of both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import Frame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor

import truth
from pipecat_zelto import ZeltoObserver, ZeltoProcessor
from scripted import CallerLine, Reply, Script
from scripted.pipecat import ScriptedCall
from truth import Ran, Scene, Truth, UnsupportedError

__all__ = ["CallerLine", "Play", "Ran", "Reply", "Script", "Stage", "Truth", "UnsupportedError"]

Arrange = Callable[[ScriptedCall, ZeltoProcessor], list[FrameProcessor]]


def last(call: ScriptedCall, zelto: ZeltoProcessor) -> list[FrameProcessor]:
    """Where the README puts it."""
    return [*call.processors, zelto]


@dataclass
class Stage(Scene):
    """One scenario of a pipeline."""

    @property
    def options(self) -> dict[str, Any]:
        """What the processor is told; this scenario's name is the call's id."""
        return {"external_id": self.name, "agent_id": "support", "zelto": self.client}

    def processor(self, **options: Any) -> ZeltoProcessor:
        """The one line under test."""
        return ZeltoProcessor(**(self.options | options))

    def observer(self, **options: Any) -> ZeltoObserver:
        """The other one."""
        return ZeltoObserver(**(self.options | options))

    async def voice(
        self,
        script: Script,
        *,
        arrange: Arrange = last,
        during: Callable[[ScriptedCall, PipelineWorker], Awaitable[object]] | None = None,
        zelto: dict[str, Any] | None = None,
        worker: dict[str, Any] | None = None,
        cancels: bool = True,
        call: ScriptedCall | None = None,
        **options: Any,
    ) -> ScriptedCall:
        """Play one whole call.

        Args:
            script: what is said.
            arrange: the pipeline.
            during: runs beside it, from when the caller is there.
            zelto: what else the processor is told.
            worker: arguments of ``PipelineWorker``.
            cancels: whether the caller's hang-up ends the bot.
            call: the parts of the bot; made of the rest by default.
            options: of ``ScriptedCall``.
        """
        if call is None:
            call = ScriptedCall(script, **({"prompt": "Be kind."} | options))
        held = call.worker(arrange(call, self.processor(**(zelto or {}))), **(worker or {}))
        beside: list[asyncio.Future[object]] = []

        async def connected(transport: object, client: object) -> None:
            if during is not None:
                beside.append(asyncio.ensure_future(during(call, held)))

        call.transport.add_event_handler("on_client_connected", connected)
        await call.run(held, cancels=cancels)
        for one in beside:
            await one
        self.heard(call)
        return call

    def heard(self, call: ScriptedCall) -> None:
        """Note what was really said."""
        # A caller who stays on the line when the bot has left has lines that nobody heard.
        ended = time.time()
        spoken = [one for one in call.truth if one.text and one.started < ended]
        self.truth += [Truth.of(one) for one in spoken]
        for line in call.script.lines:
            if not line.text:
                began = call.transport.started_at
                self.untranscribed.append(Truth("user", "", began + line.start, began + line.end))

    def join(self, *numbers: int) -> None:
        """These turns of the truth are one."""
        parts = [self.expected[number] for number in numbers]
        text = " ".join(part.text for part in parts)
        joined = Truth(parts[0].role, text, parts[0].start, parts[-1].end, parts[-1].interrupted)
        self.truth = [turn for turn in self.truth if turn not in parts] + [joined]


Play = truth.Play[Stage]


async def after(seconds: float, worker: PipelineWorker, *frames: Frame) -> None:
    """Give the pipeline frames at a time."""
    await asyncio.sleep(seconds)
    await worker.queue_frames(frames)
