"""Plain HTTP to an ingest API, without outbox and retries: what it answers is what is seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zelto_agents.contract import UPLOAD_PATH
from zelto_agents.settings import is_loopback
from zelto_agents.uploader import user_agent

if TYPE_CHECKING:
    import httpx

__all__ = ["answer_json", "open_client", "post"]

TIMEOUT = 20.0


def open_client(base_url: str, key: str | None, *, timeout: float = TIMEOUT) -> httpx.Client:
    """A client of this base URL that sends the key with each request.

    Redirects are not followed and TLS is verified, because either would give the key away.
    Proxies of the environment hold, except towards this machine.

    Args:
        base_url: without a trailing slash.
        key: the organisation's key; None sends none.
        timeout: seconds for each step of a request.
    """
    import httpx

    headers = {"User-Agent": user_agent()}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return httpx.Client(
        base_url=base_url,
        headers=headers,
        timeout=timeout,
        follow_redirects=False,
        trust_env=not is_loopback(base_url),
        verify=base_url.startswith("https:"),  # to read the certificates takes a while
    )


def post(client: httpx.Client, body: bytes, provider: str | None) -> httpx.Response:
    """One upload.

    Args:
        client: where to.
        body: as it goes over the wire.
        provider: the ``X-Zelto-Provider``; None sends none.

    Raises:
        httpx.TransportError: no answer.
    """
    headers = {"Content-Type": "application/json"}
    if provider is not None:
        headers["X-Zelto-Provider"] = provider
    return client.post(UPLOAD_PATH, content=body, headers=headers)


def answer_json(answer: httpx.Response) -> Any:
    """The answer's JSON; its text where it is none."""
    try:
        return json.loads(answer.text)
    except ValueError:
        return answer.text
