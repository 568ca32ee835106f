"""The command ``zelto-agents``: one file per verb, which parses, calls and prints.

Exit codes: 0 done, 1 it did not work (one line on stderr says why), 2 wrong usage.
"""

from __future__ import annotations

from typing import Annotated

import typer

from zelto_agents.cli import doctor, drain, enrich, keys, outbox, receiver, send, verify

__all__ = ["app", "main"]

app = typer.Typer(
    name="zelto-agents",
    help="Push finished conversations to Zelto, and try it all without an account.",
    epilog="Examples:\n\n  zelto-agents receiver\n\n  zelto-agents outbox list",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        from zelto_agents import __version__

        typer.echo(f"zelto-agents {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options of the command itself."""


# A verb is a module with ``register(app)``.
for _verb in (drain, enrich, outbox, doctor, receiver, keys, send, verify):
    _verb.register(app)


def main() -> None:
    """The entry point of the command."""
    app()
