"""Doors in front of the receiver that fail as networks and servers do, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

__all__ = ["Door", "Exchange", "Fault", "Network", "reserve"]

_T = TypeVar("_T")
_NO_LINGER = struct.pack("ii", 1, 0)


def reserve(port: int = 0) -> socket.socket:
    """A bound socket that does not listen: the port is kept, and connections to it are refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one HTTP message; it must have a ``Content-Length``, or no body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)


class Exchange:
    """One request that came through a door; a fault decides what becomes of it."""

    def __init__(
        self, head: bytes, body: bytes, writer: asyncio.StreamWriter, receiver: tuple[str, int]
    ) -> None:
        self.head = head
        self.body = body
        self._writer = writer
        self._receiver = receiver

    @property
    def external_id(self) -> str:
        """The call that the body is about."""
        return str(json.loads(self.body)["call"]["externalId"])

    async def forward(self) -> bytes:
        """Let the receiver process it; its answer.

        Raises:
            OSError: the receiver is away.
            asyncio.IncompleteReadError: it went away before it had answered.
        """
        reader, writer = await asyncio.open_connection(*self._receiver)
        try:
            writer.write(self.head + self.body)
            head, body = await _message(reader)
            return head + body
        finally:
            writer.close()

    async def reply(self, answer: bytes) -> None:
        """Answer the client, if it is still there."""
        with contextlib.suppress(OSError):
            self._writer.write(answer)
            await self._writer.drain()

    def reset(self) -> None:
        """Cut the connection with a RST."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._writer.transport.abort()


Fault = Callable[[Exchange], Awaitable[None]]


async def _passes(exchange: Exchange) -> None:
    await exchange.reply(await exchange.forward())


class Door:
    """One address in front of the receiver, open or shut, with at most one fault at a time.

    Made by ``Network.door``. ``fault`` may be replaced at any time; ``posts`` counts what came.
    """

    def __init__(self, loop: Network, target: str, fault: Fault = _passes) -> None:
        parts = urlsplit(target)
        self._receiver = (parts.hostname or "", parts.port or 80)
        self._network = loop
        self._kept = reserve()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.fault = fault
        self.posts = 0

    @property
    def url(self) -> str:
        """The base URL of this door."""
        return f"http://127.0.0.1:{self._kept.getsockname()[1]}"

    def open(self) -> None:
        """Listen."""
        self._network.run(self._open())

    def shut(self) -> None:
        """Refuse connections, and cut those that are open."""
        self._network.run(self._shut())

    async def _open(self) -> None:
        if self._server is None:
            sock = reserve(self._kept.getsockname()[1])
            self._server = await asyncio.start_server(self._serve, sock=sock, backlog=1024)

    async def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in list(self._writers):
                writer.transport.abort()

    async def close(self) -> None:
        """Shut for good, and give the port back."""
        await self._shut()
        self._kept.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    head, body = await _message(reader)
                    self.posts += 1
                    exchange = Exchange(head, body, writer, self._receiver)
                    # The receiver works on, whether or not the client waits for its answer.
                    await asyncio.shield(self._network.spawn(self._meet(exchange)))
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _meet(self, exchange: Exchange) -> None:
        try:
            await self.fault(exchange)
        except (OSError, asyncio.IncompleteReadError):  # the receiver is away
            exchange.reset()


class Network:
    """An event loop in a thread, and the doors on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors: list[Door] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._thread.start()

    def door(self, target: str, fault: Fault = _passes, *, shut: bool = False) -> Door:
        """A new door in front of the server at ``target``."""
        door = Door(self, target, fault)
        self._doors.append(door)
        if not shut:
            door.open()
        return door

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run it on the loop, from another thread, and wait for it."""
        done: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(30)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that outlives the connection that it came from."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def idle(self) -> bool:
        """Whether no request is under way, not even one that is applied late."""
        return not self._tasks

    async def _end(self) -> None:
        for door in self._doors:
            await door.close()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
