"""The HTTP side of the receiver: the upload of the contract, REST v1, the page, readiness."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from zelto_agents.contract import UPLOAD_PATH
from zelto_agents.receiver import (
    api_v1,
    faults_api,
    openapi,
    page_actions,
    page_api,
    reads,
    recordings_api,
)
from zelto_agents.receiver.faults import Faults
from zelto_agents.receiver.faulty import FaultyUploads, Releases, swallowed
from zelto_agents.receiver.keys import bearer
from zelto_agents.receiver.store import Store
from zelto_agents.receiver.verdict import Verdict, judge

__all__ = ["MAX_BODY_BYTES", "create_app"]

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 32 * 1024 * 1024
# Parsing more than this on the event loop would be felt by the other requests.
_LARGE_BYTES = 64 * 1024
_SHOWN_HEADERS = {b"content-type", b"content-length", b"user-agent", b"x-zelto-provider"}


class _TooLargeError(Exception):
    """The body is over ``MAX_BODY_BYTES``."""


def create_app(store: Store, *, host: str = "127.0.0.1", faults: Faults | None = None) -> FastAPI:
    """The receiver as an ASGI app.

    Args:
        store: where everything is kept; the caller closes it.
        host: the address served; the page answers to it and to loopback names only.
        faults: what goes wrong on purpose; nothing by default.
    """
    faults = Faults() if faults is None else faults
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(HTTPException, _as_json)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(sqlite3.Error, _disk_trouble)
    app.add_exception_handler(Exception, _own_fault)

    uploads = _Uploads(store)
    app.router.routes.append(Route(UPLOAD_PATH, uploads, methods=["POST"]))  # and 405 for others

    @app.get("/readyz")
    def ready() -> Response:
        store.read(reads.counts)
        return JSONResponse({"ready": True})

    app.include_router(api_v1.router(store))
    app.include_router(recordings_api.router(store, host=host))
    app.include_router(openapi.router())
    app.state.releases = Releases()
    app.add_middleware(FaultyUploads, uploads=uploads, faults=faults, releases=app.state.releases)
    app.include_router(faults_api.router(faults, host=host))
    app.state.streams = page_api.Streams()
    app.include_router(page_api.router(store, app.state.streams, host=host))
    return app


class _Uploads:
    """The upload as an ASGI app: it has no use for what FastAPI does for each request."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await _upload(self._store, request)
        except sqlite3.Error as error:
            answer = await _disk_trouble(request, error)
        await answer(scope, receive, send)


async def _upload(store: Store, request: Request) -> Response:
    organisation = request.scope.get(page_actions.ORGANISATION) or store.organisation_of(
        bearer(request.headers.get("authorization"))
    )
    if organisation is None:
        return JSONResponse({"error": "Unauthorized"}, 401)
    try:
        body = await _body(request)
    except _TooLargeError:
        error = f"Body is larger than {MAX_BODY_BYTES} bytes"
        return JSONResponse({"error": error}, 413, headers={"connection": "close"})
    except ClientDisconnect:
        return JSONResponse({"error": "Incomplete body"}, 400)
    provider = request.headers.get("x-zelto-provider")
    place = store.append(provider, body, organisation, _headers(request))
    verdict: Verdict | None = None
    try:
        if len(body) > _LARGE_BYTES:
            verdict = await anyio.to_thread.run_sync(judge, provider, body)
        else:
            verdict = judge(provider, body)
        verdict = swallowed(request.scope, verdict)
    finally:
        store.settle(place, verdict)
    await asyncio.wrap_future(place.on_disk)
    return JSONResponse(verdict.answer, verdict.status)


def _headers(request: Request) -> str:
    """Those that tell of the body and its sender; never the key."""
    return json.dumps(
        [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.scope["headers"]
            if name in _SHOWN_HEADERS
        ]
    )


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _TooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _TooLargeError
    return bytes(body)


async def _as_json(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _bad_parameter(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "A parameter of this address is not valid"}, 400)


async def _disk_trouble(_request: Request, error: Exception) -> Response:
    log.error("the database does not answer: %s", error)
    return JSONResponse({"error": "The database is not available"}, 503)


async def _own_fault(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "Internal error of the receiver"}, 500)
