"""What the tests of ``Zelto`` have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zelto_agents import Settings, Zelto
from zelto_agents.outbox import Delivery
from zelto_agents.outbox.sqlite import SqliteOutbox


def waiting(folder: Path) -> list[Delivery]:
    """What the outbox in this folder holds."""
    outbox = SqliteOutbox(folder)
    try:
        return outbox.deliveries()
    finally:
        outbox.close()


def talk(zelto: Zelto, external_id: str | None = "conv-1", **more: Any) -> None:
    """A call of one turn."""
    with zelto.call(external_id, **{"agent_id": "support", **more}) as call:
        call.turn("user", "Hi", start=0.4, end=1.1)


def settings_for(url: str, folder: Path, **more: object) -> Settings:
    """Settings for another server than the receiver."""
    return Settings.load({}, api_key="zk_1", base_url=url, outbox=folder / "outbox", **more)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another thread or process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
