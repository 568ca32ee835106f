"""The example's server, as a process of its own, with several callers on real connections."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from demo_scripts import STORY
from live.telephone import Caller, Exotel, Twilio, serving
from zelto_agents.receiver import RunningReceiver

TOLERANCE = 0.15
GREETED = ["Greet the caller and offer help.", "Hello, Acme support here. How can I help you?"]
WHOLE = {
    "weather": [
        *GREETED,
        "What is the weather in Paris?",
        '{"name":"get_weather","arguments":{"city":"Paris"},"result":"sunny, 21 degrees in Paris"}',
        "It is sunny in Paris, 21 degrees.",
        "Please tell me a story.",
        STORY,
        "Stop, thank you. Goodbye.",
        '{"name":"end_call","arguments":{},"result":"the call ends"}',
        "Goodbye, have a nice day!",
    ],
    "london": [
        *GREETED,
        "What is the weather in London?",
        '{"name":"get_weather","arguments":{"city":"London"},"result":"sunny, 21 degrees in London"}',
        "London has 21 degrees today.",
        "Lovely, farewell.",
        "Farewell, and take care!",
    ],
    "hours": [
        *GREETED,
        "When are you open?",
        "From nine to five, on every day.",
        "Thanks, bye.",
        "Bye, see you soon.",
    ],
}
CUT = {("weather", 6), ("london", 1)}


@pytest.fixture
def serve(receiver: RunningReceiver, tmp_path: Path) -> Iterator[Any]:
    with serving(receiver, tmp_path / "outbox") as start:
        yield start


def faults(caller: Caller, document: dict[str, Any]) -> list[str]:
    """What is wrong with the document of a call."""
    turns, found = document["turns"], []
    wanted = WHOLE[caller.name]
    if len(turns) != len(wanted):
        return [f"{len(turns)} turns, not {len(wanted)}: {turns}"]
    for number, (turn, text) in enumerate(zip(turns, wanted, strict=True)):
        cut = (caller.name, number) in CUT
        same = text.startswith(turn["content"]) and text != turn["content"]
        if not (same if cut else turn["content"] == text):
            found.append(f"turn {number} is {turn['content']!r}")
    began = datetime.fromisoformat(document["startedAt"]).timestamp()
    lines = [(line.start, line.end) for line in caller.script.lines]
    spoken = {
        "user": [(caller.began + start, caller.began + end) for start, end in lines],
        "assistant": [(start, end) for start, end in caller.heard],
    }
    for role, spans in spoken.items():
        mine = [turn for turn in turns if turn["role"] == role]
        if len(mine) != len(spans):
            found.append(f"{len(mine)} turns of the {role}, {len(spans)} were heard")
        for turn, (start, end) in zip(mine, spans, strict=False):
            off = max(
                abs(began + turn["startSeconds"] - start), abs(began + turn["endSeconds"] - end)
            )
            if off > TOLERANCE:
                found.append(f"{turn['content']!r} is {off:.3f} s off")
    return found


def test_calls_at_once_are_each_whole_and_by_themselves(serve: Any, receiver: RunningReceiver):
    server = serve()
    callers = [
        Caller(Exotel, "weather", "exotel-1"),
        Caller(Twilio, "london", "CA0001"),
        Caller(Twilio, "hours", "CA0002"),
    ]

    async def call_all() -> None:
        await asyncio.gather(*(caller.call(server.url) for caller in callers))

    asyncio.run(call_all())
    assert server.stop() == 0
    for caller in callers:
        document = receiver.wait_for(caller.call_id)
        assert faults(caller, document) == []
        assert document["customer"] == {"number": caller.script.caller.phone}
        assert document["agent"]["externalId"] == "support"
        assert document["systemPrompt"].startswith("You are the support agent of Acme.")
        bot_hangs_up = caller.script.hang_up is None
        assert document["endedReason"] == (
            "agent-ended-call" if bot_hangs_up else "customer-ended-call"
        )
    assert len(receiver.conversations()) == len(callers)
    log = "".join(server.log)
    assert not re.search(r"\+1555|weather|Goodbye|Acme|Traceback", log), log


@pytest.mark.parametrize(
    ("drain", "reason"), [("600", "customer-ended-call"), ("0.5", "worker-shutdown")]
)
def test_a_stop_waits_for_a_call_and_then_ends_it(
    drain: str, reason: str, serve: Any, receiver: RunningReceiver
):
    server = serve("--drain", drain)
    caller = Caller(Exotel if drain == "0.5" else Twilio, "hours", "call-1")

    async def stop_while_calling() -> None:
        calling = asyncio.create_task(caller.call(server.url))
        await caller.greeted.wait()
        server.process.send_signal(signal.SIGTERM)
        await calling

    asyncio.run(stop_while_calling())
    assert server.process.wait(30) == 0
    document = receiver.wait_for("call-1")
    assert document["endedReason"] == reason
    if reason == "customer-ended-call":
        assert faults(caller, document) == []
    else:
        greeting = document["turns"][-1]["content"]
        assert greeting
        assert GREETED[1].startswith(greeting)
