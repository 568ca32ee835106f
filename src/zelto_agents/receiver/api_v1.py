"""REST v1: reading agents, conversations and transcripts back, with the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from zelto_agents.receiver import reads
from zelto_agents.receiver.keys import bearer
from zelto_agents.receiver.store import Store

__all__ = ["router"]

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_BEFORE = "before-"

Item = dict[str, Any]


class _BadParameterError(ValueError):
    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def router(store: Store) -> APIRouter:
    """The routes under ``/v1``."""
    api = APIRouter(prefix="/v1")

    @api.get("/agents")
    def agents(request: Request) -> JSONResponse:
        return _page(request, store, reads.agents, _agent)

    @api.get("/conversations")
    def conversations(request: Request) -> JSONResponse:
        return _page(request, store, reads.conversations, _conversation)

    @api.get("/conversations/{conversation_id}")
    def conversation(conversation_id: str, request: Request) -> JSONResponse:
        return JSONResponse(_conversation(_find(store, request, conversation_id)))

    @api.get("/conversations/{conversation_id}/transcript")
    def transcript(conversation_id: str, request: Request) -> JSONResponse:
        found = _find(store, request, conversation_id)
        return JSONResponse(_transcript(found, str(request.base_url).rstrip("/")))

    return api


def _organisation(store: Store, request: Request) -> str:
    organisation = store.organisation_of(bearer(request.headers.get("authorization")))
    if organisation is None:
        raise HTTPException(401, "Unauthorized")
    return organisation


def _find(store: Store, request: Request, conversation_id: str) -> Item:
    organisation = _organisation(store, request)
    found = store.read(reads.conversation, conversation_id, organisation)
    if found is None:
        raise HTTPException(404, "Not Found")
    return found


def _page(
    request: Request,
    store: Store,
    query: Callable[..., list[Item]],
    shape: Callable[[Item], Item],
) -> JSONResponse:
    organisation = _organisation(store, request)
    try:
        limit = _limit(request.query_params.get("limit"))
        before = _place(request.query_params.get("cursor"))
    except _BadParameterError as bad:
        details = [{"path": bad.path, "message": str(bad)}]
        return JSONResponse({"error": "Validation failed", "details": details}, 400)
    found = store.read(query, limit=limit + 1, before=before, organisation=organisation)
    shown = found[:limit]
    cursor = _cursor(shown[-1]["seq"]) if len(found) > limit else None
    return JSONResponse({"data": [shape(item) for item in shown], "nextCursor": cursor})


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise _BadParameterError("limit", "must be a whole number")
    if not 1 <= int(text) <= MAX_LIMIT:
        raise _BadParameterError("limit", f"must be from 1 to {MAX_LIMIT}")
    return int(text)


def _cursor(seq: int) -> str:
    return f"{_BEFORE}{seq}"


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    seq = cursor.removeprefix(_BEFORE)
    if seq == cursor or not (seq.isascii() and seq.isdecimal() and len(seq) < 19):
        raise _BadParameterError("cursor", "must be a nextCursor from an earlier answer")
    return int(seq)


def _agent(agent: Item) -> Item:
    return {
        "id": agent["id"],
        "name": agent["name"] or agent["external_id"],
        "description": None,
        "externalId": agent["external_id"],
        "provider": agent["provider"],
        "createdAt": agent["created_at"],
        "updatedAt": agent["updated_at"],
    }


def _conversation(found: Item) -> Item:
    return {
        "id": found["id"],
        "agentId": found["agent"]["id"],
        "name": (found["customer"] or {}).get("name"),  # assumed
        "source": found["source"],
        "createdAt": found["createdAt"],
        "updatedAt": found["updatedAt"],
        "receiverId": None,
        "referenceId": found["externalId"],
        "endedReason": found["endedReason"],
        "cost": found["costText"],
    }


def _transcript(found: Item, base: str) -> Item:
    """One transcript; ``content`` as a list of turns is assumed, the guide does not show it."""
    recording = found["recording"]
    shown = ("role", "content", "startSeconds", "endSeconds")
    return {
        "conversationId": found["id"],
        "createdAt": found["createdAt"],
        "recordingUrl": f"{base}{recording['url']}" if recording and recording["url"] else None,
        "durationSeconds": found["durationSeconds"],
        "content": [{name: turn[name] for name in shown} for turn in found["turns"]],
        "systemPrompt": found["systemPrompt"],
    }
