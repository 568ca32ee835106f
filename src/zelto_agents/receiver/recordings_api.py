"""Recordings that were fetched, with ranges, for the page and for whoever has the key."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse

from zelto_agents.receiver import recordings
from zelto_agents.receiver.guard import page_guard
from zelto_agents.receiver.keys import bearer
from zelto_agents.receiver.store import Store

__all__ = ["router"]

# A recording is somebody else's file: whatever is in it, a browser only plays it.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def router(store: Store, *, host: str) -> APIRouter:
    """The route of recordings: the key opens its organisation's, the page's own address all."""
    api = APIRouter()
    guard = page_guard(host)

    @api.api_route("/recordings/{recording_id}", methods=["GET", "HEAD"])
    def recording(recording_id: str, request: Request) -> FileResponse:
        organisation = None
        authorization = request.headers.get("authorization")
        if authorization is None:
            guard(request)
        else:
            organisation = store.organisation_of(bearer(authorization))
            if organisation is None:
                raise HTTPException(401, "Unauthorized")
        found = store.read(recordings.find, recording_id, organisation)
        path = None if found is None else store.recording_path(found["id"])
        if found is None or path is None or not path.is_file():
            raise HTTPException(404, "Not Found")
        return FileResponse(path, media_type=found["content_type"], headers=_HEADERS)

    return api
