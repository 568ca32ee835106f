"""``zelto-agents drain``: deliver what waits in the outbox, once."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zelto_agents._drain import Tally
    from zelto_agents.settings import Settings

__all__ = ["register"]

_EPILOG = """
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
    """Deliver what is due, and tell what still waits."""
    import logging

    import anyio

    from zelto_agents.outbox import OutboxError
    from zelto_agents.settings import Settings

    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    settings = Settings.load()
    for problem in settings.problems:
        raise _failure(problem)
    if settings.api_key is None:
        raise _failure("ZELTO_API_KEY is not set: without a key nothing can be sent")
    try:
        tally, waiting, elsewhere = anyio.run(_drain, settings)
    except OutboxError as error:
        raise _failure(str(error)) from None
    counts = asdict(tally) | {"waiting": waiting, "elsewhere": sum(elsewhere.values())}
    typer.echo(
        json.dumps(counts) if as_json else ", ".join(f"{n} {name}" for name, n in counts.items())
    )
    for base_url, number in elsewhere.items():
        typer.echo(f"{number} wait for {base_url}, which is not ZELTO_BASE_URL here", err=True)
    if waiting or elsewhere:
        raise typer.Exit(1)


async def _drain(settings: Settings) -> tuple[Tally, int, Counter[str]]:
    from zelto_agents._drain import Drainer
    from zelto_agents.outbox.sqlite import SqliteOutbox

    outbox = SqliteOutbox(settings.outbox, max_bytes=settings.outbox_max_bytes)
    drainer = Drainer(outbox, settings)
    base_url = settings.base_url or ""
    try:
        outbox.readdress(base_url, now=time.time())
        await drainer.sweep()
        outbox.maintain(now=time.time(), retain=settings.retain, max_age=settings.max_age)
        waiting = Counter(d.base_url for d in outbox.deliveries() if d.state in ("due", "held"))
    finally:
        await drainer.aclose()
        outbox.close()
    here = waiting.pop(base_url, 0)
    return drainer.tally, here, waiting


def _failure(text: str) -> typer.Exit:
    typer.echo(f"zelto-agents drain: {text}", err=True)
    return typer.Exit(1)
