"""``ZeltoObserver``: sees every frame of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipecat.observers.base_observer import BaseObserver, FramePushed

from zelto_agents import Call, Zelto
from zelto_agents.guard import guarded

from ._collector import CallOptions, Collector
from ._watch import PipelineWatch

__all__ = ["FrameObserver", "ZeltoObserver"]


class FrameObserver(BaseObserver):
    """Gives frames to a watch, and ends its call with the pipeline.

    Args:
        watch: where the frames go.
    """

    def __init__(self, watch: PipelineWatch | None = None) -> None:
        try:
            super().__init__(observe_every_push=False)
        except TypeError:  # before 1.12
            super().__init__()
        self._zelto_watch = watch

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take in a frame. Pipecat loses frames of an observer that suspends, or raises."""
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
        runner_args: as of ``ZeltoProcessor``, like all the others.
        transport: see there.
        external_id: see there.
        agent_id: see there.
        agent_uuid: see there.
        agent_name: see there.
        version: see there.
        system_prompt: see there.
        metadata: see there.
        customer: see there.
        recording_url: see there.
        redact: see there.
        usage_metrics: see there.
        zelto: see there.
    """

    def __init__(
        self,
        runner_args: Any = None,
        *,
        transport: Any = None,
        external_id: str | None = None,
        agent_id: str | None = None,
        agent_uuid: str | None = None,
        agent_name: str | None = None,
        version: str | None = None,
        system_prompt: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        customer: Mapping[str, str] | None = None,
        recording_url: str | None = None,
        redact: Callable[[str], str] | None = None,
        usage_metrics: bool = True,
        zelto: Zelto | None = None,
    ) -> None:
        super().__init__()
        options = CallOptions(
            agent_id=agent_id,
            agent_uuid=agent_uuid,
            agent_name=agent_name,
            version=version,
            system_prompt=system_prompt,
            metadata=metadata,
            customer=customer,
            recording_url=recording_url,
            redact=redact,
        )
        self._zelto_collector = Collector(
            runner_args, transport, external_id, zelto, options, usage_metrics=usage_metrics
        )
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
