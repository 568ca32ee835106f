"""A real worker as its operator runs it: started, told to stop, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from live.caller import until
from live.server import ROOT, LiveServer
from zelto_agents.receiver import RunningReceiver

PROGRAM = Path(__file__).with_name("worker.py")
OURS = ("ZELTO_", "LIVEKIT_")


class Worker:
    """One worker and the processes of its jobs.

    Args:
        server: where it registers.
        receiver: where its calls are sent.
        folder: a new folder for its outbox, its log and its notes.
        mode: ``start`` for production, ``dev`` for development.
        install: whether it has ``zelto.install``.

    Attributes:
        name: what it is dispatched under.
        outbox: the folder of its outbox.
        environment: what it is told; ``zelto-agents`` with the same finds its outbox.
    """

    def __init__(
        self,
        server: LiveServer,
        receiver: RunningReceiver,
        folder: Path,
        mode: str,
        *,
        install: bool,
    ) -> None:
        folder.mkdir()
        self.name = f"agent-{folder.name}"
        self.outbox = folder / "outbox"
        self._folder = folder
        paths = [str(ROOT / "tests"), str(ROOT / "examples" / "worker")]
        outside = {name: os.environ[name] for name in os.environ if not name.startswith(OURS)}
        paths += filter(None, [outside.get("PYTHONPATH")])
        self.environment = outside | {
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.key,
            "LIVEKIT_API_SECRET": server.secret,
            "LIVE_AGENT": self.name,
            "LIVE_FOLDER": str(folder),
            "LIVE_INSTALL": "1" if install else "",
            "PYTHONPATH": os.pathsep.join(paths),
            "ZELTO_API_KEY": receiver.key or "",
            "ZELTO_BASE_URL": receiver.url,
            "ZELTO_OUTBOX": str(self.outbox),
        }
        more = ["--no-reload"] if mode == "dev" else []
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), mode, *more],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def registered(self) -> None:
        """Wait until it takes calls."""
        done = self._folder / "registered"
        await until(lambda: done.exists() or self.process.poll() is not None, "no registration")
        assert done.exists(), self.log()[-4000:]

    def note(self, room: str, about: str) -> str:
        """What the job of a room has noted about itself so far; see ``worker.note``."""
        try:
            return (self._folder / f"{room}.{about}").read_text()
        except FileNotFoundError:
            return ""

    async def pid_of(self, room: str) -> int:
        """The process of the job that has this room."""
        await until(lambda: self.note(room, "pid"), f"{room} has no job")
        return int(self.note(room, "pid"))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process alone, as a supervisor does."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended; its exit code, negative for a signal."""
        await until(lambda: self.process.poll() is not None, "the worker does not end")
        return self.process.wait()

    def log(self) -> str:
        """What it printed."""
        return (self._folder / "log").read_text(errors="replace")

    def close(self) -> None:
        """Kill it with all of its jobs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
