"""``zelto-agents outbox retry``: what is dead, named or misdirected is sent again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from zelto_agents.cli._start import failure, load_settings, opened
from zelto_agents.cli._words import plain, waits_for

if TYPE_CHECKING:
    from zelto_agents.outbox._engine import Engine
    from zelto_agents.settings import Settings

__all__ = ["register"]

_EPILOG = """
Nothing is sent by this command: a running agent, or zelto-agents drain, sends what is due.

Exit codes: 0 all that was asked for is due now, 1 something is not (or it did not work), 2 wrong
usage.

Examples:

  zelto-agents outbox retry --all-dead && zelto-agents drain

  zelto-agents outbox retry --from http://127.0.0.1:8788
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
    from_url: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Calls that wait for this base URL, which was a mistake, go to yours instead.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make dead letters due again; or calls that are named, whether waiting or sent."""
    if from_url:
        if ids or all_dead:
            raise typer.BadParameter("--from goes alone")
        _redirect(from_url, as_json=as_json)
        return
    if not ids and not all_dead:
        raise typer.BadParameter("name external ids, or give --all-dead or --from")
    settings = load_settings()
    with opened(settings, "outbox retry") as engine:
        due, not_due = 0, {}
        if all_dead:
            due += engine.retry_dead(now=time.time())
        for external_id in ids or []:
            changed = engine.retry(external_id, now=time.time())
            due += changed
            if not changed:
                not_due[external_id] = _why_not(engine, external_id)
        elsewhere = _elsewhere(engine, ids or [], settings)
    if as_json:
        typer.echo(json.dumps({"due": due, "not_due": not_due, "elsewhere": elsewhere}))
    else:
        typer.echo(f"{due} due now; {_SENT_BY}" if due else "nothing became due")
    for external_id, base_url in elsewhere.items():
        typer.echo(f"{plain(external_id)} {waits_for(base_url)}", err=True)
    for name, why in not_due.items():
        failure("outbox retry", f"{plain(name)}: {why}")
    if not_due:
        raise typer.Exit(1)


def _redirect(text: str, *, as_json: bool) -> None:
    from zelto_agents.settings import Settings

    settings = load_settings()
    # Whatever could once be set as ZELTO_BASE_URL can be named here.
    source = Settings.load({}, base_url=text, allow_http=True).base_url
    if source is None:
        raise typer.BadParameter(f"{plain(text)} is no base URL")
    base_url = settings.base_url
    if base_url is None or settings.api_key is None:
        why = "set ZELTO_API_KEY and ZELTO_BASE_URL to where they are to go"
        raise failure("outbox retry", why)
    if source == base_url:
        raise failure("outbox retry", f"{source} is where your calls go")
    moved = 0
    with opened(settings, "outbox retry") as engine:
        while more := engine.redirect(source, base_url, now=time.time()):
            moved += more
    if as_json:
        typer.echo(json.dumps({"moved": moved, "to": base_url}))
    else:
        typer.echo(f"{moved} go to {base_url} now; {_SENT_BY}" if moved else "nothing was moved")
    if not moved:
        raise failure("outbox retry", f"nothing waits for {source}, or it is being sent just now")


def _elsewhere(engine: Engine, ids: list[str], settings: Settings) -> dict[str, str]:
    """Of these, those that are due for another base URL, with that."""
    mine = ("", settings.base_url)
    return {
        one.external_id: one.base_url
        for one in (engine.deliveries() if ids else ())
        if one.external_id in ids and one.state == "due" and one.base_url not in mine
    }


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
