"""A trace shows what a processor of ours must not do: the comparisons are not blind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
    MetricsFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from harming import hurt, watched
from pipecat_scenarios.beside import Both, First, Last, unharmed
from pipecat_zelto import ZeltoProcessor
from pipecat_zelto._watch import PipelineWatch
from zelto_agents import Settings, Zelto

GiveOn = Callable[[], Awaitable[None]]


class Harming(ZeltoProcessor):
    """Does something to the first of the frames of a kind that it is given."""

    def __init__(self, kind: type[Frame], harm: Callable[..., Awaitable[None]], **options: Any):
        super().__init__(**options)
        self._zelto_harm: tuple[type[Frame], Callable[..., Awaitable[None]]] | None = (kind, harm)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        async def go_on() -> None:
            await super(Harming, self).process_frame(frame, direction)

        if self._zelto_harm is None or not isinstance(frame, self._zelto_harm[0]):
            await go_on()
            return
        (_, harm), self._zelto_harm = self._zelto_harm, None
        await harm(self, frame, go_on)


async def nothing(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    await go_on()


async def swallow(harming: Harming, frame: Frame, go_on: GiveOn) -> None: ...


async def repeat(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    await go_on()
    await go_on()


async def delay(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    await asyncio.sleep(0.002)
    await go_on()


async def add(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    await go_on()
    await harming.push_frame(MetricsFrame([]))


async def fail(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    await go_on()
    raise RuntimeError("broken")


async def complain(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    await go_on()
    await harming.push_error("it went wrong")


async def change(harming: Harming, frame: Any, go_on: GiveOn) -> None:
    frame.metadata = {"zelto": True}
    await go_on()


async def beget(harming: Harming, frame: Frame, go_on: GiveOn) -> None:
    harming.task = asyncio.create_task(asyncio.sleep(30))  # type: ignore[attr-defined]
    await go_on()


def play(place: type[Last], name: str, kind: type[Frame], harm: Any, folder: Path) -> bool:
    class Placed(place):  # type: ignore[misc, valid-type]
        def processor(self) -> ZeltoProcessor:
            return Harming(kind, harm, **self.options)

    with Zelto(settings=Settings.load({}, outbox=folder)) as client:
        return unharmed(Placed(zelto=client), name)


HARMS = [swallow, repeat, delay, add, fail, complain, change]


@pytest.mark.parametrize("harm", [*HARMS, beget])
def test_harm_is_noticed(harm: Any, tmp_path: Path):
    with pytest.raises(AssertionError):
        play(First, "typed", LLMMessagesAppendFrame, harm, tmp_path)


@pytest.mark.parametrize("harm", [swallow, repeat, delay])
def test_harm_to_sound_is_noticed(harm: Any, tmp_path: Path):
    with pytest.raises(AssertionError):
        play(Both, "hung up on", InputAudioRawFrame, harm, tmp_path)


@pytest.mark.parametrize("kind", [LLMMessagesAppendFrame, LLMTextFrame])
def test_without_harm_there_is_nothing_to_notice(kind: type[Frame], tmp_path: Path):
    assert play(First, "typed", kind, nothing, tmp_path)


def test_a_file_that_is_opened_on_the_loop_is_noticed(tmp_path: Path):
    def open_one(go_on: Callable[[], Any]) -> Any:
        (tmp_path / "opened").touch()
        return go_on()

    with watched() as touched, hurt([PipelineWatch.finish], open_one):
        assert play(Last, "typed", LLMTextFrame, nothing, tmp_path)
    assert [what for what in touched if "open" in what] != []
