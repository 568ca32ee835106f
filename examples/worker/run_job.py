"""Run one job of the worker to its end, in a real job process, without a LiveKit server.

python run_job.py [room]     # the room names the script: weather (default), billing or farewell
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from dataclasses import dataclass

from livekit.agents import AgentServer, JobExecutorType
from livekit.agents.ipc.supervised_proc import SupervisedProc


@dataclass(frozen=True)
class EndedJob:
    """A job that is over.

    Attributes:
        pid: The process that it ran in.
        exit_code: How that process ended: 0 is well, negative is a signal; None for a thread,
            which ends without a code.
        seconds: From the launch of the job to the end of its process.
    """

    pid: int
    exit_code: int | None
    seconds: float


async def run_job(
    server: AgentServer, room: str = "weather", *, in_thread: bool = False
) -> EndedJob:
    """Start the worker unregistered, give it one fake job, and wait until that has ended.

    Args:
        server: The worker. Its entrypoint must be importable by the job process. To be used once.
        room: The name of the room that the job is told.
        in_thread: Whether to run the job in a thread of this process, as Windows and the console
            do, and not in a process of its own.

    Returns:
        The job that has ended.
    """
    # Nothing is connected to, but livekit-agents before 1.6 wants to know where it would.
    server.update_options(ws_url="ws://127.0.0.1", api_key="unused", api_secret="unused")  # noqa: S106
    if in_thread:
        server.update_options(job_executor_type=JobExecutorType.THREAD)
    started = asyncio.get_running_loop().create_future()
    server.once("worker_started", lambda: started.set_result(None))
    # devmode: no idle processes, and any free port for the health check
    worker = asyncio.create_task(server.run(devmode=True, unregistered=True))
    try:
        await asyncio.wait({started, worker}, return_when=asyncio.FIRST_COMPLETED)
        if worker.done():
            worker.result()
        began = time.perf_counter()
        await server.simulate_job(room, fake_job=True)
        # private, but the only one who knows how a job ended
        (executor,) = server._proc_pool.processes  # noqa: SLF001
        await server.drain()
        seconds = time.perf_counter() - began
    finally:
        await server.aclose()
        await worker
    if isinstance(executor, SupervisedProc):
        return EndedJob(executor.pid or 0, executor.exitcode, seconds)
    return EndedJob(os.getpid(), None, seconds)


def main() -> int:
    """Run a job of the example's worker; return its exit code."""
    from agent import server

    logging.basicConfig(level=os.environ.get("LIVEKIT_LOG_LEVEL", "ERROR").upper())
    job = asyncio.run(run_job(server, *sys.argv[1:2]))
    return abs(job.exit_code or 0)


if __name__ == "__main__":
    sys.exit(main())
