"""In Pipecat's own test pipelines, what comes out with the processor is what comes out without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import (
    BotSpeakingFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    DataFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FunctionCallFromLLM,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    HeartbeatFrame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    LLMTextFrame,
    MetricsFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    StopFrame,
    TextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.tests.utils import SleepFrame, run_test

import virtual_time
from harming import hurt, raising
from pipecat_scenarios.insides import INSIDE, OURS
from pipecat_zelto import ZeltoObserver, ZeltoProcessor
from zelto_agents import Settings, Zelto

DOWN, UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
Received = tuple[list[Frame], list[Frame]]


class Unheard(DataFrame):
    """A kind of the user's own."""


class Odd(Frame):
    """One that is asked in vain."""

    @property
    def broadcast_sibling_id(self) -> int | None:
        raise RuntimeError("a bug of the user's")

    @broadcast_sibling_id.setter
    def broadcast_sibling_id(self, _: int | None) -> None: ...


class Raising(FrameProcessor):
    """Fails over texts, and swallows them."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TextFrame):
            raise RuntimeError("broken")
        await self.push_frame(frame, direction)


class Talkative(FrameProcessor):
    """Says something both ways whenever it is told something, also when it is told to end."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.broadcast_frame(UserStartedSpeakingFrame)
        await self.push_frame(frame, direction)
        await self.push_frame(LLMTextFrame("well"), DOWN)
        await self.broadcast_frame(BotSpeakingFrame)


def many() -> list[Frame]:
    """One of each kind that a call is made of: for the system, of data, and for control."""
    wanted = FunctionCallFromLLM("book", "1", {}, None)
    sound = {"audio": bytes(640), "sample_rate": 16_000, "num_channels": 1}
    return [
        *(InputAudioRawFrame(**sound), OutputAudioRawFrame(**sound), TTSAudioRawFrame(**sound)),
        *(VADUserStartedSpeakingFrame(0.2), VADUserStoppedSpeakingFrame(0.2)),
        *(UserStartedSpeakingFrame(), UserStoppedSpeakingFrame()),
        *(BotStartedSpeakingFrame(), BotSpeakingFrame(), BotStoppedSpeakingFrame()),
        *(InterimTranscriptionFrame("a", "ada", ""), TranscriptionFrame("ab", "ada", "")),
        *(LLMContextFrame(LLMContext()), LLMRunFrame(), LLMMessagesAppendFrame([])),
        *(LLMFullResponseStartFrame(), LLMTextFrame("b"), LLMFullResponseEndFrame()),
        *(TTSSpeakFrame("c"), TTSStartedFrame(), TTSTextFrame("c", "word"), TTSStoppedFrame()),
        FunctionCallsStartedFrame([wanted]),
        FunctionCallInProgressFrame("book", "1", {}),
        FunctionCallResultFrame("book", "1", {}, "booked"),
        MetricsFrame([TTFBMetricsData(processor="llm", value=0.1)]),
        *(HeartbeatFrame(1), InputTransportMessageFrame({}), OutputTransportMessageFrame({})),
        *(TextFrame("d"), Unheard(), Odd()),
        *(SleepFrame(), InterruptionFrame(), ErrorFrame("broken"), TextFrame("e"), SleepFrame()),
    ]


def hasty() -> list[Frame]:
    """The same all at once: some of it overtakes, and is dropped."""
    return [frame for frame in many() if not isinstance(frame, SleepFrame)]


Make = Callable[[], list[FrameProcessor]]
Around = Callable[[Make], list[FrameProcessor]]


def alone(ours: Make) -> list[FrameProcessor]:
    return ours()


def between_queues(ours: Make) -> list[FrameProcessor]:
    return [IdentityFilter(), *ours(), IdentityFilter()]


def before_one_that_fails(ours: Make) -> list[FrameProcessor]:
    return [IdentityFilter(), *ours(), Raising(), IdentityFilter()]


def around_one_that_talks(ours: Make) -> list[FrameProcessor]:
    return [IdentityFilter(), *ours(), Talkative(), *ours(), IdentityFilter()]


def nested(ours: Make) -> list[FrameProcessor]:
    return [IdentityFilter(), Pipeline([Pipeline([*ours(), IdentityFilter()]), *ours()])]


PLACES = [alone, between_queues, before_one_that_fails, around_one_that_talks, nested]


def received(parts: list[FrameProcessor], sent: Sequence[Frame], **options: Any) -> Received:
    """What came out at both ends."""
    down, up = virtual_time.run(lambda: run_test(Pipeline(parts), frames_to_send=sent, **options))
    return list(down), list(up)


def kinds(seen: Received) -> list[list[str]]:
    return [[type(frame).__name__ for frame in frames] for frames in seen]


def same(seen: Received, sent: Sequence[Frame]) -> list[list[int | None]]:
    """Which of the frames that were sent each of those is, if any."""
    numbers = {id(frame): number for number, frame in enumerate(sent)}
    return [[numbers.get(id(frame)) for frame in frames] for frames in seen]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zelto]:
    folder: Path = tmp_path_factory.mktemp("pass-through")
    with Zelto(settings=Settings.load({}, outbox=folder / "outbox")) as client:
        yield client


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
@pytest.mark.parametrize("direction", [DOWN, UP], ids=["down", "up"])
@pytest.mark.parametrize("frames", [many, hasty])
@pytest.mark.parametrize("place", PLACES)
def test_every_frame_comes_out_as_without_it(
    place: Around,
    frames: Callable[[], list[Frame]],
    direction: FrameDirection,
    broken: bool,
    client: Zelto,
):
    without, sent = frames(), frames()
    expected = received(place(list), without, frames_to_send_direction=direction)
    functions = [OURS[name] for name in INSIDE] if broken else []
    with hurt(functions, raising(TypeError, ValueError, RuntimeError)) as struck:
        ours = place(lambda: [ZeltoProcessor(zelto=client)])
        seen = received(ours, sent, frames_to_send_direction=direction)
    assert kinds(seen) == kinds(expected)
    assert same(seen, sent) == same(expected, without)
    assert bool(struck) == broken


@pytest.mark.parametrize("last", [EndFrame, CancelFrame, StopFrame])
@pytest.mark.parametrize("place", PLACES)
def test_a_pipeline_starts_and_ends_as_without_it(
    place: Around, last: Callable[[], Frame], client: Zelto
):
    options = {"ignore_start": False, "send_end_frame": False}
    expected = received(place(list), [Unheard(), last()], **options)
    seen = received(place(lambda: [ZeltoProcessor(zelto=client)]), [Unheard(), last()], **options)
    assert kinds(seen) == kinds(expected)
    assert kinds(seen)[0][0] == "StartFrame"


def test_pipecat_itself_finds_what_it_expects(client: Zelto):
    sent = [TextFrame("a"), SleepFrame(), InterruptionFrame(), SleepFrame(), TextFrame("b")]
    down, up = received(
        [ZeltoProcessor(zelto=client)],
        sent,
        expected_down_frames=[TextFrame, InterruptionFrame, TextFrame],
        expected_up_frames=[],
        observers=[ZeltoObserver(zelto=client)],
    )
    assert (same((down, up), sent)) == [[0, 2, 4], []]
