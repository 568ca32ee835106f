"""Fetching one recording from an address that a stranger may have written.

The name is resolved once, every address is judged, and the connection goes to the address that was
judged: a name that points elsewhere a moment later (DNS rebinding) leads nowhere. Redirects are
followed here, each judged like the first address. No proxy, no cookie, no credentials but those
that the address itself holds.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx

__all__ = ["PRIVATE", "FetchError", "Limits", "Refused", "fetch"]

PRIVATE = "its address is private or reserved; --allow-private fetches it all the same"

_REDIRECTS = 5
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_BLOCK = 256 * 1024  # bytes
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNKNOWN_TYPES = ("", "application/octet-stream", "binary/octet-stream")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch may do.

    Attributes:
        max_bytes: a larger recording is refused.
        max_seconds: the whole fetch, redirects included.
        allow_private: also connect to private, loopback, link-local and reserved addresses.
        backoff: seconds before each further try; after as many it counts as failed.
    """

    max_bytes: int = 512 * 1024 * 1024
    max_seconds: float = 600.0
    allow_private: bool = False
    backoff: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)


class FetchError(Exception):
    """The fetch did not work this time; its text says why and holds no address."""


class Refused(FetchError):  # noqa: N818 - says more than RefusedError
    """What is there will not be fetched; trying again would not help."""


async def fetch(url: str, target: Path, limits: Limits) -> tuple[str, int]:
    """Downloads a recording into a file of mode 0600; gives its media type and its size in bytes.

    Raises:
        FetchError: it did not work; ``Refused`` when another try would not help.
        OSError: the file cannot be written.
    """
    try:
        with anyio.fail_after(limits.max_seconds):
            return await _follow(url, target, limits)
    except TimeoutError:
        raise FetchError(f"it took longer than {limits.max_seconds:g} s") from None
    except httpx.HTTPError as error:
        raise FetchError(f"the connection failed: {type(error).__name__}") from None


async def _follow(url: str, target: Path, limits: Limits) -> tuple[str, int]:
    for _ in range(_REDIRECTS + 1):
        async with _get(url, limits) as response:
            if response.status_code not in _REDIRECT_STATUSES:
                return await _save(response, target, limits)
            location = response.headers.get("location", "")
        url = str(httpx.URL(url).join(location))
    raise Refused(f"it redirects more than {_REDIRECTS} times")


@asynccontextmanager
async def _get(url: str, limits: Limits) -> AsyncIterator[httpx.Response]:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        raise Refused("it is no address") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise Refused("it is neither an http nor an https address")
    port = address.port or (443 if address.scheme == "https" else 80)
    places = await _resolve(address.host, port, allow_private=limits.allow_private)
    timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    async with httpx.AsyncClient(trust_env=False, timeout=timeout) as client:
        response = await _connect(client, address, places)
        try:
            yield response
        finally:
            await response.aclose()


async def _connect(
    client: httpx.AsyncClient, address: httpx.URL, places: list[str]
) -> httpx.Response:
    for number, place in enumerate(places, start=1):
        request = client.build_request(
            "GET",
            address.copy_with(host=place),
            headers={"Host": address.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            # The certificate is checked against the name, although an address is connected to.
            extensions={"sni_hostname": address.raw_host.decode("ascii")},
        )
        try:
            return await client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if number == len(places):
                raise
    raise FetchError("its name has no address")


async def _resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    try:
        found = await _lookup(host.strip("[]"), port)
    except (OSError, UnicodeError):
        raise FetchError("its name has no address") from None
    # A scope (fe80::1%eth0) is for this host's own networks.
    every = [ipaddress.ip_address(place.partition("%")[0]) for place in dict.fromkeys(found)]
    judged = [str(place) for place in every if allow_private or _public(place)]
    if every and not judged:
        raise Refused(PRIVATE)
    return judged


async def _lookup(host: str, port: int) -> list[str]:
    """All addresses of a name, asked for in a thread that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found or [])
        else:
            answer.set_exception(error)

    def ask() -> None:
        found, error = None, None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = [str(row[4][0]) for row in rows]
        except (OSError, UnicodeError) as why:
            error = why
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=ask, name="recording-lookup", daemon=True).start()
    return await answer


def _public(place: _Address) -> bool:
    if isinstance(place, ipaddress.IPv6Address):
        if place in _NAT64:
            return _public(ipaddress.IPv4Address(int(place) & 0xFFFFFFFF))
        within = place.ipv4_mapped or place.sixtofour
        if within is not None:
            return _public(within)
    return place.is_global and not place.is_multicast and not place.is_reserved


async def _save(response: httpx.Response, target: Path, limits: Limits) -> tuple[str, int]:
    if response.status_code != 200:
        raise FetchError(f"it answered {response.status_code}")
    declared = response.headers.get("content-length", "")
    too_large = Refused(f"it is larger than {limits.max_bytes} bytes")
    if declared.isdecimal() and int(declared) > limits.max_bytes:
        raise too_large
    size, content_type = 0, None
    await anyio.Path(target).touch(mode=0o600)
    async with await anyio.open_file(target, "wb") as file:
        # A whole block, not what one packet held: the first shows what the file is.
        async for chunk in response.aiter_bytes(_BLOCK):
            content_type = content_type or _media_type(response, chunk)
            size += len(chunk)
            if size > limits.max_bytes:
                raise too_large
            await file.write(chunk)
    if content_type is None:
        raise FetchError("it is empty")
    return content_type, size


def _media_type(response: httpx.Response, start: bytes) -> str:
    declared = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared.startswith(("audio/", "video/")) and declared.isascii():
        return str(declared)
    found = _container(start) if declared in _UNKNOWN_TYPES else None
    if found is None:
        raise Refused(f"it is {declared or 'of no known type'}, not audio or video")
    return found


def _container(start: bytes) -> str | None:
    """The media type that the first bytes of a file show."""
    if start[:4] in (b"RIFF", b"RF64") and start[8:12] == b"WAVE":
        return "audio/wav"
    if start[4:8] == b"ftyp":
        return "audio/mp4" if start[8:11] == b"M4A" else "video/mp4"
    if start[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
        return "audio/mpeg"
    if start[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "audio/aac"
    marks = {
        b"OggS": "audio/ogg",
        b"fLaC": "audio/flac",
        b"ID3": "audio/mpeg",
        b"\x1aE\xdf\xa3": "video/webm",
        b".snd": "audio/basic",
        b"#!AMR": "audio/amr",
    }
    return next((kind for mark, kind in marks.items() if start.startswith(mark)), None)
