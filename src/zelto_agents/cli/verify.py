"""``zelto-agents verify``: whether an ingest API keeps the contract, and whether a call landed."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zelto_agents.cli._start import failure
from zelto_agents.cli._words import plain

if TYPE_CHECKING:
    from zelto_agents.verify import Outcome, Target

__all__ = ["register"]

_MARKS = {
    "passes": "[green]✓[/green]",
    "fails": "[red]✗[/red]",
    "differs": "[yellow]≠[/yellow]",
    "skipped": "[dim]-[/dim]",
}
_PATIENCE = {False: 10.0, True: 60.0}

_EPILOG = """
Without --url it starts a receiver of its own and checks that, whatever ZELTO_BASE_URL says. What it
sends to a --url (with ZELTO_API_KEY) are calls named zelto-verify-..., and they stay: nothing is
cleaned up. Another machine is only checked with --real; what the contract merely assumes then
differs (≠) and does not fail.

With --call it only reads: did this conversation land, as what?

Exit codes: 0 no check fails, or the call landed, 1 one fails, or it did not, 2 wrong usage.

Examples:

  zelto-agents verify --url http://127.0.0.1:8787

  zelto-agents verify --call conv-42 --json
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("verify", epilog=_EPILOG)(verify)


def verify(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="The base URL. [default: its own; with --call ZELTO_BASE_URL]"),
    ] = None,
    call: Annotated[
        str | None, typer.Option(metavar="ID", help="Look for the call of this externalId.")
    ] = None,
    real: Annotated[
        bool, typer.Option("--real", help="Check another machine, with conversations that stay.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check an ingest API against the contract, or look whether a call landed."""
    if call is not None:
        landed = _look(url, call)
        typer.echo(json.dumps(landed) if as_json else _told(landed))
        ok = landed["landed"]
    else:
        with _target(url, real=real) as target:
            ok = _check(target, as_json=as_json)
    if not ok:
        raise typer.Exit(1)


@contextlib.contextmanager
def _target(url: str | None, *, real: bool) -> Iterator[Target]:
    """What is to be checked: what the user names, else a receiver of our own."""
    from zelto_agents.settings import is_loopback
    from zelto_agents.verify import Target

    if not url:
        if real:
            raise typer.BadParameter("it needs --url: which machine?", param_hint="--real")
        with _own() as target:
            yield target
        return
    base_url, key = _place(url)
    if not is_loopback(base_url) and not real:
        why = f"{base_url} is another machine: conversations would stay there. --real checks it"
        raise typer.BadParameter(why, param_hint="--url")
    with Target(base_url, key, real=real, patience=_PATIENCE[real]) as target:
        _greet(target)
        yield target


@contextlib.contextmanager
def _own() -> Iterator[Target]:
    from zelto_agents.verify import Target

    try:
        from zelto_agents.receiver import Limits, RunningReceiver
    except ModuleNotFoundError as missing:
        raise failure("verify", str(missing)) from None
    with (
        RunningReceiver(limits=Limits(allow_private=True)) as running,
        Target(
            running.url,
            running.key or "",
            settled=running.wait_until_ingested,
            fetches_private=True,
        ) as target,
    ):
        yield target


def _place(url: str | None) -> tuple[str, str]:
    """Base URL and key, or the exit that says what is missing."""
    from zelto_agents.settings import Settings

    settings = Settings.load(base_url=url)
    for problem in settings.problems:
        if settings.base_url is None or "ZELTO_API_KEY" in problem:
            raise failure("verify", problem.partition("; calls are kept")[0])
    if settings.base_url is None or settings.api_key is None:
        raise failure("verify", "there is no key: set ZELTO_API_KEY (the receiver prints one)")
    return settings.base_url, settings.api_key.get_secret_value()


def _greet(target: Target) -> None:
    """One read, so that what is wrong with the place itself is said once."""
    import httpx

    try:
        status = target.get("/v1/agents", limit=1).status_code
    except httpx.TransportError as fault:
        why = f"{target.base_url} does not answer ({type(fault).__name__}: {fault})"
        raise failure("verify", why) from None
    if status in (401, 403):
        raise failure("verify", f"{target.base_url} refuses the key: check ZELTO_API_KEY")


def _look(url: str | None, external_id: str) -> dict[str, Any]:
    import httpx

    from zelto_agents.verify import Target, landing
    from zelto_agents.verify.checks import Differs

    base_url, key = _place(url)
    with Target(base_url, key) as target:
        _greet(target)
        try:
            found = landing(target, external_id)
        except (Differs, httpx.TransportError, LookupError, TypeError) as fault:
            why = f"{base_url} could not be read: {type(fault).__name__}: {fault}"
            raise failure("verify", plain(why, 500)) from None
    return {"landed": found is not None, "url": base_url, "conversation": found}


def _told(landed: dict[str, Any]) -> str:
    found = landed["conversation"]
    if found is None:
        mark = typer.style("✗", fg="red")
        return (
            f"{mark} it has not landed at {landed['url']}\n"
            "    accepted calls appear within moments; zelto-agents outbox show ID says whether it "
            "was sent,\n    and an agentId that does not exist there is accepted and never appears"
        )
    agent = found["agent"]
    rows = {
        "conversation": found["id"],
        "source": found["source"],
        "agent": f"{agent['name']} ({agent['externalId']}, {agent['id']})",
        "turns": found["turns"],
        "duration": "unknown" if found["durationSeconds"] is None else
        f"{found['durationSeconds']:g} s",
        "ended": found["endedReason"] or "unknown",
        "cost": "unknown" if found["cost"] is None else f"${found['cost']}",
        "recording": found["recordingUrl"] or "none",
        "updated": found["updatedAt"],
    }  # fmt: skip
    lines = [f"{typer.style('✓', fg='green')} it has landed at {landed['url']}"]
    lines += [f"    {name:<13} {plain(str(value), 500)}" for name, value in rows.items()]
    return "\n".join(lines)


def _check(target: Target, *, as_json: bool) -> bool:
    """Runs all checks and prints them; whether none fails."""
    from zelto_agents.verify import run

    if as_json:
        outcomes = list(run(target))
    else:
        from rich.console import Console

        with Console(stderr=True).status("checking") as status:
            outcomes = []
            for outcome in run(target):
                status.update(f"checked {outcome.check.number}")
                outcomes.append(outcome)
    counts: Counter[str] = Counter(outcome.state for outcome in outcomes)
    if as_json:
        typer.echo(json.dumps(_as_json(target, outcomes, counts)))
    else:
        _print(target, outcomes, counts)
    return not counts["fails"]


def _as_json(target: Target, outcomes: list[Outcome], counts: Counter[str]) -> dict[str, Any]:
    return {
        "ok": not counts["fails"],
        "url": target.base_url,
        "counts": {state: counts[state] for state in _MARKS},
        "checks": [
            {
                "number": outcome.check.number,
                "title": outcome.check.title,
                "contract": outcome.check.quote,
                "assumed": outcome.check.assumed,
                "state": outcome.state,
                "text": outcome.text,
            }
            for outcome in outcomes
        ],
    }


def _print(target: Target, outcomes: list[Outcome], counts: Counter[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, ratio in (("", 1), ("", 1), ("check", 10), ("the contract says", 20)):
        table.add_column(name, no_wrap=ratio == 1, overflow="fold")
    for outcome in outcomes:
        one = outcome.check
        says = escape(one.quote) + (" [dim](assumed)[/dim]" if one.assumed else "")
        if outcome.text:
            says += f"\n{escape(plain(outcome.text, 500))}"
        table.add_row(_MARKS[outcome.state], one.number, escape(one.title), says)
    console = Console()
    console.print(table)
    told = ", ".join(f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state])
    console.print(f"{target.base_url}: {told}", highlight=False, soft_wrap=True)


_WORDS = {
    "passes": "as the contract says",
    "fails": "otherwise",
    "differs": "other than assumed",
    "skipped": "not checked",
}
