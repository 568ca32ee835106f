"""Plays scenarios through a real outbox, to a real receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import pytest

import virtual_time
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

from .scene import Play, Scene, UnsupportedError

__all__ = ["Played", "play"]

# Virtual seconds: a scenario that hangs costs nothing.
LONGEST = 3600.0

_S = TypeVar("_S", bound=Scene)


class Played(Generic[_S]):
    """Scenes by name, each played when it is first asked for.

    Args:
        kind: makes a scene, of its name and the client that it sends with.
        scenarios: by name.
        receiver: where their calls go.
        folder: where the outbox is.
    """

    def __init__(
        self,
        kind: Callable[[str, Zelto], _S],
        scenarios: Mapping[str, Play[_S]],
        receiver: RunningReceiver,
        folder: Path,
    ) -> None:
        self._kind = kind
        self._scenarios = scenarios
        self._receiver = receiver
        self._folder = folder
        self._scenes: dict[str, _S] = {}

    def __getitem__(self, name: str) -> _S:
        """The scene; who asks for one that this version cannot play is skipped."""
        if name not in self._scenes:
            only = {name: self._scenarios[name]}
            (self._scenes[name],) = play(self._kind, only, self._receiver, self._folder)
        scene = self._scenes[name]
        if scene.unsupported:
            pytest.skip(scene.unsupported)
        return scene


def play(
    kind: Callable[[str, Zelto], _S],
    scenarios: Mapping[str, Play[_S]],
    receiver: RunningReceiver,
    folder: Path,
    *,
    at_once: int = 0,
) -> Iterator[_S]:
    """Each scenario once it is over and its documents have arrived.

    Args:
        kind: makes a scene, of its name and the client that it sends with.
        scenarios: by name.
        receiver: where their calls go.
        folder: where the outbox is.
        at_once: how many side by side, in real time; 0 for one after the other on a virtual clock.
    """
    settings = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=folder / "outbox"
    )
    with Zelto(settings=settings) as client:
        scenes = [(scenario, kind(name, client)) for name, scenario in scenarios.items()]
        step = at_once or 1
        for few in (scenes[i : i + step] for i in range(0, len(scenes), step)):
            if at_once:
                asyncio.run(_all(few))
            else:
                virtual_time.run(lambda: _all(few))  # noqa: B023
            client.flush(10)
            for _, scene in few:
                _collect(scene, receiver)
                yield scene


async def _all(few: Sequence[tuple[Play[_S], _S]]) -> None:
    await asyncio.gather(*(_played(scenario, scene) for scenario, scene in few))


async def _played(scenario: Play[_S], scene: _S) -> None:
    try:
        await asyncio.wait_for(scenario(scene), LONGEST)
    except UnsupportedError as why:
        scene.unsupported = str(why)
    except Exception as fault:  # noqa: BLE001 - told as the scenario's own
        scene.fault = repr(fault)


def _collect(scene: Scene, receiver: RunningReceiver) -> None:
    receiver.wait_until_ingested()
    scene.conversations = [
        one for one in receiver.conversations() if one["externalId"].partition("-")[0] == scene.name
    ]
    for delivery in receiver.deliveries(scene.name):
        scene.bodies.append(json.loads(receiver.raw_body(delivery["id"]) or b"{}"))
