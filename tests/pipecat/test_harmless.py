"""The plugin can do no harm: with it a pipeline is what it is without it, frame by frame.

Each conversation is played once without the plugin, on a virtual clock, and all of it is written
down: every frame at every hop, what it holds, events, times, the context, what was heard. Then it
is played with the plugin in it, whole or broken, and nothing may differ.
"""

from __future__ import annotations

import gc
import itertools
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.worker import PipelineWorker

from harming import hanging, hurt, raising, slow, watched
from pipecat_scenarios.beside import (
    ARGUMENTS,
    Both,
    First,
    Last,
    Observing,
    arrives,
    unharmed,
    until,
    without,
)
from pipecat_scenarios.harmless import CONVERSATIONS, Beside, traced
from pipecat_scenarios.insides import CONSTRUCTORS, ELSEWHERE, GUARDED, INSIDE, LISTENERS, OURS
from pipecat_scenarios.traced import Trace
from pipecat_zelto import ZeltoObserver, ZeltoProcessor, _log
from zelto_agents import Call, Settings, Zelto, _turns, facts, fold
from zelto_agents._delivery import Delivery
from zelto_agents._drain import Drainer
from zelto_agents._work import Work
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.outbox.steady import SteadyOutbox
from zelto_agents.receiver import RunningReceiver, run_in_thread

# The short one is only to be played while something fails.
PLAYED_IN_FULL = [name for name in CONVERSATIONS if name != "short"]
FAULTS = (TypeError, ValueError, RuntimeError)
ON_THE_HOSTS_THREAD = {
    function.__qualname__: function
    for function in (Call.add, Call.end, Zelto.call, Zelto._take, Delivery.hand_over)
}
ON_OUR_THREAD = (
    Work.take,
    Work.commit,
    Work._finish,
    Work.keep_house,
    SteadyOutbox.put,
    SteadyOutbox.journal,
    SqliteOutbox._run,
    Drainer.deliver,
    facts.encoded,
    fold.fold,
    _turns.compose,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zelto]:
    """Sends to a receiver that nobody looks into."""
    outbox = tmp_path_factory.mktemp("harmless") / "outbox"
    with run_in_thread() as receiver:
        settings = Settings.load(
            {},
            api_key=receiver.key,
            base_url=receiver.url,
            outbox=outbox,
            recordings=outbox.parent / "recordings",
        )
        with Zelto(settings=settings) as client:
            yield client


