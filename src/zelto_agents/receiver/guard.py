"""Who may use what needs no key: this machine's own names, and pages of our own origin."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

__all__ = ["page_guard", "same_origin"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def page_guard(host: str) -> Callable[[Request], None]:
    """A dependency that turns away requests for other names than loopback's and ``host``.

    A hostile site can point its own name at 127.0.0.1; it cannot change the ``Host`` header.
    """
    allowed = _LOOPBACK | {host.lower(), f"[{host.lower()}]"}

    def guard(request: Request) -> None:
        if _name(request.headers.get("host", "")) not in allowed:
            raise HTTPException(403, "This page answers to its loopback address only")

    return guard


def same_origin(request: Request) -> None:
    """A dependency that turns away changes that a page of another origin asks for."""
    origin = request.headers.get("origin")
    foreign = request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers["host"].lower():
        foreign = True
    if foreign:
        raise HTTPException(403, "Only this receiver's own page may change anything")


def _name(host: str) -> str:
    """The name in a ``Host`` header, without the port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
