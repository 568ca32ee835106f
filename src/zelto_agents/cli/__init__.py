"""The command ``zelto-agents``: one file per verb, which parses, calls and prints.

Exit codes: 0 done, 1 it did not work (one line on stderr says why), 2 wrong usage.
"""

from __future__ import annotations

import typer

from zelto_agents.cli import drain, receiver

__all__ = ["app", "main"]

app = typer.Typer(
    name="zelto-agents",
    help="Push finished conversations to Zelto, and try it all without an account.",
    epilog="Examples:\n\n  zelto-agents receiver\n\n  zelto-agents receiver --help",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Keeps verbs as verbs even while there is only one of them."""


# A verb is a module with ``register(app)``.
for _verb in (drain, receiver):
    _verb.register(app)


def main() -> None:
    """The entry point of the command."""
    app()
