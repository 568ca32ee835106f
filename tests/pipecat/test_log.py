"""What the log says, in loguru as Pipecat's own does, and what it never says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

import virtual_time
from pipecat_scenarios.speech import CHAT
from pipecat_zelto import ZeltoProcessor
from pipecat_zelto._log import to_loguru
from scripted.pipecat import ScriptedCall
from zelto_agents import Settings, Zelto


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What loguru is told of Zelto, as a host without standard logging hears it."""
    lines: list[str] = []
    sink = logger.add(
        lambda line: lines.append(str(line)),
        level="TRACE",
        filter=lambda r: "Zelto" in r["message"],
    )
    core = logging.getLogger("zelto_agents")
    core.propagate = False  # pytest itself has set standard logging up
    to_loguru.cache_clear()
    yield lines
    core.propagate = True
    core.handlers.clear()
    logger.remove(sink)


def play(settings: Settings) -> None:
    async def call(client: Zelto) -> None:
        parts = ScriptedCall(CHAT, prompt="Be kind.")
        customer = {"number": "+15550100", "name": "Ada"}
        zelto = ZeltoProcessor(external_id="call-1", agent_id="a", customer=customer, zelto=client)
        await parts.run(parts.worker([*parts.processors, zelto]))

    with Zelto(settings=settings) as client:
        virtual_time.run(lambda: call(client))
        client.flush(20)


def test_what_is_wrong_is_said_in_pipecats_own_log(told: list[str], tmp_path: Path):
    play(Settings.load({}, outbox=tmp_path / "outbox"))
    said = "".join(told)
    assert "Zelto: call call-1 is collected" in said
    assert "Zelto: ZELTO_API_KEY is not set" in said


def test_no_words_numbers_or_keys_are_in_the_log(told: list[str], settings: Settings):
    play(settings)
    said = "".join(told)
    key = settings.api_key.get_secret_value() if settings.api_key else "?"
    for secret in ("Who are you", "scripted voice", "Be kind", "+15550100", "Ada", key):
        assert secret not in said
    assert "call-1" in said
