"""What the tests of the outbox share: one store of either engine, and short words for its verbs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zelto_agents.outbox import Claim, Delivery, Gatekeeper, Outbox, Outcome, Put
from zelto_agents.outbox.postgres import PostgresOutbox
from zelto_agents.outbox.sqlite import SqliteOutbox

BASE = "https://api.example"
KEY = Gatekeeper(key_mark="k1")
OTHER_KEY = Gatekeeper(key_mark="k2")
NOW = 1000.0
LEASE = 60.0
SENT = Outcome("sent", status=201)

OpenOutbox = Callable[..., Outbox]
"""Opens the test's store once more, as another process would."""


def open_store(place: str, **options: Any) -> Outbox:
    """The outbox at a URL or in a folder."""
    if place.startswith("postgresql://"):
        return PostgresOutbox(place, **options)
    return SqliteOutbox(Path(place), **options)


def document(external_id: str = "a", text: str = "1") -> bytes:
    """A small document of a call."""
    return json.dumps({"call": {"externalId": external_id}, "text": text}).encode()


def a_put(external_id: str = "a", text: str = "1", **more: Any) -> Put:
    """What ``put`` and ``adopt`` are given."""
    return Put(
        **{"base_url": BASE, **more}, external_id=external_id, document=document(external_id, text)
    )


def put(
    outbox: Outbox, external_id: str = "a", text: str = "1", *, now: float = NOW, **more: Any
) -> int:
    """Put one document; its revision."""
    return outbox.put(a_put(external_id, text, **more), now=now)


def claim(
    outbox: Outbox,
    now: float = NOW,
    *,
    gatekeeper: Gatekeeper = KEY,
    lease: float = LEASE,
    **more: Any,
) -> list[Claim]:
    """Claim what is due."""
    return outbox.claim(**{"base_url": BASE, **more}, now=now, lease=lease, gatekeeper=gatekeeper)


def settle(outbox: Outbox, one: Claim, outcome: Outcome = SENT, *, now: float = NOW) -> bool:
    """End one claim."""
    (noted,) = outbox.settle([(one, outcome)], now=now)
    return noted


def send(outbox: Outbox, now: float = NOW, **more: Any) -> list[str]:
    """Claim what is due, and acknowledge it; the texts."""
    claims = claim(outbox, now, **{"limit": 99, **more})
    assert outbox.settle([(one, SENT) for one in claims], now=now) == [True] * len(claims)
    return texts(claims)


def failed(due_at: float = NOW, **more: Any) -> Outcome:
    """A failure that says nothing of the base URL."""
    return Outcome("due", due_at=due_at, **{"status": 503, "details": "busy", **more})


def outage(due_at: float = NOW, **more: Any) -> Outcome:
    """A failure that says that the base URL is down."""
    return failed(due_at, away="outage", **more)


def texts(claims: list[Claim]) -> list[str]:
    """What the claimed documents say."""
    return [json.loads(one.body())["text"] for one in claims]


def only(outbox: Outbox) -> Delivery:
    """The one delivery that there is."""
    (delivery,) = outbox.deliveries()
    return delivery


def states(outbox: Outbox) -> dict[str, str]:
    """What state each call is in."""
    return {one.external_id: one.state for one in outbox.deliveries()}
