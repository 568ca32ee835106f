"""``zelto-agents outbox retry``: dead letters, and whatever else is named, are sent again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from zelto_agents.cli._start import failure, load_settings, opened
from zelto_agents.cli._words import plain

if TYPE_CHECKING:
    from zelto_agents.outbox._engine import Engine

__all__ = ["register"]

_EPILOG = """
Nothing is sent by this command: a running agent, or zelto-agents drain, sends what is due.

Exit codes: 0 all that was asked for is due now, 1 something is not (or it did not work), 2 wrong
usage.

Examples:

  zelto-agents outbox retry conv-42

  zelto-agents outbox retry --all-dead && zelto-agents drain
"""
_SENT_BY = "a running agent sends them, or zelto-agents drain at once"


def register(app: typer.Typer) -> None:
    """Adds the verb to ``outbox``."""
    app.command("retry", epilog=_EPILOG)(retry)


def retry(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="External ids of calls.")
    ] = None,
    *,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead letter.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make dead letters due again; or calls that are named, whether waiting or sent."""
    if not ids and not all_dead:
        raise typer.BadParameter("name external ids, or give --all-dead")
    with opened(load_settings(), "outbox retry") as engine:
        due, not_due = 0, {}
        if all_dead:
            due += engine.retry_dead(now=time.time())
        for external_id in ids or []:
            changed = engine.retry(external_id, now=time.time())
            due += changed
            if not changed:
                not_due[external_id] = _why_not(engine, external_id)
    if as_json:
        typer.echo(json.dumps({"due": due, "not_due": not_due}))
    else:
        typer.echo(f"{due} due now; {_SENT_BY}" if due else "nothing became due")
    for external_id, why in not_due.items():
        failure("outbox retry", f"{plain(external_id)}: {why}")
    if not_due:
        raise typer.Exit(1)


def _why_not(engine: Engine, external_id: str) -> str:
    states = {d.state for d in engine.deliveries() if d.external_id == external_id}
    if not states:
        return "no such delivery is kept here"
    if "held" in states:
        return "it is held: set ZELTO_AGENT_ID and drain"
    if states <= {"live"}:
        return "the call is going on"
    if states <= {"awaited", "live"} or not states & {"due", "dead", "sent"}:
        return "only an enrichment is here, its call is not"
    return "it is being sent, or has no document"
