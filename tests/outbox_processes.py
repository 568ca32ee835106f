"""What the processes of an outbox test run; a module of its own, which they can import."""

from __future__ import annotations

import multiprocessing
import random
from multiprocessing.synchronize import Barrier

from outboxes import BASE, KEY, SENT, claim, failed, open_store, outage, put, send

Answers = multiprocessing.Queue


def open_at_once(place: str, name: str, ready: Barrier) -> None:
    """Open a store that nobody has opened yet, together with others, and put one document."""
    ready.wait()
    outbox = open_store(place)
    put(outbox, name)
    outbox.close()


def write(place: str, name: str, count: int) -> None:
    """Live through so many calls: the journal, then the document that ends it."""
    outbox = open_store(place)
    for number in range(count):
        call = f"{name}-{number}"
        outbox.journal(call, BASE, call, [b"1"], now=1.0)
        put(outbox, call, call, journal=call, now=1.0)
    outbox.close()


def drain(place: str, answers: Answers[list[str]], target: int) -> None:
    """Claim and acknowledge until so many are sent by all; answers with one's own."""
    outbox = open_store(place)
    mine: list[str] = []
    while sum(one.state == "sent" for one in outbox.deliveries()) < target:
        mine += send(outbox, 2.0, limit=3)
    answers.put(mine)
    outbox.close()


def struggle(place: str, seed: int, rounds: int) -> None:
    """Do everything that a process does in an outage and after it, in an order of its own."""
    outbox, chance = open_store(place), random.Random(seed)
    now = 1.0
    for _ in range(rounds):
        now += chance.choice((0.1, 1.0, 30.0))
        call = f"call-{chance.randrange(6)}"
        match chance.randrange(8):
            case 0:
                put(outbox, call, journal=f"{call}-{seed}", now=now)
            case 1:
                outbox.enrich(BASE, call, {"cost": seed}, now=now)
            case 2:
                outbox.journal(f"{call}-{seed}", BASE, call, [b"1"], now=now)
            case 3:
                outbox.maintain(now=now, retain=0, max_age=1e9)
            case 4:
                outbox.lead(BASE, now=now, gatekeeper=KEY)
                outbox.orphans(now=now)
            case 5:
                outbox.hurry(BASE, now=now)
            case _:
                name = call if chance.random() < 0.3 else None
                claims = claim(outbox, now, lease=1.0, limit=4, external_id=name)
                outcomes = (SENT, SENT, failed(now + 5, unsure=True), outage(now + 5))
                outbox.settle([(one, chance.choice(outcomes)) for one in claims], now=now)
    outbox.close()
