"""What the processes of an outbox test run; a module of its own, which they can import."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from zelto_agents.outbox import Gatekeeper, Outcome
from zelto_agents.outbox.sqlite import SqliteOutbox

BASE = "https://api.example"
KEY = Gatekeeper(key_mark="k1")


def write(folder: str, name: str, count: int) -> None:
    """Put so many documents."""
    outbox = SqliteOutbox(Path(folder))
    for number in range(count):
        outbox.put(BASE, f"{name}-{number}", b"{}", provider="zelto", now=1.0)
    outbox.close()


def drain(folder: str, answers: multiprocessing.Queue[list[str]], target: int) -> None:
    """Claim and acknowledge until so many are sent by all; answers with one's own."""
    outbox = SqliteOutbox(Path(folder))
    mine: list[str] = []
    while sum(d.state == "sent" for d in outbox.deliveries()) < target:
        for one in outbox.claim(BASE, now=2.0, lease=60, limit=3, gatekeeper=KEY):
            mine.append(one.external_id)
            outbox.settle(one, Outcome("sent"), now=2.0)
    answers.put(mine)
    outbox.close()