@pytest.fixture(autouse=True)
def errors_of_ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An error that is pushed may end a call; ours pushes none, and raises none into Pipecat."""
    pushed: list[Any] = []
    for name in ("push_error", "push_error_frame"):
        push: Callable[..., Any] = getattr(ZeltoProcessor, name)

        def noted(*told: Any, push: Callable[..., Any] = push, **options: Any) -> Any:
            pushed.append((told, options))
            return push(*told, **options)

        monkeypatch.setattr(ZeltoProcessor, name, noted)
    yield
    assert pushed == []


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *itertools.product(PLAYED_IN_FULL, [Last, First, Observing]),
        *itertools.product(["everything", "parallel", "stopped"], [Both]),
    ],
)
def test_a_healthy_plugin_changes_nothing_waits_for_nothing_and_leaves_nothing(
    name: str, place: Callable[..., Beside], client: Zelto
):
    beside = place(zelto=client, usage_metrics=False)
    with watched() as touched:
        assert unharmed(beside, name, leaves_timers=False)
    assert touched == []


@pytest.mark.parametrize("place", [Last, First, Observing])
def test_a_call_that_was_not_harmed_arrives(
    place: Callable[..., Beside], settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as client:
        assert unharmed(place(zelto=client, runner_args=ARGUMENTS, agent_id="support"))
        turns = arrives(client, receiver)["turns"]
    spoken = [turn for turn in turns if turn["role"] == "user"]
    assert [turn["content"] for turn in spoken][:4] == [
        "Book a table.",
        "Tell me a tale.",
        "Stop, wait for it.",
        "Break.",
    ]


def hops(trace: Trace) -> dict[str, list[Any]]:
    """What each processor took in and gave on, with its time."""
    found: dict[str, list[Any]] = {}
    for at, kind, _, way, place, held in trace.frames:
        text = held.get("text") if isinstance(held, dict) else held
        found.setdefault(place, []).append((at, kind, way, text))
    return found


def test_the_usage_that_it_asks_pipecat_for_is_all_that_is_added(client: Zelto):
    expected, seen = without("without metrics"), traced("without metrics", Last(zelto=client))
    assert hops(seen) == hops(expected)
    assert seen.events == expected.events


class Stepping(Beside):
    """Gives our observer all that another one gets, and notes of what it was not done at once."""

    def __init__(self, observer: ZeltoObserver) -> None:
        self.observer = observer
        self.steps = 0
        self.suspended: list[str] = []
        self.raised: list[str] = []

    def observers(self) -> list[BaseObserver]:
        stepping = self

        class Observer(BaseObserver):
            async def on_push_frame(self, data: FramePushed) -> None:
                stepping.step(stepping.observer.on_push_frame(data), data)

            async def on_process_frame(self, data: FrameProcessed) -> None:
                stepping.step(stepping.observer.on_process_frame(data), data)

        return [Observer()]

    def step(self, handling: Any, data: FramePushed | FrameProcessed) -> None:
        kind = type(data.frame).__name__
        try:
            handling.send(None)
        except StopIteration:
            self.steps += 1
        except Exception as fault:  # noqa: BLE001 - which Pipecat would get
            self.raised.append(f"{kind}: {fault!r}")
        else:
            self.suspended.append(kind)
            handling.close()


@pytest.mark.parametrize("name", ["everything", "transcribed"])
def test_an_observer_of_ours_never_suspends(name: str, client: Zelto):
    stepping = Stepping(ZeltoObserver(zelto=client))
    assert unharmed(stepping, name)
    assert (stepping.suspended, stepping.raised) == ([], [])
    assert stepping.steps > 100


# Pipecat would tell it no more, and would keep for it all that goes on being pushed.
@pytest.mark.parametrize("seed", range(3))
def test_an_observer_of_ours_never_raises(seed: int, client: Zelto):
    stepping = Stepping(ZeltoObserver(zelto=client))
    luck = random.Random(seed)
    some = [OURS[name] for name in INSIDE - {*CONSTRUCTORS, *GUARDED}]

    def by_chance() -> bool:  # once it is under way
        return stepping.steps > 100 and luck.random() < 0.1

    with hurt(some, raising(*FAULTS), when=by_chance) as struck:
        assert unharmed(stepping, "short")
    assert len(struck) > 5
    assert (stepping.suspended, stepping.raised) == ([], [])


@pytest.mark.parametrize("place", [Beside, Last, Observing])
def test_a_pipeline_that_is_over_is_kept_by_nobody(place: Callable[..., Beside], client: Zelto):
    workers: list[weakref.ref[PipelineWorker]] = []

    class Remembering(BaseObserver):
        async def on_push_frame(self, data: FramePushed) -> None:
            if not workers:
                workers.append(weakref.ref(data.source.pipeline_worker))

    beside = place() if place is Beside else place(zelto=client)
    more = beside.observers
    beside.observers = lambda: [Remembering(), *more()]  # type: ignore[method-assign]
    traced("typed", beside)
    gc.collect()
    assert [worker() for worker in workers] == [None]


@pytest.mark.parametrize("name", GUARDED)
def test_whatever_is_guarded_may_raise(name: str, client: Zelto):
    beside = Both(zelto=client, runner_args=ARGUMENTS)
    with hurt([OURS[name]], raising(*FAULTS)) as struck:
        assert unharmed(beside, "short")
        assert struck or unharmed(beside, "everything")
    assert struck


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_a_part_that_cannot_be_made_is_not_noticed(name: str, client: Zelto):
    with hurt([OURS[name]], raising(*FAULTS)) as struck:
        assert unharmed(Both(zelto=client), "typed")
    assert struck


@pytest.mark.exhaustive
def test_whatever_else_raises_in_the_plugin_is_not_noticed(client: Zelto):
    left = INSIDE - {*GUARDED, *CONSTRUCTORS}
    luck = random.Random(1)
    # Again and again, and not always: what a function calls has its turn while that one is well.
    for name in [*8 * ["typed"], *4 * ["short"], *12 * ["everything"], *8 * ["short"]]:
        some = [OURS[one] for one in sorted(left)]
        _log.to_loguru.cache_clear()
        with hurt(some, raising(*FAULTS), when=lambda: luck.random() < 0.4) as struck:
            assert unharmed(Both(zelto=client, runner_args=ARGUMENTS), name)
        left = {one for one in left if not struck[OURS[one].__qualname__]}
        if not left:
            break
    assert left == set()


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_rarely_called_may_raise_as_well(name: str, client: Zelto):
    with hurt([OURS[name]], raising(*FAULTS)) as struck:
        assert unharmed(Last(zelto=client), ELSEWHERE[name])
    assert struck


@pytest.mark.parametrize("name", ON_THE_HOSTS_THREAD)
def test_whatever_raises_where_facts_are_handed_over_is_not_noticed(name: str, client: Zelto):
    with hurt([ON_THE_HOSTS_THREAD[name]], raising(*FAULTS)) as struck:
        assert unharmed(Both(zelto=client), "short")
    assert struck


@pytest.mark.parametrize("seed", range(3))
def test_whatever_raises_on_the_delivery_thread_is_not_noticed(seed: int, settings: Settings):
    luck = random.Random(seed)
    with (
        Zelto(settings=settings) as client,
        hurt(ON_OUR_THREAD, raising(*FAULTS), when=lambda: luck.random() < 0.3) as struck,
    ):
        assert unharmed(Last(zelto=client), "short")
        until(lambda: struck)


def test_listeners_that_take_their_time_change_nothing(client: Zelto):
    with hurt([OURS[name] for name in LISTENERS], slow(0.02)) as struck:
        assert unharmed(Both(zelto=client))
    assert len(struck) > 5


@pytest.mark.parametrize("function", [Work.take, Work.commit, SqliteOutbox._run, fold.fold])
def test_a_delivery_thread_that_hangs_is_not_waited_for(
    function: Callable[..., Any], settings: Settings, receiver: RunningReceiver
):
    free = threading.Event()
    with Zelto(settings=settings) as client, hurt([function], hanging(free)) as struck:
        try:
            with watched() as touched:
                assert unharmed(Last(zelto=client, agent_id="support"), "short")
            assert not free.is_set()
            until(lambda: struck)
        finally:
            free.set()
        assert touched == []
        assert arrives(client, receiver)["endedReason"]
