"""Many calls in one process: the telephone's provider connects to /ws, once for each call.

    python server.py [--host 127.0.0.1] [--port 7860] [--drain 600]

Its bot is that of `bot.py`. Twilio, Telnyx, Plivo and Exotel are told apart by their first message.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
import uuid
from types import FrameType

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.runner.types import WebSocketRunnerArguments
from pipecat.runner.utils import create_transport

from bot import make_worker, run_worker, transport_params

TELEPHONE = PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000)
app = FastAPI()
calls: dict[asyncio.Task[None], PipelineWorker] = {}
"""The calls that are on, by the task that each runs in."""


@app.websocket("/ws")
async def answer(websocket: WebSocket) -> None:
    """Answer one call."""
    await websocket.accept()
    runner_args = WebSocketRunnerArguments(websocket=websocket, session_id=str(uuid.uuid4()))
    transport = await create_transport(runner_args, transport_params)
    worker = make_worker(transport, runner_args, TELEPHONE)
    running = asyncio.create_task(run_worker(worker, runner_args))
    calls[running] = worker
    try:
        await running
    finally:
        del calls[running]


class Server(uvicorn.Server):
    """On SIGTERM it lets the calls that are on come to their end.

    Args:
        config: Of uvicorn.
        drain: Seconds that a call may last then.
    """

    def __init__(self, config: uvicorn.Config, drain: float) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; uvicorn would end with the signal at last, which leaves Python no time to end."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new call, wait, and end those that still last; uvicorn would just hang up."""
        for server in self.servers:
            server.close()
        latest = time.monotonic() + self._drain
        while calls and time.monotonic() < latest and not self.force_exit:
            await asyncio.wait(calls, timeout=0.1)
        for worker in list(calls.values()):
            await worker.cancel(reason="worker-shutdown")
        if calls:
            await asyncio.wait(calls)  # Pipecat gives a pipeline 20 seconds to end
        await super().shutdown(sockets)


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Answer calls of a telephone provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--drain", type=float, default=600, help="seconds for calls after SIGTERM")
    options = parser.parse_args()
    # Below INFO, Pipecat logs what is said and who calls.
    logger.remove()
    logger.add(sys.stderr, level=os.environ.get("LOGURU_LEVEL", "INFO").upper())
    Server(uvicorn.Config(app, host=options.host, port=options.port), options.drain).run()


if __name__ == "__main__":
    main()
