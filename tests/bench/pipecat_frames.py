"""What one audio frame costs a pipeline of eight processors, with and without ours; one JSON line.

python pipecat_frames.py [quick]

The pipelines stand side by side in one process and get the same frames in turns, so that each
difference is one between neighbours in time. All figures are microseconds of the thread that they
run on, for each frame: the median of the bare pipeline, and of the differences of the others from
what each is to be compared with, with their quartiles.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from loguru import logger
from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)
from pipecat.workers.runner import WorkerRunner

from pipecat_zelto import ZeltoProcessor

PROCESSORS = 8
FRAMES = 100
ROUNDS = 120
# One frame after the other wakes all that there is, as 50 a second do; so many at a time wake it
# once, as frames at full speed do.
LOADS = {"full_speed": 50, "one_by_one": 1}
# What Pipecat itself observes a pipeline with, and without it.
PIPELINES: dict[str, dict[str, Any]] = {
    "usual": {},
    "lean": {"enable_rtvi": False, "enable_turn_tracking": False},
}
# What is compared with what.
DIFFERENCES = {
    "processor": ("processor", "bare"),
    "empty_processor": ("empty_processor", "bare"),
    "observer": ("whole", "processor"),
    "empty_observer": ("empty_observer", "bare"),
    "whole": ("whole", "bare"),
}
AUDIO = bytes(640)


class Through(FrameProcessor):
    """Passes everything on; like most processors, with a queue and a task of its own."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class First(Through):
    """Where the frames come from."""

    observer: Any = None

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Remember who observes the pipeline."""
        await super().setup(setup)
        self.observer = setup.observer


class Last(Through):
    """Tells when so many frames have passed all others."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.passed = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on, and count it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.left -= 1
            if not self.left:
                self.passed.set()


class Unobserved(ZeltoProcessor):
    """Ours without its observer: what is left is its place in the pipeline."""

    def _zelto_setup(self, setup: FrameProcessorSetup) -> None:
        pass


class Nothing(BaseObserver):
    """Does nothing with what ours is given."""

    def __init__(self) -> None:
        try:
            super().__init__(observe_every_push=False)
        except TypeError:  # before 1.12
            super().__init__()


class Bench:
    """One pipeline under way.

    Args:
        last: a processor after the eight.
        observers: beside Pipecat's own.
        options: of the ``PipelineWorker``.
    """

    def __init__(
        self, *last: FrameProcessor, observers: tuple[BaseObserver, ...] = (), **options: Any
    ) -> None:
        self.samples: list[float] = []
        self._first, self._last = First(), Last()
        between = [Through() for _ in range(PROCESSORS - 2)]
        pipeline = Pipeline([self._first, *between, self._last, *last])
        self._worker = PipelineWorker(pipeline, observers=list(observers), **options)
        self._runner = WorkerRunner(handle_sigint=False)

    async def start(self) -> None:
        """Run it until it takes frames."""
        started = asyncio.Event()
        self._worker.add_event_handler("on_pipeline_started", lambda *_: started.set())
        await self._runner.add_workers(self._worker)
        self._running = asyncio.ensure_future(self._runner.run())
        await started.wait()

    async def push(self, at_a_time: int) -> None:
        """Time some frames, until every observer has seen the last of them."""
        before = time.thread_time()
        for _ in range(FRAMES // at_a_time):
            self._last.left = at_a_time
            self._last.passed.clear()
            for _ in range(at_a_time):
                await self._first.push_frame(InputAudioRawFrame(AUDIO, 16_000, 1))
            await self._last.passed.wait()
        for proxy in self._first.observer._proxies.values():
            await proxy.queue.join()
        self.samples.append((time.thread_time() - before) / FRAMES * 1e6)

    async def stop(self) -> None:
        """End it."""
        await self._runner.cancel()
        await self._running


def benches(options: dict[str, Any]) -> dict[str, Bench]:
    """All that are compared."""
    return {
        "bare": Bench(**options),
        "empty_processor": Bench(Through(enable_direct_mode=True), **options),
        "processor": Bench(Unobserved(agent_id="cost"), **options),
        "empty_observer": Bench(observers=(Nothing(),), **options),
        "whole": Bench(ZeltoProcessor(agent_id="cost"), **options),
    }


def figures(every: dict[str, Bench]) -> dict[str, list[float]]:
    """Lower quartile, median and upper quartile, of differences round by round."""
    found = {"bare": statistics.quantiles(every["bare"].samples)}
    for name, (one, other) in DIFFERENCES.items():
        pairs = zip(every[one].samples, every[other].samples, strict=True)
        found[name] = statistics.quantiles([a - b for a, b in pairs])
    return {name: [round(value, 1) for value in three] for name, three in found.items()}


async def main(rounds: int) -> None:
    """Print the JSON line."""
    found: dict[str, dict[str, list[float]]] = {}
    for pipeline, options in PIPELINES.items():
        every = benches(options)
        for bench in every.values():
            await bench.start()
            await bench.push(1)
        for load, at_a_time in LOADS.items():
            order = list(every.values())
            for bench in order:
                bench.samples.clear()
            for _ in range(rounds):
                order.append(order.pop(0))
                for bench in order:
                    await bench.push(at_a_time)
            found[f"{pipeline} {load}"] = figures(every)
        for bench in every.values():
            await bench.stop()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    logger.remove()
    asyncio.run(main(3 if "quick" in sys.argv else ROUNDS))
