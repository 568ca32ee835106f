"""The page and the JSON that it reads: no key, therefore loopback names only, and never cached."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from zelto_agents.receiver import (
    keys,
    page_actions,
    page_reads,
    page_stream,
    reads,
)
from zelto_agents.receiver.guard import page_guard
from zelto_agents.receiver.page_answers import HEADERS, answer
from zelto_agents.receiver.page_stream import Streams
from zelto_agents.receiver.store import Store
from zelto_agents.samples import SAMPLES

__all__ = ["Streams", "router"]

PAGE_SIZE = 100
MAX_BODY_SHOWN = 256 * 1024  # bytes

# What SQLite can hold.
_Number = Annotated[int, Field(ge=0, lt=2**62)]
_Problem = Annotated[
    str, Field(pattern=r"^(failed|rejected|recording|unconnected|ignored)-[0-9]{1,18}$")
]
_Filters = Annotated[page_reads.Filters, Depends()]
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def router(store: Store, streams: Streams, *, host: str) -> APIRouter:
    """The page, its files, and the routes under ``/page``."""
    page = APIRouter(include_in_schema=False, dependencies=[Depends(page_guard(host))])
    _add_lists(page, store)
    _add_figures(page, store)
    _add_details(page, store)
    _add_samples(page)

    @page.get("/page/stream")
    async def stream(since: _Number = 0) -> Response:
        updates = page_stream.updates(store, streams, since)
        return StreamingResponse(updates, media_type="text/event-stream", headers=HEADERS)

    page.include_router(page_actions.router(store, host=host))
    _add_files(page)  # last: their names are none of the above
    return page


def _add_files(page: APIRouter) -> None:
    files = _files()

    @page.get("/")
    @page.get("/page/{name}")
    def file(name: str = "index.html") -> Response:
        if name not in files:
            raise HTTPException(404, "Not Found")
        content, media_type = files[name]
        return Response(content, media_type=media_type, headers=HEADERS)


@functools.cache
def _files() -> dict[str, tuple[bytes, str]]:
    """The page's own files by name: content and media type."""
    return {
        file.name: (file.read_bytes(), _MEDIA_TYPES[Path(file.name).suffix])
        for file in resources.files(__package__).joinpath("page").iterdir()
        if Path(file.name).suffix in _MEDIA_TYPES
    }


def _add_lists(page: APIRouter, store: Store) -> None:
    @page.get("/page/conversations")
    def conversations(filters: _Filters, before: _Number | None = None) -> Response:
        if filters.q:
            store.index()
        listed = store.read(page_reads.listed, filters, limit=PAGE_SIZE + 1, before=before)
        return answer(_paged(listed))

    @page.get("/page/problems")
    def problems(before: _Problem | None = None) -> Response:
        state, _, number = (before or "").rpartition("-")
        after = (state, int(number)) if before else None
        listed = store.read(page_reads.problems, limit=PAGE_SIZE + 1, after=after)
        return answer(_paged(listed))

    @page.get("/page/log")
    def log(
        before: _Number | None = None, state: str | None = None, provider: str | None = None
    ) -> Response:
        only = {"state": state, "provider": provider}
        listed = store.read(page_reads.log, limit=PAGE_SIZE + 1, before=before, **only)
        return answer(_paged(listed))


def _add_figures(page: APIRouter, store: Store) -> None:
    @page.get("/page/counts")
    def counts() -> Response:
        return answer(store.read(page_reads.counts))

    @page.get("/page/facets")
    def facets() -> Response:
        return answer(store.read(page_reads.facets))

    @page.get("/page/agents")
    def agents() -> Response:
        return answer({"data": store.read(page_reads.agents)})

    @page.get("/page/keys")
    def listed() -> Response:
        return answer({"data": store.read(keys.listed)})


def _add_samples(page: APIRouter) -> None:
    @page.get("/page/samples")
    def samples() -> Response:
        listed = [
            {
                "name": sample.name,
                "about": sample.about,
                "provider": sample.provider,
                "bodies": sample.bodies(f"sample-{sample.name}"),
            }
            for sample in SAMPLES.values()
        ]
        return answer({"data": listed})


def _add_details(page: APIRouter, store: Store) -> None:
    @page.get("/page/conversations/{conversation_id}")
    def conversation(conversation_id: str) -> Response:
        found = store.read(reads.conversation, conversation_id)
        if found is None:
            raise HTTPException(404, "Not Found")
        document = store.read(reads.document, conversation_id)
        deliveries = store.read(
            page_reads.deliveries_of, found["externalId"], found["organisation"]
        )
        return answer({"conversation": found, "document": document, "deliveries": deliveries})

    @page.get("/page/deliveries/{raw_id}")
    def delivery(raw_id: _Number) -> Response:
        found = store.read(page_reads.delivery, raw_id)
        if found is None:
            raise HTTPException(404, "Not Found")
        body = store.read(reads.raw_body, raw_id, limit=MAX_BODY_SHOWN) or b""
        return answer({"delivery": found, "body": body.decode("utf-8", "replace")})

    @page.get("/page/deliveries/{raw_id}/body")
    def whole_body(raw_id: _Number) -> Response:
        body = store.read(reads.raw_body, raw_id)
        if body is None:
            raise HTTPException(404, "Not Found")
        # As a file, never shown: it is whatever somebody sent.
        download = {"Content-Disposition": f'attachment; filename="delivery-{raw_id}.json"'}
        return Response(body, media_type="application/octet-stream", headers=HEADERS | download)


def _paged(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": found[:PAGE_SIZE], "more": len(found) > PAGE_SIZE}
