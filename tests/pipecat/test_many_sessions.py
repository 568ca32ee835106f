"""Fifty telephone calls at once in one process of the example's server.

Run as a program, this is that server, with a script for each of the callers.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))

import pytest
from websockets.asyncio.client import ClientConnection, connect

from demo_scripts import BOT_SCRIPTS
from scripted import CallerLine, Reply, Script
from zelto_agents.receiver import RunningReceiver

SESSIONS = 50
# A telephone's packets are a tenth of this, and do not stop: the 2,500 of a second would take more
# than the one core that a process has.
PACKET = 0.2
SILENCE, LOUD = (code * int(8000 * PACKET) for code in (b"\xff", b"\x9f"))
# Seconds: how long a caller speaks, is heard to be silent, and waits after the bot has spoken.
SPOKEN = 0.8
PAUSE = 1.4
QUIET = 1.6
LATEST = 50.0


@dataclass(frozen=True)
class Talk:
    """What is said in one of the calls, and in no other."""

    number: int

    @property
    def name(self) -> str:
        return f"call-{self.number}"

    @property
    def phone(self) -> str:
        return f"+1555{self.number:07}"

    @property
    def questions(self) -> list[str]:
        return [f"What is in box {self.number}?", f"And who owns box {self.number}?"]

    @property
    def answers(self) -> list[str]:
        return [f"Hello, caller {self.number}.", f"{self.number} apples.", f"Owner {self.number}."]

    @property
    def turns(self) -> list[tuple[str, str]]:
        said = [("assistant", self.answers[0])]
        for question, answer in zip(self.questions, self.answers[1:], strict=True):
            said += [("user", question), ("assistant", answer)]
        return [("system", "Greet the caller and offer help."), *said]

    def script(self) -> Script:
        """For the bot, which knows lines by their order alone."""
        lines = [CallerLine(n, n + SPOKEN, text) for n, text in enumerate(self.questions)]
        heard = ["greet the caller", *self.questions]
        replies = (Reply(to, text) for to, text in zip(heard, self.answers, strict=True))
        return Script(tuple(lines), tuple(replies))


class Caller:
    """Somebody who waits for the bot to end before they speak."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self._spoken = asyncio.Event()

    async def call(self, url: str) -> None:
        ids = {"streamSid": f"MZ{self.talk.name}", "callSid": self.talk.name}
        given = {"script": self.talk.name, "from_number": self.talk.phone}
        start = {"event": "start", "start": {**ids, "customParameters": given}}
        async with asyncio.timeout(LATEST), connect(url, compression=None) as line:
            await line.send(json.dumps({"event": "connected"}))
            await line.send(json.dumps(start))
            listening = asyncio.create_task(self._listen(line))
            for _ in self.talk.questions:
                await self._listened()
                await self._send(line, LOUD, SPOKEN)
                await self._send(line, SILENCE, PAUSE)
            await self._listened()
            await line.close()
            await listening

    async def _listened(self) -> None:
        """Wait until the bot has spoken, and is silent."""
        await self._spoken.wait()
        while self._spoken.is_set():
            self._spoken.clear()
            await asyncio.sleep(QUIET)

    async def _send(self, line: ClientConnection, sound: bytes, seconds: float) -> None:
        message = {"event": "media", "media": {"payload": base64.b64encode(sound).decode()}}
        due = time.monotonic()
        for _ in range(round(seconds / PACKET)):
            await line.send(json.dumps(message))
            due += PACKET
            await asyncio.sleep(due - time.monotonic())

    async def _listen(self, line: ClientConnection) -> None:
        async for message in line:
            media = json.loads(message).get("media")
            sound = base64.b64decode(media["payload"]) if media else b""
            if any(~sample & 0x70 >= 0x40 for sample in sound):
                self._spoken.set()


@dataclass
class Server:
    """The server's process."""

    url: str
    process: subprocess.Popen[str]
    log: list[str]


@pytest.fixture
def server(receiver: RunningReceiver, tmp_path: Path) -> Iterator[Server]:
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
        # Never used: the callers hang up, and then Twilio is not asked to.
        "TWILIO_ACCOUNT_SID": "AC0",
        "TWILIO_AUTH_TOKEN": "none",
    }
    command = [sys.executable, __file__, "--port", "0"]
    log: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if running := re.search(r"running on http(\S+)", line):
                break
        else:
            pytest.fail("".join(log))
        reading = threading.Thread(target=log.extend, args=(process.stderr,))
        reading.start()
        with contextlib.closing(process.stderr):
            yield Server(f"ws{running[1]}/ws", process, log)
            process.kill()
            reading.join()


def test_fifty_sessions_at_once_make_fifty_documents_each_whole_and_none_mixed(
    server: Server, receiver: RunningReceiver
):
    talks = [Talk(number) for number in range(1, SESSIONS + 1)]

    async def call_all() -> None:
        await asyncio.gather(*(Caller(talk).call(server.url) for talk in talks))

    asyncio.run(call_all())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    receiver.wait_until_ingested()
    found = {one["externalId"]: one for one in receiver.conversations()}
    assert {name: content(one) for name, one in found.items()} == {
        talk.name: (talk.phone, "customer-ended-call", talk.turns) for talk in talks
    }
    assert not re.search(r"Traceback|\+1555|apples|Owner", "".join(server.log))


def content(document: dict[str, Any]) -> tuple[str, str, list[tuple[str, str]]]:
    turns = [(turn["role"], turn["content"]) for turn in document["turns"]]
    return document["customer"]["number"], document["endedReason"], turns


if __name__ == "__main__":
    from server import main

    BOT_SCRIPTS.update({talk.name: talk.script() for talk in map(Talk, range(1, SESSIONS + 1))})
    main()
