"""The page and the JSON it lives on: no key, therefore loopback names only, and never cached."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from zelto_agents.receiver import reads
from zelto_agents.receiver.store import Store

__all__ = ["Streams", "router"]

PAGE_SIZE = 100
MAX_PROBLEMS = 200
MAX_BODY_SHOWN = 256 * 1024  # bytes
# A stream that says nothing for this long (seconds) is taken for dead by some proxies.
PING_SECONDS = 15.0
# At most this often (seconds) is a page told, however much arrives.
PACE_SECONDS = 0.1

# What SQLite can hold.
_Number = Annotated[int, Field(ge=0, lt=2**62)]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Streams:
    """The open live updates of one app, so that a stopping server can end them at once."""

    def __init__(self) -> None:
        self.stopping = False
        self._wakes: set[asyncio.Event] = set()

    @contextmanager
    def open(self, wake: asyncio.Event) -> Iterator[None]:
        """Counts a stream in for as long as it is open."""
        self._wakes.add(wake)
        try:
            yield
        finally:
            self._wakes.discard(wake)

    def stop(self) -> None:
        """Ends all of them; to be called on their event loop."""
        self.stopping = True
        for wake in self._wakes:
            wake.set()


def router(store: Store, streams: Streams, *, host: str) -> APIRouter:
    """The page, its files, and the routes under ``/page``."""
    allowed = _LOOPBACK | {host.lower(), f"[{host.lower()}]"}

    def guard(request: Request) -> None:
        # A hostile site can point its own name at 127.0.0.1; it cannot change this header.
        if _name(request.headers.get("host", "")) not in allowed:
            raise HTTPException(403, "This page answers to its loopback address only")

    page = APIRouter(dependencies=[Depends(guard)])
    _add_files(page)
    _add_lists(page, store)
    _add_details(page, store)

    @page.get("/page/stream")
    async def stream(since: _Number = 0) -> Response:
        updates = _updates(store, streams, since)
        return StreamingResponse(updates, media_type="text/event-stream", headers=_HEADERS)

    return page


def _add_files(page: APIRouter) -> None:
    for file in resources.files(__package__).joinpath("page").iterdir():
        media_type = _MEDIA_TYPES.get(Path(file.name).suffix)
        if media_type is not None:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            page.add_api_route(path, _file(file.read_bytes(), media_type), methods=["GET"])


def _add_lists(page: APIRouter, store: Store) -> None:
    @page.get("/page/conversations")
    def conversations(before: _Number | None = None) -> Response:
        found = store.read(reads.summaries, limit=PAGE_SIZE + 1, before=before)
        more = len(found) > PAGE_SIZE
        return _json({"data": found[:PAGE_SIZE], "more": more, "counts": store.read(reads.counts)})

    @page.get("/page/problems")
    def problems() -> Response:
        return _json({"data": store.read(reads.problems, limit=MAX_PROBLEMS)})


def _add_details(page: APIRouter, store: Store) -> None:
    @page.get("/page/conversations/{conversation_id}")
    def conversation(conversation_id: str) -> Response:
        found = store.read(reads.conversation, conversation_id)
        if found is None:
            raise HTTPException(404, "Not Found")
        document = store.read(reads.document, conversation_id)
        deliveries = store.read(reads.deliveries, found["externalId"])
        return _json({"conversation": found, "document": document, "deliveries": deliveries})

    @page.get("/page/deliveries/{raw_id}")
    def delivery(raw_id: _Number) -> Response:
        found = store.read(reads.delivery, raw_id)
        if found is None:
            raise HTTPException(404, "Not Found")
        body = store.read(reads.raw_body, raw_id, limit=MAX_BODY_SHOWN) or b""
        return _json({"delivery": found, "body": body.decode("utf-8", "replace")})


async def _updates(store: Store, streams: Streams, since: int) -> AsyncIterator[str]:
    loop, wake = asyncio.get_running_loop(), asyncio.Event()

    def changed() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody looks any more
            loop.call_soon_threadsafe(wake.set)

    with store.listening(changed), streams.open(wake):
        while not streams.stopping:
            update = await anyio.to_thread.run_sync(_update, store, since)
            since = update["counts"]["touched"]
            yield f"data: {json.dumps(update)}\n\n"
            while not wake.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), PING_SECONDS)
                if not wake.is_set():
                    yield ": still here\n\n"
            await asyncio.sleep(0 if streams.stopping else PACE_SECONDS)
            if not streams.stopping:
                wake.clear()


def _update(store: Store, since: int) -> dict[str, Any]:
    # Counts first: what arrives in between is told again with the next update, never skipped.
    counts = store.read(reads.counts)
    changed = store.read(reads.touched_since, since, limit=PAGE_SIZE + 1)
    if len(changed) > PAGE_SIZE:
        return {"counts": counts, "reload": True, "data": []}
    return {"counts": counts, "reload": False, "data": changed}


def _file(content: bytes, media_type: str) -> Callable[[], Response]:
    def answer() -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return answer


def _json(value: object) -> JSONResponse:
    return JSONResponse(value, headers=_HEADERS)


def _name(host: str) -> str:
    """The name in a ``Host`` header, without the port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
