"""What every answer of the page carries: never cached, nothing from elsewhere, nothing guessed."""

from __future__ import annotations

from fastapi.responses import JSONResponse

__all__ = ["HEADERS", "answer"]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def answer(value: object, status: int = 200) -> JSONResponse:
    """A value as JSON, with the headers of the page."""
    return JSONResponse(value, status, headers=HEADERS)
