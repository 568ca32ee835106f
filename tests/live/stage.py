"""Where calls happen: a server, a receiver, and the workers and callers between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from livekit import api

from live.caller import Caller, until
from live.server import LiveServer
from live.worker_process import Worker
from zelto_agents.receiver import RunningReceiver

Told = dict[str, Any]
"""What a scene tells its tests; ``ended``: from when to when the call ended."""
Scene = Callable[["Stage", Worker], Awaitable[Told]]
"""One story, in a room of its own."""


class Stage:
    """Makes workers, rooms and callers, and ends all that are left.

    Args:
        server: where the rooms are.
        receiver: where the workers send their calls.
        folder: for what the workers write.
    """

    def __init__(self, server: LiveServer, receiver: RunningReceiver, folder: Path) -> None:
        self.server, self.receiver = server, receiver
        self._folder = folder
        self._workers: list[Worker] = []
        self._callers: list[Caller] = []

    async def __aenter__(self) -> Self:
        self.api = self.server.api()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.close()
        await self.all_hang_up()
        await self.api.aclose()

    async def all_hang_up(self) -> None:
        """Nobody stays on the line."""
        await asyncio.gather(*(caller.hang_up() for caller in self._callers))

    async def worker(self, name: str, mode: str = "start", *, install: bool = False) -> Worker:
        """One more, with an outbox of its own; it takes calls."""
        worker = Worker(self.server, self.receiver, self._folder / name, mode, install=install)
        self._workers.append(worker)
        await worker.registered()
        return worker

    async def dial(
        self, worker: Worker, room: str, *, sip: dict[str, str] | None = None, **plan: Any
    ) -> Caller:
        """A new room with a caller in it, and the worker told to come; see ``worker.Plan``."""
        await self.invite(worker, room, **plan)
        return await self.enter(room, sip=sip)

    async def invite(self, worker: Worker, room: str, **plan: Any) -> None:
        """A new room, and the worker told to come."""
        await self.api.room.create_room(
            api.CreateRoomRequest(name=room, empty_timeout=60, departure_timeout=1)
        )
        await self.api.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(
                agent_name=worker.name, room=room, metadata=json.dumps(plan)
            )
        )

    async def enter(self, room: str, identity: str = "ada", **more: Any) -> Caller:
        """One more in a room."""
        caller = Caller(self.server, room, identity, **more)
        self._callers.append(caller)
        await caller.join()
        return caller

    async def arrived(self, room: str) -> None:
        """Wait until the receiver has the conversation of this room."""
        await until(lambda: room in self.conversations(), f"the call in {room} did not arrive")

    def conversations(self) -> dict[str, dict[str, Any]]:
        """All conversations so far, by their rooms."""
        found = self.receiver.conversations()
        return {each["metadata"]["livekit"]["roomName"]: each for each in found}

    def bodies(self) -> dict[str, list[dict[str, Any]]]:
        """All that was sent so far, by its rooms, in order."""
        sent: dict[str, list[dict[str, Any]]] = {}
        for delivery in self.receiver.deliveries():
            body = json.loads(self.receiver.raw_body(delivery["id"]) or b"{}")
            sent.setdefault(body["metadata"]["livekit"]["roomName"], []).append(body)
        return sent


@dataclass
class Ended:
    """One scene that is over.

    Attributes:
        told: what it returned.
        bodies: all that was sent of the call in its room, in order.
        conversation: what the receiver has of it; empty when there is none.
    """

    told: Told
    bodies: list[dict[str, Any]] = field(default_factory=list)
    conversation: dict[str, Any] = field(default_factory=dict)


class Played:
    """The scenes of a module, by name, which is also the name of the room."""

    def __init__(self) -> None:
        self._scenes: dict[str, Ended | Exception] = {}

    def __getitem__(self, name: str) -> Ended:
        """One scene.

        Raises:
            Exception: what it raised, if it did.
        """
        scene = self._scenes[name]
        if isinstance(scene, Exception):
            raise scene
        return scene

    def collect(self, stage: Stage) -> None:
        """Take down what the receiver has now."""
        bodies, conversations = stage.bodies(), stage.conversations()
        for name, scene in self._scenes.items():
            if isinstance(scene, Ended):
                scene.bodies = bodies.get(name, [])
                scene.conversation = conversations.get(name, {})

    async def play(
        self, stage: Stage, scenes: Mapping[str, Scene], worker: Worker, *, at_once: int = 1
    ) -> None:
        """Play all scenes, so many at the same time; none that fails spoils another."""
        places = asyncio.Semaphore(at_once)

        async def play_one(name: str) -> None:
            async with places:
                try:
                    self._scenes[name] = Ended(await scenes[name](stage, worker))
                except Exception as error:  # noqa: BLE001 - for the tests of this scene
                    self._scenes[name] = error

        await asyncio.gather(*(play_one(name) for name in scenes))
