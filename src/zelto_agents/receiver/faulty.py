"""How faults happen: ASGI in front of the upload route, and connections that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from zelto_agents.contract import UPLOAD_PATH
from zelto_agents.receiver.faults import Fault, Faults
from zelto_agents.receiver.verdict import Verdict, judge

__all__ = ["Connection", "FaultyUploads", "Releases", "swallowed"]

_FAULT = "zelto.fault"
_TRANSPORT = "zelto.transport"
_NO_LINGER = struct.pack("ii", 1, 0)
# Of a larger body (bytes) that a fault takes, the rest is not read, and its id stays unknown.
_READ = 1024 * 1024


class Connection(H11Protocol):
    """uvicorn's connection; what it serves can get at it, to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hands the transport on with every request."""
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope[_TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


class Releases:
    """What is kept waiting on purpose, so that a stopping server need not wait with it."""

    def __init__(self) -> None:
        self._stopping = False
        self._waiting: set[asyncio.Event] = set()

    @contextlib.contextmanager
    def open(self) -> Iterator[asyncio.Event]:
        """An event that is set when the server stops."""
        event = asyncio.Event()
        if self._stopping:
            event.set()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    def stop(self) -> None:
        """Sets all of them; to be called on their event loop."""
        self._stopping = True
        for event in self._waiting:
            event.set()


class FaultyUploads:
    """Lets each upload meet the fault whose turn it is, if it is any's; everything else passes.

    Args:
        app: what is behind.
        uploads: what answers uploads.
        faults: the faults in force.
        releases: told when the server stops.
    """

    def __init__(
        self, app: ASGIApp, *, uploads: ASGIApp, faults: Faults, releases: Releases
    ) -> None:
        self._app = app
        self._uploads = uploads
        self._faults = faults
        self._releases = releases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] != UPLOAD_PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        fault = self._faults.strike()
        if fault is None:
            await self._uploads(scope, receive, send)
            return
        match fault.kind:
            case "status" | "hang" | "reset":
                await self._instead(fault, scope, receive, send)
            case "slow":
                with self._releases.open() as released, contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(released.wait(), fault.seconds)
                await self._uploads(scope, receive, send)
            case "lost":
                await self._uploads(scope, receive, _Cut(scope, receive))
            case "swallow":
                await self._uploads({**scope, _FAULT: fault}, receive, send)

    async def _instead(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _start_of(receive)
        if body is None:
            return  # its client is gone
        self._faults.note(fault, judge(_provider(scope), body).external_id)
        if fault.kind == "status":
            headers = {"connection": "close"} if len(body) > _READ else {}
            if fault.retry_after is not None:
                headers["retry-after"] = str(fault.retry_after)
            answer = JSONResponse(fault.answer(), fault.status or 500, headers=headers)
            await answer(scope, receive, send)
            return
        if fault.kind == "hang":
            await self._hang(receive)
        await _cut(scope, receive)

    async def _hang(self, receive: Receive) -> None:
        with self._releases.open() as released:
            ends = {asyncio.ensure_future(released.wait()), asyncio.ensure_future(_gone(receive))}
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()


def swallowed(scope: Scope, verdict: Verdict) -> Verdict:
    """What becomes of a body whose ingest a fault prevents; without one, the verdict as it is."""
    fault = scope.get(_FAULT)
    if not isinstance(fault, Fault) or verdict.status != 200:
        return verdict
    why = f"fault {fault.id} on demand ({fault}): answered {verdict.status} and never ingested"
    return replace(verdict, state="failed", reason=why, call=None)


class _Cut:
    """Takes the answer, and cuts the connection instead of sending it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await _cut(self._scope, self._receive)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Resets the connection: the client reads neither an answer nor an orderly end."""
    transport: asyncio.Transport = scope[_TRANSPORT]
    sock = transport.get_extra_info("socket")
    if sock is not None and not transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start_of(receive: Receive) -> bytes | None:
    """The body, or its start if it is large; None when its client left."""
    body = bytearray()
    while len(body) <= _READ:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _provider(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-zelto-provider":
            return str(value.decode("latin-1"))
    return None
