"""Fifty sessions at once in one process: each document whole, none mixed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from live import crowd
from live.telephone import Caller, Twilio, serving
from zelto_agents.receiver import RunningReceiver

GREETING = "Greet the caller and offer help."


def test_each_of_fifty_callers_has_a_document_of_their_own(
    receiver: RunningReceiver, tmp_path: Path
):
    numbers = range(crowd.CROWD)
    # The sound of fifty silent lines is more than one core of a small machine can take in.
    callers = [
        Caller(Twilio, f"caller-{number}", f"call-{number}", sends_silence=False)
        for number in numbers
    ]

    async def call_all(url: str) -> None:
        await asyncio.gather(*(caller.call(url) for caller in callers))

    with serving(receiver, tmp_path / "outbox") as start:
        server = start(program=Path(crowd.__file__))
        asyncio.run(call_all(server.url))
        assert server.stop() == 0
    receiver.wait_until_ingested()
    found = {
        one["externalId"]: [(turn["role"], turn["content"]) for turn in one["turns"]]
        for one in receiver.conversations()
    }
    assert found == {
        f"call-{number}": [
            ("system", GREETING),
            ("assistant", f"Hello, caller {number}."),
            ("user", f"My number is {number}."),
            ("assistant", f"Thank you, number {number}."),
        ]
        for number in numbers
    }
