"""The demo: two voice calls, two text chats and an outage, and every conversation on the page.

python demo.py [--once]     # --once ends by itself: 0 only if all arrived exactly as expected
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from demo_checks import faults, kind
from demo_recordings import recording, served
from zelto_agents import Settings, Zelto
from zelto_agents.outbox.sqlite import SqliteOutbox

HERE = Path(__file__).parent
PORT = 8787
COST = 0.0123
# What the user has set stays out of it: the demo plays scripted models.
NO_KEYS = dict.fromkeys(("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "CARTESIA_API_KEY"), "")

Conversation = dict[str, Any]
console = Console(highlight=False)
began = time.monotonic()


def say(text: str, *, style: str = "") -> None:
    """Print what just happened, with the seconds since the start."""
    console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {text}", style=style)


class FailedError(Exception):
    """A program of the demo did not end well."""


class Receiver:
    """The local receiver as a process of its own, which can be taken down and brought back."""

    def __init__(self, folder: Path) -> None:
        self._db = folder / "receiver.sqlite3"
        self._port = _free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.key = ""

    async def up(self) -> None:
        """Start it, on the same port and database each time; back once it listens."""
        # The recordings come from this machine.
        command = ["-m", "zelto_agents.cli", "receiver", "--json", "--allow-private"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            *("--port", str(self._port), "--db", str(self._db)),
            stdout=asyncio.subprocess.PIPE,
        )
        if self._process.stdout is None:
            raise SystemExit("the receiver has no output to read its key from")
        line = json.loads(await self._process.stdout.readline())
        self.key = line["key"] or self.key

    async def down(self) -> None:
        """Stop it; whoever calls now is refused."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()

    async def conversations(self) -> list[Conversation]:
        """What has arrived, read back over the REST API, with its transcripts."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False) as http:
            listed = (await http.get("/v1/conversations")).json()["data"]
            for conversation in listed:
                path = f"/v1/conversations/{conversation['id']}/transcript"
                conversation["transcript"] = (await http.get(path)).json()
        return list(reversed(listed))

    async def sound(self, call: Conversation) -> httpx.Response:
        """What it serves as the recording of a call."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
            return await http.get(call["transcript"]["recordingUrl"])

    async def wait_for(self, there: Callable[[Conversation], bool]) -> Conversation:
        """The first conversation that is as asked for; a minute at most, on a busy machine."""
        async with asyncio.timeout(60):
            while True:
                for conversation in await self.conversations():
                    if there(conversation):
                        return conversation
                await asyncio.sleep(0.1)


@asynccontextmanager
async def program(name: str, environment: dict[str, str]) -> AsyncIterator[asyncio.Task[float]]:
    """Run a program of this folder; the task gives the seconds that it took.

    Raises:
        FailedError: it failed; the text is what it printed.
    """
    leaving = False
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / name)),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = time.monotonic()

    async def ended() -> float:
        out, errors = await process.communicate()
        if process.returncode and not leaving:
            raise FailedError(f"{name} failed:\n{out.decode()}{errors.decode()}")
        return time.monotonic() - started

    task = asyncio.create_task(ended())
    try:
        yield task
    finally:
        leaving = True
        if process.returncode is None:
            process.kill()
        await asyncio.wait({task})


async def play(receiver: Receiver, environment: dict[str, str], settings: Settings) -> None:
    """The whole story, told while it happens."""
    async with (
        program("run_job.py", environment) as livekit,
        program("bot.py", environment) as pipecat,
    ):
        say("[bold]livekit[/bold] a job starts in a process of its own")
        say("[bold]pipecat[/bold] a bot starts in another")
        await chat_through_an_outage(receiver, environment, settings)
        say("[bold]voice[/bold]   two callers are talking; watch each call arrive when it ends")
        calls = await asyncio.gather(
            arrival("livekit", receiver, livekit), arrival("pipecat", receiver, pipecat)
        )
    await enrich(receiver, calls, settings)
    say("[bold]enrich[/bold]  both sent again with recording and cost: the same conversations")


async def enrich(receiver: Receiver, calls: Sequence[Conversation], settings: Settings) -> None:
    """Tell what became known after the end, and wait until each recording is there.

    Raises:
        FailedError: a recording is not what was recorded.
    """
    with served() as (url, files):
        async with Zelto(settings=settings) as zelto:
            for call in calls:
                name = f"{kind(call)}.wav"
                files[name] = recording(call)
                zelto.enrich(call["referenceId"], recording_url=f"{url}/{name}", cost=COST)
            await zelto.aflush()
        for call in calls:
            name = kind(call)
            sound = await receiver.sound(await receiver.wait_for(enriched(name)))
            if sound.content != files[f"{name}.wav"]:
                raise FailedError(f"the recording of {name} is not what was recorded")


