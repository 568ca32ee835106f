"""``ZeltoProcessor``: the one line in a pipeline."""

from __future__ import annotations

from typing import Any, Unpack

from pipecat.frames.frames import AudioRawFrame, Frame
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)

from zelto_agents import Call
from zelto_agents.guard import guarded

from ._collector import CallOptions, Collector
from ._observer import see

__all__ = ["ZeltoProcessor"]


class ZeltoProcessor(FrameProcessor):
    """Collects the call of the pipeline that it is in, and sends it to Zelto at the end.

    Anywhere in the pipeline, nested or not: it passes every frame on at once, and never raises.

    Args:
        runner_args: What your ``bot(runner_args)`` was given: ids, numbers and rooms come from it.
        **options: All of them may be left out:

            - ``transport``: the transport, where its ends in the pipeline do not tell when the
              caller left.
            - ``external_id``: your own unique id of the call; else the provider's id of the call,
              else the runner's of the session, else a UUID. Further pipelines of this processor
              get ``-2``, ``-3`` behind it.
            - ``agent_id``: your own stable id of the agent; else ``ZELTO_AGENT_ID``, else the name
              that the ``PipelineWorker`` was given.
            - ``agent_uuid``: Zelto's id of an existing agent; beats ``agent_id``.
            - ``agent_name``: names the agent when its first call arrives.
            - ``version``: build or prompt revision, 1 to 255 characters.
            - ``system_prompt``: instead of the one that the model has.
            - ``metadata``: free-form.
            - ``customer``: ``number`` and ``name`` of the other side; say it for calls that you
              make.
            - ``recording_url``: where the audio can be fetched.
            - ``redact``: is given every text before it is written or sent anywhere.
            - ``filter``: is given the document (``CallIngest``) at the end; False, and nothing is
              sent or kept of it. If it raises, the call is sent; and unasked, one that is adopted
              after its process died.
            - ``prices``: of your own, for what the models consumed: a mapping, or a function from
              a part of the usage to dollars; else those of ``ZELTO_PRICES``, else published ones.
            - ``cost``: what the call costs in all, in US dollars, if you know; beats all prices.
            - ``usage_metrics``: False leaves Pipecat's usage metrics as they are, which is off.
            - ``zelto``: another client than the process's own.

    Raises:
        TypeError: There is no such option.

    Example::

        pipeline = Pipeline([..., ZeltoProcessor(runner_args, agent_id="support")])
    """

    def __init__(self, runner_args: Any = None, **options: Unpack[CallOptions]) -> None:
        # Direct mode: no queue and no task of its own.
        super().__init__(enable_direct_mode=True)
        self._zelto_collector = Collector(runner_args, **options)

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
        if self._zelto_collector.usage_metrics:
            setup.enable_usage_metrics = True  # since 1.8 read from here, before from the worker
        see(setup.observer, watch)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on."""
        if not isinstance(frame, AudioRawFrame):
            await super().process_frame(frame, direction)
            await self.push_frame(frame, direction)
            return
        # Most frames are sound, of which each observer would be told twice more, and woken.
        beyond = self.next if direction == FrameDirection.DOWNSTREAM else self.previous
        if beyond is not None:
            await beyond.queue_frame(frame, direction)
