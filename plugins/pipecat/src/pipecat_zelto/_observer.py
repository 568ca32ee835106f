"""``ZeltoObserver``: sees every frame of a pipeline."""

from __future__ import annotations

from typing import Any, Unpack

from pipecat.observers.base_observer import BaseObserver, FramePushed

from zelto_agents import Call
from zelto_agents.guard import guarded

from ._collector import CallOptions, Collector
from ._watch import PipelineWatch

__all__ = ["ZeltoObserver", "see"]


def see(observer: Any, watch: PipelineWatch) -> None:
    """Give a watch every frame that a pipeline's observer is told of, and end its call with it.

    Not as one of its observers: those are told of each processing of a frame as well, sound
    included, and each time a task wakes for it, which costs more than all that is done here.

    Args:
        observer: The pipeline's own, which all of its processors tell of what they do.
        watch: Where the frames go.
    """
    tell, end = observer.on_push_frame, observer.cleanup

    async def on_push_frame(data: FramePushed) -> None:
        await tell(data)
        watch.frame(data)

    async def cleanup() -> None:
        try:
            await end()
        finally:
            watch.finish()

    observer.on_push_frame, observer.cleanup = on_push_frame, cleanup


class ZeltoObserver(BaseObserver):
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
        try:
            super().__init__(observe_every_push=False)
        except TypeError:  # before 1.12
            super().__init__()
        self._zelto_collector = Collector(runner_args, **options)
        self._zelto_worker: Any = None
        self._zelto_watch: PipelineWatch | None = None

    @property
    def call(self) -> Call:
        """The call, for what only your code knows: ``call.metadata({...})``."""
        return self._zelto_collector.call

    def set_recording_url(self, url: str) -> None:
        """Say where the audio can be fetched: during the call, at its end, or any time later."""
        self.call.recording(url)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take in a frame. Pipecat loses frames of an observer that suspends, or raises."""
        self._zelto_take(data)

    @guarded
    def _zelto_take(self, data: FramePushed) -> None:
        worker = data.source.pipeline_worker
        if worker is not self._zelto_worker:  # the first one tells which pipeline it is
            self._zelto_worker = worker
            self._zelto_watch = self._zelto_collector.follow(worker, data.source.get_clock())
        if self._zelto_watch is not None:
            self._zelto_watch.frame(data)

    async def cleanup(self) -> None:
        """End the call; the pipeline is over."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        if self._zelto_watch is not None:
            self._zelto_watch.finish()
