"""What becomes of calls whose process, or whose worker, ends before they do."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import commands
from live.caller import Caller, until
from live.stage import Scene, Stage, Told
from live.worker_process import Worker

WEATHER = "What is the weather in Paris?"


async def _half_a_call(stage: Stage, worker: Worker, room: str) -> Caller:
    """A question and an answer; the caller stays on the line."""
    caller = await stage.dial(worker, room, lines=[WEATHER, WEATHER])
    await caller.hears()
    await caller.say()
    await caller.hears()
    return caller


async def _gone(pid: int) -> None:
    await until(lambda: not Path(f"/proc/{pid}/exe").exists(), f"process {pid} does not end")


async def _end(pid: int, number: signal.Signals) -> float:
    """Send a signal that ends a process; when that was."""
    at = time.time()
    os.kill(pid, number)
    await _gone(pid)
    return at


async def killed(stage: Stage, worker: Worker) -> Told:
    """``kill -9`` of a job; then somebody runs ``zelto-agents drain``."""
    caller = await _half_a_call(stage, worker, "killed")
    at = await _end(await worker.pid_of("killed"), signal.SIGKILL)
    left = commands.states(worker.outbox)
    drained = await asyncio.to_thread(commands.run, "drain", env=worker.environment)
    await caller.hang_up()
    return {"ended": (at, at), "left": left, "drained": drained.code}


async def terminated(stage: Stage, worker: Worker) -> Told:
    """SIGTERM to a job, which the forkserver leaves deadly; then the next call comes in."""
    caller = await _half_a_call(stage, worker, "terminated")
    at = await _end(await worker.pid_of("terminated"), signal.SIGTERM)
    await caller.hang_up()
    following = await stage.dial(worker, "following")
    await following.hears()
    await stage.arrived("terminated")
    await following.hang_up()
    return {"ended": (at, at)}


async def orphaned(stage: Stage, worker: Worker) -> Told:
    """``kill -9`` of the worker's main process; its job ends with it; then somebody drains."""
    caller = await _half_a_call(stage, worker, "orphaned")
    at = time.time()
    worker.signal(signal.SIGKILL)
    await worker.ended()
    await _gone(await worker.pid_of("orphaned"))
    gone_at = time.time()
    left = commands.states(worker.outbox)
    drained = await asyncio.to_thread(commands.run, "drain", env=worker.environment)
    await caller.hang_up()
    return {"ended": (at, gone_at), "left": left, "drained": drained.code}


async def installed(stage: Stage, worker: Worker) -> Told:
    """``kill -9`` of a job whose worker has ``zelto.install``; nothing else happens."""
    caller = await _half_a_call(stage, worker, "installed")
    at = await _end(await worker.pid_of("installed"), signal.SIGKILL)
    await stage.arrived("installed")
    await caller.hang_up()
    return {"ended": (at, at)}


async def stopped(stage: Stage, worker: Worker) -> Told:
    """SIGTERM to a worker in production in mid-call: it waits until the caller hangs up."""
    caller = await _half_a_call(stage, worker, "stopped")
    worker.signal(signal.SIGTERM)
    await until(lambda: "draining worker" in worker.log(), "the worker does not drain")
    await caller.say()
    await caller.hears()
    await caller.hang_up()
    return {"ended": (caller.left_at, caller.left_at), "code": await worker.ended()}


async def closed(stage: Stage, worker: Worker) -> Told:
    """The agent closes its session and stays in the room; its worker is told to stop later."""
    caller = await stage.dial(worker, "closed", lines=["bye"], hang_up="aclose")
    await caller.hears()
    await caller.say()
    await stage.arrived("closed")
    return {}


async def stopped_in_development(stage: Stage, worker: Worker) -> Told:
    """SIGTERM to a worker in development in mid-call: it ends the call."""
    caller = await _half_a_call(stage, worker, "development")
    at = time.time()
    worker.signal(signal.SIGTERM)
    await caller.is_alone()
    await caller.hang_up()
    return {"ended": (at, caller.left_at), "code": await worker.ended()}


# By worker, in order: the last one of each ends it.
PLAIN: dict[str, Scene] = {"killed": killed, "terminated": terminated, "orphaned": orphaned}
INSTALLED: dict[str, Scene] = {"installed": installed, "stopped": stopped}
DEVELOPMENT: dict[str, Scene] = {"closed": closed, "development": stopped_in_development}
