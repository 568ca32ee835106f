"""Where the audio can be fetched, told during the call, while it ends, or long after."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pipecat.processors.audio.audio_buffer_processor import AudioBufferProcessor
from pipecat.processors.frame_processor import FrameProcessor

import virtual_time
from pipecat_scenarios.speech import CHAT
from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall
from shelf import FROM_HERE, Shelf, audio_of, sound_in
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver, run_in_thread

URL = "https://recordings.example.com/1.ogg"
Upload = Callable[[ZeltoProcessor], Awaitable[None]]


async def during(zelto: ZeltoProcessor) -> None:
    await asyncio.sleep(2)
    zelto.set_recording_url(URL)


def play(settings: Settings, receiver: RunningReceiver, upload: Upload | None, at: str) -> Any:
    """A recorded call; the bodies that were sent for it.

    Args:
        settings: where it goes.
        receiver: the same.
        upload: tells the URL.
        at: when that begins: ``start``, ``audio`` (when Pipecat gives the whole of it), ``after``.
    """

    async def call(client: Zelto) -> None:
        zelto = ZeltoProcessor(external_id="call", agent_id="a", zelto=client)
        buffer = AudioBufferProcessor()
        parts = ScriptedCall(CHAT)
        beside: list[asyncio.Future[None]] = []

        async def connected(transport: object, client: object) -> None:
            await asyncio.sleep(1.5)
            await buffer.start_recording()
            if upload and at == "start":
                beside.append(asyncio.ensure_future(upload(zelto)))

        async def whole(buffer: object, audio: bytes, rate: int, channels: int) -> None:
            assert audio
            if upload and at == "audio":
                await upload(zelto)

        parts.transport.add_event_handler("on_client_connected", connected)
        buffer.add_event_handler("on_audio_data", whole)
        every: list[FrameProcessor] = [*parts.processors[:-1], buffer, parts.assistant, zelto]
        await parts.run(parts.worker(every))
        await asyncio.gather(*beside)
        if upload and at == "after":
            await asyncio.to_thread(client.flush, 20)
            await upload(zelto)

    with Zelto(settings=settings) as client:
        virtual_time.run(lambda: call(client))
        assert client.flush(20)
    known = receiver.deliveries("call")
    return [json.loads(receiver.raw_body(one["id"]) or b"") for one in known]


def urls(bodies: list[dict[str, Any]]) -> list[str | None]:
    return [body["call"].get("recordingUrl") for body in bodies]


def test_a_recording_told_during_the_call_goes_with_it(
    settings: Settings, receiver: RunningReceiver
):
    assert urls(play(settings, receiver, during, "start")) == [URL]


def test_a_recording_told_when_the_audio_is_whole_is_the_calls_in_the_end(
    settings: Settings, receiver: RunningReceiver
):
    async def now(zelto: ZeltoProcessor) -> None:
        zelto.set_recording_url(URL)

    bodies = play(settings, receiver, now, "audio")
    assert urls(bodies)[-1] == URL
    assert len(bodies) <= 2


def test_a_recording_that_takes_its_time_sends_the_whole_call_again(
    settings: Settings, receiver: RunningReceiver
):
    async def late(zelto: ZeltoProcessor) -> None:
        await asyncio.sleep(60)
        zelto.set_recording_url(URL)

    first, second = play(settings, receiver, late, "after")
    assert urls([first, second]) == [None, URL]
    assert second["transcript"] == first["transcript"]
    assert len(receiver.conversations()) == 1


@pytest.mark.skipif(
    "on_recording_started" not in AudioBufferProcessor()._event_handlers,
    reason="this version does not tell when a recording starts",
)
def test_when_the_recording_began_is_known(settings: Settings, receiver: RunningReceiver):
    (body,) = play(settings, receiver, None, "start")
    started = body["metadata"]["pipecat"]["recording"]["startSeconds"]
    assert started == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("started", [[1, 2], [2]])
def test_of_two_audio_buffers_the_first_that_gives_audio_is_the_recording(
    tmp_path: Path, shelf: Shelf, started: list[int]
):
    given: dict[int, list[bytes]] = defaultdict(list)

    async def call(client: Zelto) -> None:
        parts = ScriptedCall(CHAT)
        # One for a live monitor, in parts, and one for a recording.
        buffers = {n: AudioBufferProcessor(num_channels=n, buffer_size=8000) for n in (1, 2)}

        async def connected(transport: object, client: object) -> None:
            for number in started:
                await buffers[number].start_recording()

        async def part(buffer: object, audio: bytes, rate: int, channels: int) -> None:
            given[channels].append(audio)

        parts.transport.add_event_handler("on_client_connected", connected)
        for buffer in buffers.values():
            buffer.add_event_handler("on_audio_data", part)
        zelto = ZeltoProcessor(external_id="conv-1", agent_id="a", zelto=client)
        every = [*parts.processors[:-1], *buffers.values(), parts.assistant, zelto]
        await parts.run(parts.worker(every))

    with run_in_thread(limits=FROM_HERE) as receiver:
        options = {"api_key": receiver.key, "base_url": receiver.url, "outbox": tmp_path / "outbox"}
        kept = {"recordings": shelf.folder, "recordings_url": shelf.url}
        with Zelto(**options, **kept) as client:
            virtual_time.run(lambda: call(client))
            _, channels, samples = sound_in(audio_of(receiver))
    assert sorted(given) == started
    assert channels == started[0]
    assert samples == b"".join(given[channels])
