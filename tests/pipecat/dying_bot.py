"""A bot in a process of its own, which says when it has spoken and does not end by itself.

python dying_bot.py MODE EXTERNAL_ID   (with PYTHONPATH=tests:examples/worker)
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import Any

import virtual_time  # before pipecat

# isort: split
from loguru import logger
from pipecat.frames.frames import EndFrame
from pipecat.processors.audio.audio_buffer_processor import AudioBufferProcessor
from pipecat.workers.runner import WorkerRunner

from on_disk import on_disk
from pipecat_scenarios.endings import swallowing
from pipecat_zelto import ZeltoProcessor
from scripted import CallerLine, Reply, Script
from scripted.pipecat import ScriptedCall
from zelto_agents import Zelto

SHORT = Script(
    lines=(CallerLine(0.2, 0.6, "Who are you?"),),
    replies=(Reply(to="who are you", text="A voice."),),
)


async def play(over: asyncio.Event, *, collected: bool = True, **runner: bool) -> None:
    """The call, until a signal ends it; ``over`` is set when both have spoken."""
    call = ScriptedCall(SHORT, prompt="Be kind.")
    zelto = [ZeltoProcessor(agent_id="support", external_id=sys.argv[2])] if collected else []
    worker = call.worker([*call.processors, *zelto], conversation_id=sys.argv[2])

    async def spoken(*_: Any) -> None:
        await on_disk("A voice.", sys.argv[2])
        print("spoken", flush=True)
        over.set()

    call.assistant.add_event_handler("on_assistant_turn_stopped", spoken)
    await call.run(worker, runner=WorkerRunner(**runner))


async def recorded() -> None:
    """A call whose audio is collected in parts; its process stays."""
    call = ScriptedCall(replace(SHORT, hang_up=2.0), prompt="Be kind.")
    zelto = ZeltoProcessor(agent_id="support", external_id=sys.argv[2])
    buffer = AudioBufferProcessor(num_channels=2, buffer_size=8000)

    async def connected(*_: Any) -> None:
        await buffer.start_recording()

    call.transport.add_event_handler("on_client_connected", connected)
    await call.run(call.worker([*call.processors[:-1], buffer, call.assistant, zelto]))
    await asyncio.to_thread(Zelto.shared().flush, 10)
    print("spoken", flush=True)
    await asyncio.sleep(60)


async def leave() -> None:
    """The main coroutine ends while the bot is running."""
    over = asyncio.Event()
    running = asyncio.ensure_future(play(over, handle_sigint=False))
    await over.wait()
    assert not running.done()


async def swallow() -> None:
    """A pipeline that never ends, on a virtual clock; then the process is gone."""
    call = ScriptedCall(SHORT, prompt="Be kind.")
    zelto = ZeltoProcessor(agent_id="support", external_id=sys.argv[2])
    worker = call.worker(swallowing(EndFrame)(call, zelto))
    running = asyncio.ensure_future(call.run(worker))
    await asyncio.sleep(3.0)
    await worker.queue_frames([EndFrame(reason="done")])
    await asyncio.sleep(90.0)
    await asyncio.to_thread(Zelto.shared().flush, 10)
    print("spoken", running.done(), flush=True)
    os._exit(0)


def main() -> None:
    """As told."""
    logger.remove()
    mode = sys.argv[1]
    if mode == "swallowed":
        virtual_time.run(swallow)
    elif mode == "recorded":
        asyncio.run(recorded())
    elif mode == "left":
        asyncio.run(leave())
    else:
        asyncio.run(
            play(
                asyncio.Event(),
                collected=mode != "without-code",
                handle_sigint=mode == "sigint",
                handle_sigterm=mode == "sigterm-handled",
            )
        )


if __name__ == "__main__":
    main()
