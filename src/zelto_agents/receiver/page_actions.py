"""What the page can do: check a body, send one, mint and revoke keys, fetch a recording again."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.types import Message, Receive, Scope, Send

from zelto_agents.contract import UPLOAD_PATH
from zelto_agents.receiver import keys, reads
from zelto_agents.receiver.guard import page_guard, same_origin
from zelto_agents.receiver.page_answers import HEADERS, answer
from zelto_agents.receiver.schema import DEFAULT_ORGANISATION
from zelto_agents.receiver.store import Store
from zelto_agents.receiver.verdict import judge

__all__ = ["ORGANISATION", "router"]

# Where in an ASGI scope it stands whose an upload is that comes from the page, without a key.
ORGANISATION = "zelto.organisation"

_Number = Annotated[int, Field(ge=0, lt=2**62)]


class _Draft(BaseModel):
    provider: str | None = None
    body: str


class _NewKey(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=80)]
    organisation: Annotated[str, Field(min_length=1, max_length=80)] = DEFAULT_ORGANISATION


def router(store: Store, *, host: str) -> APIRouter:
    """The routes of the page that judge or change something: for pages of our own origin only."""
    api = APIRouter(
        prefix="/page",
        include_in_schema=False,
        dependencies=[Depends(page_guard(host)), Depends(same_origin)],
    )
    _add_sending(api, store)
    _add_keys(api, store)

    @api.post("/conversations/{conversation_id}/recording/retry")
    def retry_recording(conversation_id: str) -> Response:
        if not store.retry_recording(conversation_id):
            raise HTTPException(404, "This conversation has no recording to fetch")
        return answer({"retried": True})

    return api


def _add_sending(api: APIRouter, store: Store) -> None:
    @api.post("/check")
    def check(draft: _Draft) -> Response:
        verdict = judge(draft.provider, draft.body.encode("utf-8", "surrogatepass"))
        shown = {
            "status": verdict.status,
            "answer": verdict.answer,
            "state": verdict.state,
            "reason": verdict.reason,
            "externalId": verdict.external_id,
        }
        return answer(shown)

    @api.post("/send")
    async def send(request: Request) -> Response:
        body = await request.body()
        return _Upload(request.headers.get("x-zelto-provider"), body, DEFAULT_ORGANISATION)

    @api.post("/deliveries/{raw_id}/resend")
    async def resend(raw_id: _Number) -> Response:
        found, owner, body = await anyio.to_thread.run_sync(_delivery, store, raw_id)
        if found is None or owner is None or body is None:
            raise HTTPException(404, "Not Found")
        return _Upload(found["provider"], body, owner)


def _add_keys(api: APIRouter, store: Store) -> None:
    @api.post("/keys")
    def mint(new: _NewKey) -> Response:
        key = store.mint_key(new.name, new.organisation)
        return answer({"key": key, "name": new.name}, 201)

    @api.delete("/keys/{key_id}")
    def revoke(key_id: str) -> Response:
        # Only the whole id that was listed: the start of one could fit another key.
        listed = {key["id"] for key in store.read(keys.listed)}
        if key_id not in listed or not store.revoke_key(key_id):
            raise HTTPException(404, "Not Found")
        return Response(status_code=204, headers=HEADERS)


def _delivery(store: Store, raw_id: int) -> tuple[dict[str, Any] | None, str | None, bytes | None]:
    return (
        store.read(reads.delivery, raw_id),
        store.read(reads.owner, raw_id),
        store.read(reads.raw_body, raw_id),
    )


class _Upload(Response):
    """An answer that is the app's own answer to an upload: faults in force are met here as well."""

    def __init__(self, provider: str | None, body: bytes, organisation: str) -> None:
        self.background = None
        self.status_code = 200
        self._provider = provider
        self._body = body
        self._organisation = organisation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        waiting = [{"type": "http.request", "body": self._body, "more_body": False}]

        async def receive_body() -> Message:
            return waiting.pop() if waiting else await receive()

        await scope["app"](self._scope(scope), receive_body, send)

    def _scope(self, scope: Scope) -> Scope:
        headers = [(b"host", dict(scope["headers"]).get(b"host", b""))]
        headers.append((b"content-length", str(len(self._body)).encode()))
        headers.append((b"content-type", b"application/json"))
        if self._provider is not None:
            headers.append((b"x-zelto-provider", self._provider.encode("latin-1", "replace")))
        kept = ("type", "asgi", "http_version", "method", "scheme", "server", "client")
        upload = {name: scope[name] for name in kept if name in scope}
        upload |= {name: value for name, value in scope.items() if name.startswith("zelto.")}
        path = {"path": UPLOAD_PATH, "raw_path": UPLOAD_PATH.encode(), "query_string": b""}
        return upload | path | {"headers": headers, ORGANISATION: self._organisation}
