"""The example's server as a process of its own, and callers on real connections."""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from demo_scripts import BOT_SCRIPTS
from scripted import Script
from zelto_agents.receiver import RunningReceiver

__all__ = ["Caller", "Exotel", "Server", "Twilio", "serving"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "worker"
PACKET = 0.02
# Seconds of silence by which an end is heard.
PAUSE = 1.0


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
    sends_silence: bool = True
    """Whether the line carries what is not said as well, as telephones' do."""
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
            lines = self.script.lines
            speaks = any(said.start <= at < said.end for said in lines)
            if self.sends_silence or any(said.start <= at < said.end + PAUSE for said in lines):
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


@contextlib.contextmanager
def serving(receiver: RunningReceiver, outbox: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers that send to this receiver, each a program with these options."""
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(outbox),
        # Never used: the callers hang up, and then Twilio is not asked to.
        "TWILIO_ACCOUNT_SID": "AC0",
        "TWILIO_AUTH_TOKEN": "none",
    }

    def start(*options: str, program: Path = EXAMPLE / "server.py") -> Server:
        command = [sys.executable, str(program), "--port", "0", *options]
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
            raise AssertionError("".join(log))
        reading = threading.Thread(target=log.extend, args=(process.stderr,))
        reading.start()
        ended.callback(process.stderr.close)
        ended.callback(reading.join)
        ended.callback(process.wait)
        ended.callback(process.kill)
        return Server(f"ws{running[1]}/ws", process, log)

    with contextlib.ExitStack() as ended:
        yield start
