"""The plugin can do no harm: with it a conversation is what it is without it, to the microsecond.

Each conversation is played once without the plugin, on a virtual clock, and all of it is written
down: events, what they hold, frames, captions, tools, times, the history. Then it is played with
the plugin beside it, whole or broken, and nothing may differ.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from livekit.agents import AgentSession
from livekit.agents.voice.events import EventTypes

from harming import functions_of, hanging, hurt, plugin_modules, raising, slow, watched
from livekit_scenarios.beside import (
    DEADLINE,
    Attached,
    arrives,
    impatient,
    unharmed,
    until,
    without,
)
from livekit_scenarios.harmless import CONVERSATIONS
from zelto_agents import Call, Settings, Zelto, _turns, facts, fold
from zelto_agents._delivery import Delivery
from zelto_agents._drain import Drainer
from zelto_agents._work import Work
from zelto_agents.outbox._files import FILE_NAME
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.outbox.steady import SteadyOutbox
from zelto_agents.receiver import RunningReceiver

FAULTS = (TypeError, ValueError, RuntimeError)
OURS = functions_of(*plugin_modules())
# What the guard is, and not what it is around.
GUARDS = {"_attach.attach", "_session.SessionWatch._on_shutdown"}
# What only the worker's main process runs, or a session that is started a second time.
ELSEWHERE = {name for name in OURS if name.startswith(("_install.", "_worker."))} | {
    "_room.RoomWatch.reset"
}
ATTACHING = [
    "_job.job_context",
    "_job.external_id",
    "_job.introduce",
    "_room.RoomWatch.__init__",
    "_session.SessionWatch.__init__",
    "_attach._watched",
    "_session.SessionWatch.start",
]
# What this version of LiveKit never tells.
if "tool_execution_updated" not in get_args(EventTypes):
    ELSEWHERE.add("_session.SessionWatch._on_tool_update")
LISTENERS = [name for name in OURS if "._on_" in name and name not in GUARDS | ELSEWHERE]
# What nearly all of them call.
BEHIND_THEM = ["_begin", "_add", "_session"]
ON_THE_HOSTS_THREAD = {
    function.__qualname__: function
    for function in (
        Call.add,
        Call.end,
        Zelto.call,
        Zelto._take,
        Zelto._announce,
        Delivery.hand_over,
        Delivery.flush,
    )
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


@pytest.fixture
def client(settings: Settings) -> Iterator[Zelto]:
    with Zelto(settings=impatient(settings)) as client:
        yield client


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_healthy_plugin_changes_nothing_waits_for_nothing_and_delivers_the_call(
    name: str, client: Zelto, receiver: RunningReceiver
):
    with watched() as touched:
        assert unharmed(Attached(zelto=client), name)
    assert touched == []
    (heard,) = [value for _, what, value in without(name).lines if what == "truth"]
    turns = arrives(client, receiver)["turns"]
    spoken = [turn["content"] for turn in turns if turn["role"] == "user"]
    assert spoken == [text for role, text, *_ in heard if role == "user"]


@pytest.mark.parametrize(
    "name", [*LISTENERS, *(f"_session.SessionWatch.{name}" for name in BEHIND_THEM)]
)
def test_a_listener_that_raises_is_not_noticed(name: str, client: Zelto):
    with hurt([OURS[name]], raising(*FAULTS)) as struck:
        assert unharmed(Attached(zelto=client))
    assert struck


def test_a_line_that_fails_is_not_noticed(client: Zelto):
    class Failing(Attached):
        def attached(self, session: AgentSession[Any]) -> None:
            for name in ATTACHING:
                with hurt([OURS[name]], raising(*FAULTS)) as struck:
                    self.attach(session)
                assert struck

    beside = Failing(zelto=client)
    assert unharmed(beside)
    assert len(set(map(id, beside.calls))) == len(ATTACHING)


def test_whatever_else_raises_in_the_plugin_is_not_noticed(client: Zelto):
    left = OURS.keys() - GUARDS - ELSEWHERE - {*ATTACHING, *LISTENERS}
    plays = 0
    while left:
        # Not all at once: what a function calls has its turn only while that one is well.
        some = {name: OURS[name] for name in sorted(left)[::2]}
        with hurt(some.values(), raising(*FAULTS)) as struck:
            assert unharmed(Attached(zelto=client))
        left -= {name for name, function in some.items() if struck[function.__qualname__]}
        plays += 1
        assert plays < 30, left


@pytest.mark.parametrize("name", ON_THE_HOSTS_THREAD)
def test_whatever_raises_where_facts_are_handed_over_is_not_noticed(name: str, client: Zelto):
    with hurt([ON_THE_HOSTS_THREAD[name]], raising(*FAULTS)) as struck:
        assert unharmed(Attached(zelto=client))
    assert struck


@pytest.mark.parametrize("seed", range(4))
def test_whatever_raises_on_the_delivery_thread_is_not_noticed(seed: int, client: Zelto):
    luck = random.Random(seed)
    with hurt(ON_OUR_THREAD, raising(*FAULTS), when=lambda: luck.random() < 0.3) as struck:
        assert unharmed(Attached(zelto=client))
        until(lambda: struck)


def test_listeners_that_take_their_time_change_nothing(client: Zelto):
    with hurt([OURS[name] for name in LISTENERS], slow(0.02)) as struck:
        assert unharmed(Attached(zelto=client))
    assert len(struck) > 5


@pytest.mark.parametrize("function", [Work.take, Work.commit, SqliteOutbox._run, fold.fold])
def test_a_delivery_thread_that_hangs_is_not_waited_for(
    function: Callable[..., Any], client: Zelto, receiver: RunningReceiver
):
    free = threading.Event()
    with hurt([function], hanging(free)) as struck:
        try:
            with watched() as touched:
                assert unharmed(Attached(zelto=client))
            assert not free.is_set()
            until(lambda: struck)
        finally:
            free.set()
        assert touched == []
        assert arrives(client, receiver)["endedReason"]


def test_an_outbox_that_another_process_has_locked_is_not_waited_for(
    client: Zelto, settings: Settings, receiver: RunningReceiver
):
    client.call("first", agent_id="support").end()
    assert client.flush(DEADLINE)
    code = (
        "import sqlite3, sys; outbox = sqlite3.connect(sys.argv[1]); "
        "outbox.execute('BEGIN EXCLUSIVE'); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(settings.outbox / FILE_NAME)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert unharmed(Attached(zelto=client))
        holder.communicate()
    assert client.flush(DEADLINE)
    assert receiver.wait_for("AJ_harmless")
