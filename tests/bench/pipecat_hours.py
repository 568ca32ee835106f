"""A call of two hours on a virtual clock; what the plugin holds at some moments, as one JSON line.

python pipecat_hours.py [MINUTES...]      # the plugin's settings come from the environment

``held`` is the length of every container that can be reached from the plugin's own objects by way
of its own objects alone, and ``waiting`` the longest that the delivery thread's queue has been
until then: there is no other. What that thread keeps is not looked into: it has the call's facts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CellType, FunctionType, MethodType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1]))

import virtual_time  # before pipecat

# isort: split
from loguru import logger
from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection

from pipecat_zelto import ZeltoProcessor
from scripted import CallerLine, Reply, Script
from scripted.pipecat import ScriptedCall
from zelto_agents import Zelto

MINUTES = (10, 60, 120)
PERIOD = 10.0
OURS = ("pipecat_zelto", "zelto_agents")
CONTAINERS = (list, set, frozenset, tuple, deque, Mapping)


def script(minutes: int) -> Script:
    """Somebody who has another question every ten seconds."""
    times = [1 + n * PERIOD for n in range(int(minutes * 60 / PERIOD))]
    lines = [CallerLine(t, t + 2, f"Question {n}, please.") for n, t in enumerate(times)]
    replies = (f"Answer {n} to that is simple. Do ask me another one." for n in range(len(lines)))
    known = (Reply(to=line.text, text=text) for line, text in zip(lines, replies, strict=True))
    return Script(tuple(lines), tuple(known), hang_up=minutes * 60.0)


def held(*roots: object) -> tuple[dict[str, int], int]:
    """The length of our containers, the longest of each name, and the bytes of all that is seen."""
    lengths: dict[str, int] = {}
    known: set[int] = set()
    size = 0
    left: list[tuple[str, object]] = [(type(root).__name__, root) for root in roots]
    while left:
        name, one = left.pop()
        if id(one) in known:
            continue
        known.add(id(one))
        size += sys.getsizeof(one)
        if isinstance(one, CONTAINERS):
            lengths[name] = max(lengths.get(name, 0), len(one))
        left += parts(name, one)
    return lengths, size


def parts(name: str, one: object) -> Iterator[tuple[str, object]]:
    """What an object is made of, as far as it is ours, with the name of the place."""
    if isinstance(one, Mapping):
        yield from ((f"{name}[]", part) for item in list(one.items()) for part in item)
    elif isinstance(one, CONTAINERS):
        yield from ((f"{name}[]", part) for part in list(one))
    elif isinstance(one, MethodType):
        yield name, one.__self__
    elif isinstance(one, FunctionType):
        cells: tuple[CellType, ...] = one.__closure__ or ()
        yield from ((name, cell.cell_contents) for cell in cells)
    elif type(one).__module__.startswith(OURS) and not isinstance(one, type):
        kind = type(one)
        yield from ((f"{kind.__name__}.{key}", part) for key, part in attributes(one))


def attributes(one: object) -> Iterator[tuple[str, Any]]:
    """Of the object itself, by ``__dict__`` and by ``__slots__``."""
    yield from vars(one).items() if hasattr(one, "__dict__") else ()
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(one, name):
                yield name, getattr(one, name)


class Watched(ZeltoProcessor):
    """Ours, with a look at the queue whenever a frame passes."""

    waiting = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on, as ours does."""
        self.waiting = max(self.waiting, len(Zelto.shared()._delivery._items))
        await super().process_frame(frame, direction)


async def look(zelto: Watched, moments: list[int]) -> list[dict[str, Any]]:
    """What is held at each of these minutes."""
    found: list[dict[str, Any]] = []
    begun = asyncio.get_running_loop().time() + 1.0  # before somebody hangs up
    for minutes in moments:
        await asyncio.sleep(begun + minutes * 60 - 2 - asyncio.get_running_loop().time())
        lengths, size = held(zelto._zelto_collector)
        found.append({"minutes": minutes, "held": lengths, "bytes": size, "waiting": zelto.waiting})
    return found


async def main(moments: list[int]) -> None:
    """The whole call."""
    call = ScriptedCall(script(moments[-1]), prompt="Be kind.")
    zelto = Watched(agent_id="cost", external_id="hours")
    looking: list[asyncio.Future[list[dict[str, Any]]]] = []

    async def connected(*_: object) -> None:
        looking.append(asyncio.ensure_future(look(zelto, moments)))

    call.transport.add_event_handler("on_client_connected", connected)
    await call.run(call.worker([*call.processors, zelto]))
    print(json.dumps(await looking[0]), flush=True)


if __name__ == "__main__":
    logger.remove()
    minutes = [int(word) for word in sys.argv[1:]] or list(MINUTES)
    virtual_time.run(lambda: main(minutes))
