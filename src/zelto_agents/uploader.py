"""One attempt over HTTP. All use of httpx is here, and is imported in the delivery thread only."""

from __future__ import annotations

import functools
import os
import platform
import socket
import ssl
import sys
from collections.abc import Mapping
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, cast

import anyio
from pydantic import SecretStr

from zelto_agents.contract import UPLOAD_PATH
from zelto_agents.policy import Answer
from zelto_agents.settings import is_loopback

if TYPE_CHECKING:
    import httpx

__all__ = ["Uploader", "import_httpx", "user_agent"]

CONNECT_TIMEOUT = 5.0
TOTAL_TIMEOUT = 20.0
ANSWER_READ = 64 * 1024
DETAILS_KEPT = 2048


def user_agent(hosts: Mapping[str, str] | None = None) -> str:
    """The ``User-Agent``: our version, Python's, and those of the frameworks that host us."""
    parts = {"zelto-agents": version("zelto-agents"), "python": platform.python_version()}
    return " ".join(f"{name}/{number}" for name, number in {**parts, **(hosts or {})}.items())


def import_httpx() -> ModuleType:
    """Httpx without its command line, which would bring rich and pygments: 6 MB in every job.

    It provides for that itself, where the packages of the command line are not installed.

    Any number of threads may be at it, the host's own imports among them; each step is atomic and
    harmless when another thread has done it already.
    """
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", cast("ModuleType", None))
    try:
        import httpx  # waits for a thread that is still importing it
    finally:
        if sys.modules.get("httpx._main", sys) is None:  # and not the real one, of another thread
            sys.modules.pop("httpx._main", None)
    return httpx


def _named(fault: Exception) -> str:
    """A fault's type, and what the system says of one on the way to the connection.

    Texts of others may quote what was sent.
    """
    name = type(fault).__name__
    cause: BaseException | None = fault if name == "ConnectError" else None
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):  # one for each address of the host
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.errno:
            has_words = isinstance(cause, socket.gaierror | ssl.SSLError)
            return f"{name}: {cause.strerror if has_words else os.strerror(cause.errno)}"
        cause = cause.__cause__ or cause.__context__
    return name


class Uploader:
    """Sends bodies to one base URL with one key; belongs to the event loop that made it.

    TLS is verified and redirects are not followed, because either would give the key away.
    Proxies and ``SSL_CERT_FILE`` of the environment hold, except towards this machine.

    Args:
        base_url: without a trailing slash.
        key: the organisation's key; it is in no log, repr or exception of ours.
        agent: the ``User-Agent``.
        transport: another way to the network than the real one.
    """

    def __init__(
        self,
        base_url: str,
        key: SecretStr,
        *,
        agent: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        httpx = import_httpx()
        self._unsent = (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        )
        self._key = key
        self._url = base_url + UPLOAD_PATH
        context = httpx.create_ssl_context()  # read and parsed once, for all
        self._new_lane = functools.partial(
            httpx.AsyncClient,
            verify=context,
            timeout=httpx.Timeout(TOTAL_TIMEOUT, connect=CONNECT_TIMEOUT),
            follow_redirects=False,
            trust_env=not is_loopback(base_url),
            headers={"User-Agent": agent, "Content-Type": "application/json"},
            transport=transport,
        )
        # A client for each request under way: httpx looks through a client's connections several
        # times for each request, and asks the system about each idle one.
        self._lanes = [self._new_lane()]

    async def send(self, body: bytes, provider: str) -> Answer:
        """One request; a fault of the network is an answer too, nothing is raised."""
        headers = {
            "Authorization": f"Bearer {self._key.get_secret_value()}",
            "X-Zelto-Provider": provider,
        }
        lane = self._lanes.pop() if self._lanes else self._new_lane()
        try:
            with anyio.fail_after(TOTAL_TIMEOUT):
                async with lane.stream(
                    "POST", self._url, content=body, headers=headers
                ) as response:
                    text = await self._start_of(response)
                    return Answer(response.status_code, text, response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer(fault="no answer in time")
        except Exception as fault:  # noqa: BLE001 - whatever the network does is an answer
            return Answer(fault=_named(fault), unsent=isinstance(fault, self._unsent))
        finally:
            self._lanes.append(lane)

    async def _start_of(self, response: httpx.Response) -> str:
        read = b""
        async for chunk in response.aiter_bytes():
            read += chunk
            if len(read) >= ANSWER_READ:
                break
        return read[:DETAILS_KEPT].decode("utf-8", "replace")

    async def aclose(self) -> None:
        """Close the connections."""
        while self._lanes:
            await self._lanes.pop().aclose()
