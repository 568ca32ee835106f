"""``zelto-agents outbox list``: what the outbox holds, what is wrong first."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zelto_agents.cli._start import all_pending, load_settings, nothing_there, opened, spare
from zelto_agents.cli._words import Words, plain, size, span, totals
from zelto_agents.cli.outbox._states import StateName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from zelto_agents.outbox import Delivery, Pending
    from zelto_agents.settings import Settings

__all__ = ["register"]

ROWS = 20
NARROW = 110
# Letters of an id in the table; --json has it whole.
ID_SHOWN = 64
# What needs somebody comes first.
_ORDER = ("dead", "held", "awaited", "due", "live", "sent", "skipped")
_STYLES = {"dead": "red", "held": "yellow", "awaited": "yellow", "sent": "dim", "skipped": "dim"}

_EPILOG = """
States: live (the call is going on), due (waits to be sent), held (waits for a key or an agent),
dead (refused for good), sent (kept for enrichments), awaited (an enrichment without its call),
skipped (the agent's filter does not want it). Recordings that are looked for have a table of their
own: waiting, or failed and why.

Exit codes: 0 listed, 1 the outbox cannot be used, 2 wrong usage.

Examples:

  zelto-agents outbox list

  zelto-agents outbox list --state dead --state held --json
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to ``outbox``."""
    app.command("list", epilog=_EPILOG)(listed)


def listed(
    *,
    state: Annotated[
        list[StateName] | None, typer.Option(help="Only these; may be given several times.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help=f"So many rows, 0 for all.  [default: {ROWS}; all with --json]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List deliveries and live calls: what needs somebody first, then the newest."""
    settings, now = load_settings(), time.time()
    with opened(settings, "outbox list") as engine:
        words = Words(engine, settings, now)
        stats, found = engine.stats(), engine.deliveries()
        chosen = sorted(
            (d for d in found if not state or d.state in state),
            key=lambda d: (_ORDER.index(d.state), -d.updated_at),
        )
        shown = chosen[: (limit if limit is not None else 0 if as_json else ROWS) or None]
        figures = totals(stats, now)
        gates = words.closed_gates(d.base_url for d in found)
        rows = [asdict(d) | {"why": words.why(d)} for d in shown]
        recordings = [p for p in all_pending(engine, settings) if p.state != "found"]
        if as_json:
            awaited = {"recordings": [asdict(p) for p in recordings]}
            typer.echo(json.dumps({"deliveries": rows, **awaited, **figures, "gates": gates}))
            return
        for table in (_table(shown, words), _recordings(recordings, now)):
            _print_table(table)
    if len(shown) < len(chosen):
        typer.echo(f"{len(chosen) - len(shown)} more: --limit 0 shows all")
    _print_totals(figures, gates, settings)


def _console() -> Console:
    from rich.console import Console

    # A pipe has no edge at which to wrap.
    return Console(width=None if sys.stdout.isatty() else 10_000)


def _print_table(table: Table) -> None:
    if table.row_count:
        _console().print(table)


def _recordings(pending: list[Pending], now: float) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("recording of", "from", "state", "tries", "age", "next try", "why"):
        table.add_column(name, overflow="fold")
    for one in pending:
        table.add_row(
            Text(plain(one.external_id, ID_SHOWN)),
            one.kind,
            Text(one.state, style="red" if one.state == "failed" else "yellow"),
            str(one.attempts),
            span(now - one.created_at),
            _again(one.due_at, now) if one.state == "waiting" else "",
            Text(plain(one.details, 240)),
        )
    return table


def _table(deliveries: list[Delivery], words: Words) -> Table:
    from rich.table import Table
    from rich.text import Text

    narrow = _console().width < NARROW
    table = Table(box=None, pad_edge=False)
    table.add_column("external id", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("rev", "tries", "age", "next try", *(() if narrow else ("size", "status"))):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in deliveries:
        status = "" if one.status is None else str(one.status)
        table.add_row(
            Text(plain(one.external_id, ID_SHOWN)),
            Text(one.state, style=_STYLES.get(one.state, "")),
            str(one.revision),
            str(one.attempts),
            span(words.now - one.created_at),
            _next_try(one, words.now),
            *(() if narrow else (size(one.size), status)),
            Text(plain(words.why(one), 120)),
        )
    return table


def _next_try(one: Delivery, now: float) -> str:
    return _again(one.due_at, now) if one.state == "due" else ""


def _again(due_at: float, now: float) -> str:
    return f"in {span(due_at - now)}" if due_at > now else "now"


def _print_totals(figures: dict[str, Any], gates: list[dict[str, Any]], settings: Settings) -> None:
    counts = ", ".join(f"{number} {name}" for name, number in figures["counts"].items() if number)
    line = [counts or "nothing is kept here", f"{figures['attempts']} attempts"]
    line.append(size(figures["bytes"]))
    if figures["oldest_waiting_s"] is not None:
        line.append(f"the oldest waits for {span(figures['oldest_waiting_s'])}")
    typer.echo("; ".join(line))
    if nothing_there(settings):
        typer.echo(f"there is no outbox in {settings.outbox} yet", err=True)
    for gate in gates:
        typer.echo(f"closed: {gate['why']}")
    if folder := spare(settings):
        typer.echo(
            f"{folder} kept calls while the database was away; "
            "an agent on this host, or drain, moves them"
        )
