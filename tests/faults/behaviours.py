"""The faults themselves: what a door does with a request instead of letting it pass."""

from __future__ import annotations

import asyncio
import random
import time

from faults.door import Exchange, Fault

__all__ = [
    "answers",
    "during",
    "first_of_each",
    "hangs",
    "late",
    "loses_the_answer",
    "passes",
    "resets",
]

_REASONS = {400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests", 500: "Sorry"}


async def passes(exchange: Exchange) -> None:
    """The receiver answers."""
    await exchange.reply(await exchange.forward())


async def resets(exchange: Exchange) -> None:
    """The connection is cut, and the request is not processed."""
    exchange.reset()


async def loses_the_answer(exchange: Exchange) -> None:
    """The request is processed, and the connection cut before the answer."""
    await exchange.forward()
    exchange.reset()


def answers(status: int, body: str = '{"error":"scripted"}', **headers: str) -> Fault:
    """This status; an underscore in the name of a header stands for a hyphen."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    reason = _REASONS.get(status, "Scripted")
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: {len(body)}\r\n{named}\r\n"

    async def fault(exchange: Exchange) -> None:
        await exchange.reply(f"{head}{body}".encode())

    return fault


def hangs(seconds: float) -> Fault:
    """Nothing is answered for so long after the first request; then all of it is processed.

    Clients have long gone by then: what they sent is applied nevertheless, as a server does that
    had read it already.
    """
    until: list[float] = []

    async def fault(exchange: Exchange) -> None:
        until.append(time.monotonic() + seconds)
        await asyncio.sleep(max(0.0, until[0] - time.monotonic()))
        await passes(exchange)

    return fault


def during(seconds: float, fault: Fault, *, then: Fault = passes) -> Fault:
    """The fault for so many seconds from the first request on; ``then`` after that."""
    until: list[float] = []

    async def either(exchange: Exchange) -> None:
        until.append(time.monotonic() + seconds)
        await (fault if time.monotonic() < until[0] else then)(exchange)

    return either


def first_of_each(fault: Fault) -> Fault:
    """The fault for the first attempt of each call."""
    met: set[str] = set()

    async def either(exchange: Exchange) -> None:
        external_id = exchange.external_id
        again = external_id in met
        met.add(external_id)
        await (passes if again else fault)(exchange)

    return either


def late(share: float, seconds: float, seed: int) -> Fault:
    """This share of the requests is applied so much later, when the client has gone.

    Two thirds of them are cut right away, so that the client knows of a fault; the others stay
    without an answer until the client gives up.
    """
    chance = random.Random(seed)

    async def fault(exchange: Exchange) -> None:
        if chance.random() >= share:
            await passes(exchange)
            return
        if chance.random() < 2 / 3:
            exchange.reset()
        await asyncio.sleep(seconds)
        await exchange.forward()
        exchange.reset()

    return fault
