"""What the log says, in loguru as Pipecat's own does, and what it never says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

import virtual_time
from pipecat_scenarios.speech import CHAT
from pipecat_zelto import ZeltoProcessor
from scripted.pipecat import ScriptedCall
from zelto_agents import Settings, Zelto

# A bot that ends at once; its host has set nothing up but what Pipecat does.
BOT = """
import asyncio
from pipecat.frames.frames import EndFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.workers.runner import WorkerRunner
from pipecat_zelto import ZeltoProcessor

async def main():
    worker = PipelineWorker(Pipeline([ZeltoProcessor(external_id="call-1", agent_id="a")]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await worker.queue_frames([EndFrame()])
    await runner.run()

asyncio.run(main())
"""


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What loguru is told of Zelto."""
    lines: list[str] = []

    def ours(record: dict[str, object]) -> bool:
        return str(record["message"]).startswith("Zelto: ")

    sink = logger.add(lambda line: lines.append(str(line)), level="TRACE", filter=ours)  # type: ignore[arg-type]
    yield lines
    logger.remove(sink)


def test_what_is_wrong_is_said_in_pipecats_own_log(tmp_path: Path):
    environment = os.environ | {"ZELTO_OUTBOX": str(tmp_path / "outbox")}
    done = subprocess.run(
        [sys.executable, "-c", BOT], env=environment, capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stderr.splitlines() if "Zelto: " in line]
    assert "| WARNING  |" in lines[0]
    assert "Zelto: ZELTO_API_KEY is not set" in lines[0]
    assert lines[1].endswith("Zelto: call call-1 is collected")


def test_that_a_call_has_arrived_is_said_there_too(settings: Settings, tmp_path: Path):
    assert settings.api_key is not None
    environment = os.environ | {
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
        "ZELTO_API_KEY": settings.api_key.get_secret_value(),
        "ZELTO_BASE_URL": settings.base_url or "",
    }
    done = subprocess.run(
        [sys.executable, "-c", BOT], env=environment, capture_output=True, text=True, check=True
    )
    assert "Zelto: call call-1 sent (revision 1)" in done.stderr


def test_no_words_numbers_or_keys_are_in_the_log(told: list[str], settings: Settings):
    async def call(client: Zelto) -> None:
        parts = ScriptedCall(CHAT, prompt="Be kind.")
        customer = {"number": "+15550100", "name": "Ada"}
        zelto = ZeltoProcessor(external_id="call-1", agent_id="a", customer=customer, zelto=client)
        await parts.run(parts.worker([*parts.processors, zelto]))

    with Zelto(settings=settings) as client:
        virtual_time.run(lambda: call(client))
        client.flush(20)
    said = "".join(told)
    key = settings.api_key.get_secret_value() if settings.api_key else "?"
    for secret in ("Who are you", "scripted voice", "Be kind", "+15550100", "Ada", key):
        assert secret not in said
    assert "call-1" in said
