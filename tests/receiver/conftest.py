from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from zelto_agents.receiver import RunningReceiver, run_in_thread

Body = dict[str, Any]


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    with run_in_thread() as running:
        yield running


@pytest.fixture
def http(receiver: RunningReceiver) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {receiver.key}"}
    with httpx.Client(base_url=receiver.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def send(receiver: RunningReceiver, http: httpx.Client) -> Callable[..., httpx.Response]:
    """Sends a body (a dict, or bytes as they are) and waits until it is ingested."""

    def _send(body: Body | bytes, provider: str | None = None) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if provider is None else {"X-Zelto-Provider": provider}
        answer = http.post("/webhooks/calls", content=content, headers=headers)
        receiver.wait_until_ingested()
        return answer

    return _send


@pytest.fixture
def body() -> Callable[..., Body]:
    """A small valid body; keywords replace its top-level fields, ``call`` is merged in."""

    def _body(external_id: str = "conv-1", *, call: Body | None = None, **fields: Any) -> Body:
        return {
            "call": {"externalId": external_id, **(call or {})},
            "agent": {"externalId": "support"},
            "transcript": {"turns": [{"role": "user", "content": "Hi"}]},
            **fields,
        }

    return _body
