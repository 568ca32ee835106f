"""``zelto-agents doctor``: whether calls would be kept and sent from here, and what to mend."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zelto_agents.cli._checks import Finding

__all__ = ["register"]

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "bad": ("✗", "red")}

_EPILOG = """
It writes into the outbox, takes it back, and asks the base URL for one agent with the key. It
never prints the key; the mark tells two keys apart.

Exit codes: 0 all is well, 1 something is to be mended (✗; a warning, !, is no reason), 2 wrong
usage.

Examples:

  zelto-agents doctor

  ZELTO_BASE_URL=http://127.0.0.1:8787 zelto-agents doctor --json
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("doctor", epilog=_EPILOG)(doctor)


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the settings, the outbox, the base URL, the key and the clock."""
    from zelto_agents.cli import _checks
    from zelto_agents.settings import Settings

    settings = Settings.load()
    checks = chain(
        _checks.check_settings(settings),
        _checks.check_recordings(settings),
        _checks.check_outbox(settings),
        _checks.check_api(settings),
    )
    known = {"settings": _checks.values(settings), "versions": _checks.versions()}
    if as_json:
        findings = list(checks)
        ok = all(finding.state != "bad" for finding in findings)
        found = [finding._asdict() for finding in findings]
        typer.echo(json.dumps({"ok": ok, "checks": found, **known}))
    else:
        ok = _print(known, checks)
    if not ok:
        raise typer.Exit(1)


def _print(known: dict[str, Any], checks: chain[Finding]) -> bool:
    """Each finding as soon as it is known; whether all is well."""
    for one in known["settings"]:
        typer.echo(f"  {one['name']:<23} {one['value']}  ({one['source']})")
    typer.echo(f"  {', '.join(f'{name} {number}' for name, number in known['versions'].items())}")
    typer.echo()
    ok = True
    for finding in checks:
        mark, colour = _MARKS[finding.state]
        typer.echo(f"{typer.style(mark, fg=colour)} {finding.name}: {finding.text}")
        if finding.hint:
            typer.echo(f"    {finding.hint}")
        ok = ok and finding.state != "bad"
    return ok
