"""``zelto-agents drain``: deliver what waits in the outbox, once."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zelto_agents._trouble import Tally
    from zelto_agents.outbox import Delivery
    from zelto_agents.settings import Settings

__all__ = ["register"]

_EPILOG = """
Waiting calls are tried at once, however long their next attempt is off. The counts: attempts that
were sent, retried later, held (the key) or dead (refused for good); calls still waiting here, and
elsewhere (for another base URL).

Exit codes: 0 nothing waits any more, 1 something does (or it did not work), 2 wrong usage.

Examples:

  zelto-agents drain

  ZELTO_OUTBOX=/var/lib/zelto zelto-agents drain --json
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("drain", epilog=_EPILOG)(drain)


def drain(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line at the end.")
    ] = False,
) -> None:
    """Deliver what waits, and tell what is left and why."""
    import logging

    import anyio

    from zelto_agents.outbox import OutboxError
    from zelto_agents.settings import Settings

    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    settings = Settings.load()
    for problem in settings.problems:
        typer.echo(problem, err=True)
    if settings.api_key is None or settings.base_url is None:
        raise _failure("nothing can be sent without a usable ZELTO_API_KEY and ZELTO_BASE_URL")
    try:
        tally, left = anyio.run(_drain, settings)
    except OutboxError as error:
        raise _failure(str(error)) from None
    here = [d for d in left if d.base_url == settings.base_url and d.state != "dead"]
    elsewhere = [d for d in left if d.base_url != settings.base_url and d.state != "dead"]
    counts = asdict(tally) | {"waiting": len(here), "elsewhere": len(elsewhere)}
    typer.echo(
        json.dumps(counts) if as_json else ", ".join(f"{n} {name}" for name, n in counts.items())
    )
    for line, number in Counter(_why(d, settings) for d in left).items():
        typer.echo(f"{number} x {line}", err=True)
    if here or elsewhere:
        raise typer.Exit(1)


async def _drain(settings: Settings) -> tuple[Tally, list[Delivery]]:
    from zelto_agents._drain import Drainer
    from zelto_agents.outbox.sqlite import SqliteOutbox

    outbox = SqliteOutbox(settings.outbox, max_bytes=settings.outbox_max_bytes)
    drainer = Drainer(outbox, settings)
    base_url = settings.base_url or ""
    try:
        outbox.readdress(base_url, now=time.time())
        outbox.hurry(base_url, now=time.time())
        await drainer.sweep()
        outbox.maintain(now=time.time(), retain=settings.retain, max_age=settings.max_age)
        left = [d for d in outbox.deliveries() if d.state in ("due", "held", "dead")]
    finally:
        await drainer.aclose()
        outbox.close()
    return drainer.tally, left


def _why(delivery: Delivery, settings: Settings) -> str:
    """What keeps a delivery, in the words of the one who can change it."""
    if delivery.state == "dead":
        return f"dead letter {delivery.external_id}: status {delivery.status}, {delivery.details}"
    if delivery.base_url != settings.base_url:
        return f"waits for {delivery.base_url}: drain with ZELTO_BASE_URL={delivery.base_url}"
    if delivery.state == "held" and delivery.status in (401, 403):
        return f"held: the key was refused (status {delivery.status}): check ZELTO_API_KEY"
    if delivery.state == "held":
        return "held: no agent is named: set ZELTO_AGENT_ID"
    return f"due again later: {delivery.details or 'not tried yet'}"


def _failure(text: str) -> typer.Exit:
    typer.echo(f"zelto-agents drain: {text}", err=True)
    return typer.Exit(1)
