"""``zelto-agents drain``: deliver what waits in the outbox, once or for ever."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zelto_agents.cli import _watching
from zelto_agents.cli._start import all_pending, failure, load_settings, opened, spare
from zelto_agents.cli._words import Words, is_confirming, plain

if TYPE_CHECKING:
    from zelto_agents._trouble import Tally
    from zelto_agents.outbox import Delivery
    from zelto_agents.settings import Settings

__all__ = ["register"]

_EPILOG = """
Waiting calls are tried at once, however long their next attempt is off, and calls of processes
that died are finished. The counts: attempts that were sent, retried later, held (the key) or dead
(refused for good); calls of dead processes that were adopted; calls still waiting here, and
elsewhere (for another base URL); calls that have arrived and are only sent once more to be sure;
recordings that are looked for. Those that are 0 are told with --json alone.

--watch goes on for ever, as a sidecar; SIGTERM or Ctrl-C ends it within 2 seconds. GET /healthz on
--health-port answers 200, or 503 with the reason; --health-file is touched while all is well, and
removed at the end.

Exit codes: 0 nothing waits any more (with --watch: it was stopped), 1 something does (or it did
not work), 2 wrong usage.

Examples:

  zelto-agents drain

  ZELTO_OUTBOX=/var/lib/zelto zelto-agents drain --watch --health-port 8788
"""


_DONE = ("live", "sent", "skipped")


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("drain", epilog=_EPILOG)(drain)


def drain(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until SIGTERM or Ctrl-C.")] = False,
    health_file: Annotated[
        Path | None, typer.Option(help="Touched every few seconds while all is well.")
    ] = None,
    health_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answers /healthz; 0 takes any free port.")
    ] = None,
    health_host: Annotated[
        str, typer.Option(help="Where it listens; 0.0.0.0 for other hosts.")
    ] = "127.0.0.1",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON line at the end; with --watch, at the start."),
    ] = False,
) -> None:
    """Deliver what waits, and tell what is left and why; with --watch, go on for ever."""
    if not watch and (health_file is not None or health_port is not None):
        raise typer.BadParameter("--health-file and --health-port need --watch")
    settings = load_settings()
    if settings.api_key is None or settings.base_url is None:
        raise failure(
            "drain", "nothing can be sent without a usable ZELTO_API_KEY and ZELTO_BASE_URL"
        )
    if watch:
        _watching.run(settings, health_file, health_host, health_port, as_json=as_json)
    else:
        _once(settings, as_json=as_json)


def _once(settings: Settings, *, as_json: bool) -> None:
    import logging

    import anyio

    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    with opened(settings, "drain", make=True) as engine:
        stats = engine.stats()
    with _progress(stats.counts.get("due", 0) + stats.counts.get("held", 0)) as step:
        tally, adopted = anyio.run(_drain, settings, step)
    with opened(settings, "drain", make=True) as engine:
        left = [d for d in engine.deliveries() if d.state not in _DONE]
        left += _left_in_the_spare(settings)
        words = Words(engine, settings, time.time())
        recordings = [p for p in all_pending(engine, settings) if p.state == "waiting"]
        reasons = Counter(_line(d, words) for d in left)
    reasons.update(f"recording: {plain(p.details) or 'not looked for yet'}" for p in recordings)
    waiting = [d for d in left if d.state in ("due", "held") and not is_confirming(d)]
    here = sum(d.base_url == settings.base_url for d in waiting)
    counts = asdict(tally) | {
        "adopted": adopted,
        "waiting": here,
        "elsewhere": len(waiting) - here,
        "confirming": sum(map(is_confirming, left)),
        "recordings": len(recordings),
    }
    typer.echo(
        json.dumps(counts)
        if as_json
        else ", ".join(f"{n} {name}" for name, n in counts.items() if n or name == "sent")
    )
    for line, number in reasons.items():
        typer.echo(f"{number} x {line}", err=True)
    if waiting or recordings:
        raise typer.Exit(1)


async def _drain(settings: Settings, step: Callable[[], None]) -> tuple[Tally, int]:
    from zelto_agents._adopt import adopt
    from zelto_agents._drain import Drainer
    from zelto_agents._enrich import Enricher
    from zelto_agents._open import open_outbox
    from zelto_agents._trouble import Trouble

    trouble = Trouble()
    outbox = open_outbox(settings, trouble)
    drainer = Drainer(outbox, settings, trouble=trouble)
    enricher = Enricher(outbox, settings, trouble)
    base_url = settings.base_url or ""
    try:
        adopted = adopt(outbox, settings, time.time())
        # What strayed to the spare moves home when this is asked.
        outbox.next_due(base_url, gatekeeper=drainer.gatekeeper)
        while outbox.readdress(base_url, now=time.time()):
            pass  # so many at a time
        outbox.hurry(base_url, now=time.time())
        await drainer.sweep(step)
        enricher.hurry()
        if await enricher.look():
            await drainer.sweep(step)
        outbox.maintain(now=time.time(), retain=settings.retain, max_age=settings.max_age)
    finally:
        await drainer.aclose()
        await enricher.aclose()
        outbox.close()
    return drainer.tally, adopted


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal; what it is given is called after each attempt."""
    if not total or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=total)
        yield lambda: bar.advance(task)


def _left_in_the_spare(settings: Settings) -> list[Delivery]:
    """What could not be moved into the database."""
    from zelto_agents.outbox import OutboxError
    from zelto_agents.outbox.sqlite import SqliteOutbox

    folder = spare(settings)
    if folder is None:
        return []
    try:
        with contextlib.closing(SqliteOutbox(folder)) as engine:
            return [d for d in engine.deliveries() if d.state not in _DONE]
    except OutboxError as fault:
        raise failure("drain", str(fault)) from None


def _line(delivery: Delivery, words: Words) -> str:
    why = words.why(delivery)
    if delivery.state == "dead":
        return f"dead letter {plain(delivery.external_id)}: {why}"
    if delivery.state == "due":
        return why if "ZELTO_BASE_URL" in why else f"due again later: {why}"
    return f"{delivery.state}: {why}"
