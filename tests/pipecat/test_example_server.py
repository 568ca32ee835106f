"""The example's server, as a process of its own, with several callers on real connections."""

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
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from demo_scripts import BOT_SCRIPTS, STORY
from scripted import Script
from zelto_agents.receiver import RunningReceiver

EXAMPLE = Path(__file__).parents[2] / "examples" / "worker"
PACKET = 0.02
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


class Twilio:
    """What Twilio says on the connection: sound in mu-law, and parameters of one's own."""

    silence, loud = b"\xff" * 160, b"\x9f" * 160

    @staticmethod
    def start(name: str, call_id: str, script: Script) -> dict[str, Any]:
        given = {"script": name, "from_number": script.caller.phone}
        ids = {"streamSid": f"MZ{call_id}", "callSid": call_id, "customParameters": given}
        return {"event": "start", "start": ids}

    @staticmethod
    def is_loud(sound: bytes) -> bool:
        return any(~sample & 0x70 >= 0x40 for sample in sound)


class Exotel:
    """What Exotel says: plain samples, and the numbers of both sides."""

    silence, loud = bytes(320), array("h", [8000] * 160).tobytes()

    @staticmethod
    def start(name: str, call_id: str, script: Script) -> dict[str, Any]:
        ids = {"stream_sid": f"s-{call_id}", "call_sid": call_id, "account_sid": "acme"}
        return {"event": "start", "start": {**ids, "from": script.caller.phone, "to": "+15550199"}}

    @staticmethod
    def is_loud(sound: bytes) -> bool:
        return max(array("h", sound)) > 1000


@dataclass
class Caller:
    """Somebody who phones the bot, and says the lines of a script once it has greeted them."""

    provider: type[Twilio | Exotel]
    name: str
    call_id: str
    began: float = 0.0
    """When the bot was heard first; the script counts from there."""
    heard: list[list[float]] = field(default_factory=list)
    """When the bot was heard, from and to."""
    greeted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def script(self) -> Script:
        return BOT_SCRIPTS[self.name]

    async def call(self, url: str) -> None:
        async with connect(url) as line:
            await line.send(json.dumps({"event": "connected"}))
            start = self.provider.start(self.name, self.call_id, self.script)
            await line.send(json.dumps(start))
            listening = asyncio.create_task(self._listen(line))
            with contextlib.suppress(ConnectionClosed):  # the bot hangs up
                await self._speak(line)
            await line.close()
            await listening

    async def _speak(self, line: ClientConnection) -> None:
        due = time.monotonic()
        while True:
            at = time.time() - self.began if self.began else 0.0
            if self.script.hang_up is not None and at > self.script.hang_up:
                return
            speaks = any(said.start <= at < said.end for said in self.script.lines)
            sound = self.provider.loud if speaks else self.provider.silence
            payload = base64.b64encode(sound).decode()
            await line.send(json.dumps({"event": "media", "media": {"payload": payload}}))
            due += PACKET
            await asyncio.sleep(due - time.monotonic())

    async def _listen(self, line: ClientConnection) -> None:
        async for message in line:
            media = json.loads(message).get("media")
            sound = base64.b64decode(media["payload"]) if media else b""
            if not sound or not self.provider.is_loud(sound):
                continue
            now = time.time()
            if not self.heard:
                self.began = now
                self.greeted.set()
            if not self.heard or now - self.heard[-1][1] > 0.3:
                self.heard.append([now, now])
            self.heard[-1][1] = now + len(sound) / len(self.provider.silence) * PACKET


@dataclass
class Server:
    """The example's server."""

    url: str
    process: subprocess.Popen[str]
    log: list[str]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def serve(receiver: RunningReceiver, tmp_path: Path) -> Iterator[Any]:
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
        # Never used: the callers hang up, and then Twilio is not asked to.
        "TWILIO_ACCOUNT_SID": "AC0",
        "TWILIO_AUTH_TOKEN": "none",
    }

    def start(*options: str) -> Server:
        command = [sys.executable, str(EXAMPLE / "server.py"), "--port", "0", *options]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        log: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if running := re.search(r"running on http(\S+)", line):
                break
        else:
            pytest.fail("".join(log))
        reading = threading.Thread(target=log.extend, args=(process.stderr,))
        reading.start()
        ended.callback(process.stderr.close)
        ended.callback(reading.join)
        ended.callback(process.wait)
        ended.callback(process.kill)
        return Server(f"ws{running[1]}/ws", process, log)

    with contextlib.ExitStack() as ended:
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
