"""Faults over HTTP: no key, therefore loopback names and the page's own origin only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from zelto_agents.contract import describe
from zelto_agents.receiver.faults import Attempt, Fault, Faults, Kind
from zelto_agents.receiver.guard import page_guard, same_origin

__all__ = ["router"]

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_Seconds = Annotated[float, Field(allow_inf_nan=False)]


class _FaultIn(BaseModel):
    """A fault as it is asked for: absent and null are the same."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    kind: Kind
    status: int | None = None
    retry_after: int | None = None
    seconds: _Seconds | None = None
    left: int | None = None
    percent: _Seconds | None = None

    def fault(self) -> Fault:
        """The fault, checked as a whole."""
        given = self.model_dump(exclude_none=True)
        return Fault(**given)


def router(faults: Faults, *, host: str) -> APIRouter:
    """The routes ``/page/faults`` and ``/page/attempts``."""
    api = APIRouter(
        prefix="/page",
        include_in_schema=False,
        dependencies=[Depends(page_guard(host))],
    )
    changing = [Depends(same_origin)]

    @api.get("/faults")
    def in_force() -> Response:
        return _json({"data": [_fault(fault) for fault in faults.in_force()]})

    @api.post("/faults", dependencies=changing)
    async def add(request: Request) -> Response:
        try:
            fault = _FaultIn.model_validate_json(await request.body()).fault()
        except ValidationError as error:
            return _refused(describe(error))
        except ValueError as error:
            return _refused([{"path": "", "message": str(error)}])
        return _json(_fault(faults.add(fault)), 201)

    @api.delete("/faults", dependencies=changing)
    def clear() -> Response:
        faults.clear()
        return Response(status_code=204, headers=_HEADERS)

    @api.delete("/faults/{fault_id}", dependencies=changing)
    def remove(fault_id: str) -> Response:
        if not (fault_id.isascii() and fault_id.isdecimal() and len(fault_id) < 19):
            raise HTTPException(404, "Not Found")
        if not faults.remove(int(fault_id)):
            raise HTTPException(404, "Not Found")
        return Response(status_code=204, headers=_HEADERS)

    @api.get("/attempts")
    def attempts() -> Response:
        return _json({"data": [_attempt(attempt) for attempt in faults.attempts()]})

    return api


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "kind": fault.kind,
        "status": fault.status,
        "retryAfter": fault.retry_after,
        "seconds": fault.seconds,
        "left": fault.left,
        "percent": fault.percent,
        "hits": fault.hits,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {"at": attempt.at, "fault": attempt.fault, "externalId": attempt.external_id}


def _refused(details: list[dict[str, str]]) -> JSONResponse:
    return _json({"error": "Validation failed", "details": details}, 400)


def _json(value: object, status: int = 200) -> JSONResponse:
    return JSONResponse(value, status, headers=_HEADERS)
