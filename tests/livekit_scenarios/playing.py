"""Plays scenarios on a virtual clock, through a real outbox, to a real receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import virtual_time
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import run_in_thread

from .stage import Play, Stage, UnsupportedError

__all__ = ["play"]

# Virtual seconds: a scenario that hangs costs nothing.
LONGEST = 3600.0


def play(scenarios: Mapping[str, Play], folder: Path) -> Iterator[Stage]:
    """Each scenario once it is over and its documents have arrived."""
    with run_in_thread() as receiver:
        settings = Settings.load(
            {}, api_key=receiver.key, base_url=receiver.url, outbox=folder / "outbox"
        )
        with Zelto(settings=settings) as client:
            for name, scenario in scenarios.items():
                stage = Stage(name, client)
                try:
                    virtual_time.run(lambda: asyncio.wait_for(scenario(stage), LONGEST))  # noqa: B023
                except UnsupportedError as why:
                    stage.unsupported = str(why)
                except Exception as fault:  # noqa: BLE001 - told as the scenario's own
                    stage.fault = repr(fault)
                client.flush(10)
                receiver.wait_until_ingested()
                stage.conversations = [
                    one for one in receiver.conversations() if one["externalId"].startswith(name)
                ]
                for delivery in receiver.deliveries(name):
                    stage.bodies.append(json.loads(receiver.raw_body(delivery["id"]) or b"{}"))
                yield stage