async def chat_through_an_outage(
    receiver: Receiver, environment: dict[str, str], settings: Settings
) -> None:
    """Two chats; the receiver is down when the second one ends."""
    async with program("text_chat.py", environment) as chat:
        await chat
    first = await receiver.wait_for(lambda c: True)
    say(f"[bold]text[/bold]    chat 1 has arrived as {first['referenceId']}")

    await receiver.down()
    say("[bold]outage[/bold]  the receiver is down", style="red")
    async with program("text_chat.py", environment) as chat:
        seconds = await chat
    say(f"[bold]text[/bold]    chat 2 is over, its process has ended ({seconds:.1f} s in all)")
    (waiting,) = [d for d in deliveries(settings) if d.state == "due"]
    say(f"[bold]outbox[/bold]  {waiting.external_id} waits on disk ({waiting.details})")
    await receiver.up()
    say("[bold]outage[/bold]  the receiver is back", style="green")
    await receiver.wait_for(lambda c: bool(c["referenceId"] == waiting.external_id))
    say("[bold]text[/bold]    chat 2 has arrived, sent by a voice agent's process")


async def arrival(name: str, receiver: Receiver, ended: asyncio.Task[float]) -> Conversation:
    """Wait until a voice agent's process has ended and its call has arrived."""
    seconds = await ended
    say(f"[bold]{name}[/bold] its process has ended ({seconds:.1f} s in all)")
    call = await receiver.wait_for(lambda c: kind(c) == name)
    say(f"[bold]{name}[/bold] the call has arrived as {call['referenceId']}")
    return call


def enriched(name: str) -> Callable[[Conversation], bool]:
    """Whether a conversation is of this program, and has its cost and its recording."""
    return lambda c: (
        kind(c) == name
        and float(c["cost"] or 0) == COST
        and c["transcript"]["recordingUrl"] is not None
    )


def deliveries(settings: Settings) -> list[Any]:
    """What the outbox knows of each delivery."""
    outbox = SqliteOutbox(settings.outbox)
    try:
        return list(outbox.deliveries())
    finally:
        outbox.close()


def closing_table(conversations: list[Conversation], settings: Settings) -> Table:
    """One row for each call."""
    known = {delivery.external_id: delivery for delivery in deliveries(settings)}
    table = Table(title="What arrived", title_justify="left")
    for column in ("call", "by", "turns", "seconds", "cost", "attempts", "status"):
        table.add_column(column, justify="left" if column in ("call", "by", "status") else "right")
    for conversation in conversations:
        delivery = known[conversation["referenceId"]]
        seconds, cost = conversation["transcript"]["durationSeconds"], conversation["cost"]
        table.add_row(
            conversation["referenceId"],
            kind(conversation),
            str(len(conversation["transcript"]["content"])),
            "-" if seconds is None else f"{seconds:.1f}",
            "-" if cost is None else f"${cost}",
            str(delivery.attempts),
            delivery.state,
        )
    return table


async def main(*, once: bool) -> int:
    """Play, check and show; then stay until Ctrl-C, unless ``once``."""
    this = asyncio.current_task()
    if this is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with tempfile.TemporaryDirectory(prefix="zelto-demo-") as folder:
        receiver = Receiver(Path(folder))
        await receiver.up()
        say(f"the receiver is up: [bold]{receiver.url}/[/bold] shows what arrives")
        environment = NO_KEYS | {
            "ZELTO_API_KEY": receiver.key,
            "ZELTO_BASE_URL": receiver.url,
            "ZELTO_OUTBOX": f"{folder}/outbox",
        }
        settings = Settings.load(environment)
        try:
            await play(receiver, environment, settings)
            conversations = await receiver.conversations()
            found = faults(conversations, cost=COST)
            console.print()
            console.print(closing_table(conversations, settings))
            for fault in found:
                console.print(f"not as expected: {fault}", style="red")
            if not once:
                console.print(f"\nSee them at {receiver.url}/ - Ctrl-C ends the demo.")
                await asyncio.Event().wait()
        finally:
            await receiver.down()
    return 1 if found else 0


def _free_port() -> int:
    """The usual port, or any other if somebody has it."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("no free port on 127.0.0.1")


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(once="--once" in sys.argv)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(0)
    except (FailedError, TimeoutError) as fault:
        sys.exit(f"the demo failed: {str(fault) or 'nothing arrived in time'}")
