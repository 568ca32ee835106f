"""``ZeltoObserver``: sees every frame of a pipeline."""

from __future__ import annotations

from typing import Any, Unpack

from pipecat.observers.base_observer import BaseObserver, FramePushed

from zelto_agents import Call
from zelto_agents.guard import guarded

from ._collector import CallOptions, Collector
from ._watch import PipelineWatch

__all__ = ["FrameObserver", "ZeltoObserver"]


class FrameObserver(BaseObserver):
    """Gives frames to a watch, and ends its call with the pipeline.

    Args:
        watch: Where the frames go.
    """

    def __init__(self, watch: PipelineWatch | None = None) -> None:
        try:
            super().__init__(observe_every_push=False)
        except TypeError:  # before 1.12
            super().__init__()
        self._zelto_watch = watch

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take in a frame. Pipecat loses frames of an observer that suspends, or raises."""
        self._zelto_take(data)

    @guarded
    def _zelto_take(self, data: FramePushed) -> None:
        if self._zelto_watch is not None:
            self._zelto_watch.frame(data)

    async def cleanup(self) -> None:
        """End the call; the pipeline is over."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        if self._zelto_watch is not None:
            self._zelto_watch.finish()


class ZeltoObserver(FrameObserver):
    """Collects the call of the pipeline that it observes, and sends it to Zelto at the end.

    For ``PipelineWorker(observers=[ZeltoObserver(agent_id="support")])``. In a pipeline with a
    ``ZeltoProcessor`` it does nothing.

    Args:
        runner_args: As of ``ZeltoProcessor``.
        **options: As of ``ZeltoProcessor``.

    Raises:
        TypeError: There is no such option.
    """

    def __init__(self, runner_args: Any = None, **options: Unpack[CallOptions]) -> None:
        super().__init__()
        self._zelto_collector = Collector(runner_args, **options)
        self._zelto_worker: Any = None

    @property
    def call(self) -> Call:
        """The call, for what only your code knows: ``call.metadata({...})``."""
        return self._zelto_collector.call

    def set_recording_url(self, url: str) -> None:
        """Say where the audio can be fetched: during the call, at its end, or any time later."""
        self.call.recording(url)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take in a frame; the first one tells which pipeline it is."""
        self._zelto_meet(data)
        await super().on_push_frame(data)

    @guarded
    def _zelto_meet(self, data: FramePushed) -> None:
        worker = data.source.pipeline_worker
        if worker is not self._zelto_worker:
            self._zelto_worker = worker
            self._zelto_watch = self._zelto_collector.follow(worker, data.source.get_clock())
