"""A call that is over holds nothing of its pipeline."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from pipecat.frames.frames import CancelFrame, EndFrame, Frame

import virtual_time
from pipecat_scenarios.speech import CHAT
from pipecat_zelto import ZeltoProcessor
from scripted import Script
from scripted.pipecat import ScriptedCall
from zelto_agents import Settings, Zelto

SHORT = Script(CHAT.lines[:1], CHAT.replies, 4.0)


@pytest.mark.parametrize("kind", [EndFrame, CancelFrame])
def test_a_pipeline_is_gone_when_its_call_is_over(settings: Settings, kind: type[Frame]):
    workers: list[weakref.ref[object]] = []

    async def call(client: Zelto) -> None:
        parts = ScriptedCall(SHORT)
        zelto = ZeltoProcessor(external_id="call", agent_id="a", zelto=client)
        worker = parts.worker([*parts.processors, zelto])
        workers.append(weakref.ref(worker))

        async def end(transport: object, client: object) -> None:
            await worker.queue_frames([kind()])

        parts.transport.add_event_handler("on_client_disconnected", end)
        await parts.run(worker, cancels=False)

    async def calls(client: Zelto) -> None:
        await call(client)
        await asyncio.sleep(100)  # timers of Pipecat's own have ended

    with Zelto(settings=settings) as client:
        virtual_time.run(lambda: calls(client))
        gc.collect()
        assert [worker() for worker in workers] == [None]
