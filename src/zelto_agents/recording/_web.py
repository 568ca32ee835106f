"""HTTP to the services that hold recordings; whatever goes wrong is an answer."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from zelto_agents._frozen import frozen
from zelto_agents.policy import retry_after
from zelto_agents.recording._answers import NotYet, Unresolved
from zelto_agents.settings import is_loopback
from zelto_agents.uploader import import_httpx

if TYPE_CHECKING:
    import httpx

__all__ = ["Service", "Web", "needed", "shortened"]

_TIMEOUT = 20.0
_CONNECT_TIMEOUT = 5.0
_SAID = 200
_QUERY = re.compile(r"\?\S+")
_ours = ContextVar("_ours", default=False)


@frozen
class Service:
    """One service: how a person calls it, where it is, and what it is asked with."""

    name: str
    url: str
    variables: str
    headers: Mapping[str, str]


def needed(environ: Mapping[str, str], service: str, *names: str) -> list[str]:
    """The values of variables without which a service cannot be asked.

    Raises:
        Unresolved: one is not set.
    """
    missing = [name for name in names if not environ.get(name, "").strip()]
    if missing:
        raise Unresolved(NotYet(f"{service} cannot be asked: {' and '.join(missing)} is not set"))
    return [environ[name].strip() for name in names]


class Web:
    """The connections, made when they are first needed; belongs to one event loop."""

    def __init__(self) -> None:
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def ask(
        self, service: Service, path: str, body: Any = None, **params: str | int
    ) -> dict[str, Any] | None:
        """The JSON object that a service answers with; None: it knows of no such thing.

        Raises:
            Unresolved: it does not answer, refuses the credential, or answers something else.
        """
        async with self.stream(service, path, body, **params) as response:
            if response.status_code == 404:
                return None
            await response.aread()
            found = None
            with contextlib.suppress(ValueError):
                found = response.json()
        if not isinstance(found, dict):
            raise Unresolved(NotYet(f"{service.name} did not answer with a JSON object"))
        return found

    @contextlib.asynccontextmanager
    async def stream(
        self, service: Service, path: str, body: Any = None, **params: str | int
    ) -> AsyncIterator[httpx.Response]:
        """A response whose status is 200 or 404, and whose body is not read yet.

        Redirects are followed, without the credential where they lead elsewhere.

        Raises:
            Unresolved: as ``ask`` does.
        """
        httpx = import_httpx()
        client = await self.client(service.url)
        # Only what is asked in words is a POST; all else is the name of a resource.
        method = "GET" if body is None else "POST"
        try:
            request = client.build_request(
                method, service.url + path, json=body, params=params, headers=dict(service.headers)
            )
            with _unlogged():
                response = await client.send(request, stream=True, follow_redirects=True)
            try:
                await _judge(service, response)
                yield response
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            # The type alone: an exception's text may quote an address with a signature.
            why = f"{service.name} gave no answer ({type(fault).__name__})"
            raise Unresolved(NotYet(why)) from None

    async def is_private(self, url: str) -> bool:
        """Whether a URL is refused to somebody without a credential."""
        client = await self.client(url)
        try:
            with _unlogged():
                response = await client.head(url, follow_redirects=True)
        except Exception:  # noqa: BLE001 - then it is for the one who fetches it to find out
            return False
        return response.status_code in (401, 403)

    async def client(self, url: str) -> httpx.AsyncClient:
        """The client for one address; proxies hold, except towards this machine."""
        near = is_loopback(url)
        if near not in self._clients:
            httpx = import_httpx()
            # Certificates are read and parsed: not on the loop that others wait for.
            context = await anyio.to_thread.run_sync(httpx.create_ssl_context)
            timeout = httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
            new = httpx.AsyncClient(verify=context, timeout=timeout, trust_env=not near)
            self._clients.setdefault(near, new)
            logging.getLogger("httpx").addFilter(_is_not_ours)
        return self._clients[near]

    async def aclose(self) -> None:
        """Close the connections."""
        while self._clients:
            await self._clients.popitem()[1].aclose()


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Httpx logs each address whole, and one that a redirect leads to may hold a signature."""
    before = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(before)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _ours.get()


def shortened(text: object) -> str:
    """What a service says of its trouble, on one line and without what may be a signature."""
    return _QUERY.sub("?...", " ".join(str(text or "").split()))[:_SAID]


async def _judge(service: Service, response: httpx.Response) -> None:
    status = response.status_code
    if status in (200, 404):
        return
    if status in (401, 403):
        why = f"{service.name} refuses the credential ({status}): check {service.variables}"
        raise Unresolved(NotYet(why))
    wait = retry_after(response.headers.get("Retry-After"), now=time.time()) or None
    await response.aread()
    said = None
    with contextlib.suppress(ValueError, AttributeError):
        told = response.json()
        said = shortened(told.get("msg") or told.get("message") or told.get("info"))
    raise Unresolved(
        NotYet(f"{service.name} answers {status}" + (f": {said}" if said else ""), wait)
    )
