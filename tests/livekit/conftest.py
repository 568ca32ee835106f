"""Real sessions, played once for all the tests of this folder, at the same time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from livekit_scenarios import SCENARIOS, Played
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import run_in_thread


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Every scenario, by name."""
    folder: Path = tmp_path_factory.mktemp("livekit")
    results = {name: Played(notes={"name": name}) for name in SCENARIOS}

    async def everything(client: Zelto) -> None:
        await asyncio.gather(*(SCENARIOS[name](client, results[name]) for name in SCENARIOS))

    with run_in_thread() as receiver:
        settings = Settings.load(
            {}, api_key=receiver.key, base_url=receiver.url, outbox=folder / "outbox"
        )
        with Zelto(settings=settings) as client:
            asyncio.run(everything(client))
            assert client.flush(10)
        receiver.wait_until_ingested()
        again = [c for c in receiver.conversations() if c["metadata"].get("scenario")]
        results["restarted"].notes["conversations"] = again
        for name, result in results.items():
            for delivery in receiver.deliveries(name):
                body = receiver.raw_body(delivery["id"])
                result.bodies.append(json.loads(body or b"{}"))
            result.document = result.bodies[-1] if result.bodies else {}
    return results
