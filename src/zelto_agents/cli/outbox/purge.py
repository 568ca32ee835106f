"""``zelto-agents outbox purge``: delete what is not wanted any more."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zelto_agents.cli._start import failure, load_settings, opened
from zelto_agents.cli._words import duration, plain
from zelto_agents.cli.outbox._states import StateName

if TYPE_CHECKING:
    from zelto_agents.outbox import Delivery

__all__ = ["register"]

_EPILOG = """
What is deleted here and was not sent is lost. All of IDs, --state and --older-than that are given
have to hold. Live calls, and what is being sent at this moment, are left alone.

Exit codes: 0 deleted, 1 something that was named is still there or was not found (or it was not
confirmed), 2 wrong usage.

Examples:

  zelto-agents outbox purge --state sent

  zelto-agents outbox purge --state dead --older-than 7d --yes
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to ``outbox``."""
    app.command("purge", epilog=_EPILOG)(purge)


def purge(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="External ids of calls.")
    ] = None,
    *,
    state: Annotated[
        list[StateName] | None, typer.Option(help="Only these; may be given several times.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="Last changed so long ago: 90s, 12h, 7d.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete deliveries; asks first, unless all of them were sent."""
    if not ids and not state and older_than is None:
        raise typer.BadParameter("name external ids, or give --state or --older-than")
    age = _age(older_than)
    with opened(load_settings(), "outbox purge") as engine:
        now = time.time()
        chosen = [
            d
            for d in engine.deliveries()
            if d.state != "live"
            and (not ids or d.external_id in ids)
            and (not state or d.state in state)
            and d.updated_at <= now - age
        ]
        if not yes:
            _confirm(chosen)
        deleted = engine.drop_seen(chosen, now=time.time()) if chosen else 0
    _tell(deleted, len(chosen) - deleted, ids or [], chosen, as_json=as_json)


def _tell(
    deleted: int, left: int, ids: Sequence[str], chosen: Sequence[Delivery], *, as_json: bool
) -> None:
    missing = sorted(set(ids) - {d.external_id for d in chosen})
    if as_json:
        typer.echo(json.dumps({"deleted": deleted, "left": left, "not_found": missing}))
    else:
        typer.echo(f"{deleted} deleted")
    for external_id in missing:
        failure("outbox purge", f"{plain(external_id)}: nothing such is kept here")
    if left:
        failure("outbox purge", f"{left} left alone: being sent, or changed meanwhile")
    if missing or left:
        raise typer.Exit(1)


def _age(text: str | None) -> float:
    try:
        return 0.0 if text is None else duration(text)
    except ValueError as why:
        raise typer.BadParameter(str(why), param_hint="--older-than") from None


def _confirm(chosen: Sequence[Delivery]) -> None:
    """Ask whether what was never sent may go.

    Raises:
        typer.Exit: it may not, or nobody is there to say so.
    """
    counts = Counter(d.state for d in chosen if d.state != "sent")
    if not counts:
        return
    unsent = ", ".join(f"{number} {state}" for state, number in counts.items())
    if not sys.stdin.isatty():
        raise failure("outbox purge", f"{unsent} would be lost: add --yes to delete them")
    if not typer.confirm(f"{unsent} would be lost. Delete?", err=True):
        raise failure("outbox purge", "nothing was deleted")
