"""``zelto-agents outbox``: look at what waits, and decide on it."""

from __future__ import annotations

import typer

from zelto_agents.cli.outbox import listing, purge, retry, show

__all__ = ["register"]

_EPILOG = """
Examples:

  zelto-agents outbox list

  ZELTO_OUTBOX=/var/lib/zelto zelto-agents outbox show conv-42
"""


def register(app: typer.Typer) -> None:
    """Adds the verbs to the command."""
    outbox = typer.Typer(
        name="outbox",
        help="Look at what waits in the outbox; send it again, or delete it.",
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for verb in (listing, show, retry, purge):
        verb.register(outbox)
    app.add_typer(outbox)
