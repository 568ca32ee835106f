"""``ZeltoProcessor``: the one line in a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)

from zelto_agents import Call, Zelto
from zelto_agents.guard import guarded

from ._collector import CallOptions, Collector
from ._observer import FrameObserver

__all__ = ["ZeltoProcessor"]


class ZeltoProcessor(FrameProcessor):
    """Collects the call of the pipeline that it is in, and sends it to Zelto at the end.

    Anywhere in the pipeline, nested or not: it passes every frame on at once, and never raises.

    Args:
        runner_args: what your ``bot(runner_args)`` was given: ids, numbers and rooms come from it.
        transport: the transport, where its ends in the pipeline do not tell when the caller left.
        external_id: your own unique id of the call; else the provider's id of the call, else the
            runner's of the session, else a UUID. Further pipelines get ``-2``, ``-3`` behind it.
        agent_id: your own stable id of the agent; else ``ZELTO_AGENT_ID``, else the name that the
            ``PipelineWorker`` was given.
        agent_uuid: Zelto's id of an existing agent; beats ``agent_id``.
        agent_name: names the agent when its first call arrives.
        version: build or prompt revision, 1 to 255 characters.
        system_prompt: instead of the one that the model has.
        metadata: free-form.
        customer: ``number`` and ``name`` of the caller; say it for calls that you make.
        recording_url: where the audio can be fetched.
        redact: is given every text before it is written or sent anywhere.
        usage_metrics: whether to switch Pipecat's usage metrics on.
        zelto: another client than the process's own.
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
        # Direct mode: no queue and no task of its own.
        super().__init__(enable_direct_mode=True)
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
        self._zelto_usage_metrics = usage_metrics
        self._zelto_collector = Collector(
            runner_args, transport, external_id, zelto, options, usage_metrics=usage_metrics
        )

    @property
    def call(self) -> Call:
        """The call, for what only your code knows: ``call.metadata({...})``."""
        return self._zelto_collector.call

    def set_recording_url(self, url: str) -> None:
        """Say where the audio can be fetched: during the call, at its end, or any time later."""
        self.call.recording(url)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        """Begin to observe the pipeline."""
        await super().setup(setup)
        self._zelto_setup(setup)

    @guarded
    def _zelto_setup(self, setup: FrameProcessorSetup) -> None:
        watch = self._zelto_collector.follow(setup.pipeline_worker, setup.clock)
        if watch is None or setup.observer is None:
            return
        if self._zelto_usage_metrics:
            setup.enable_usage_metrics = True
        add_observer: Any = setup.observer
        add_observer.add_observer(FrameObserver(watch))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
