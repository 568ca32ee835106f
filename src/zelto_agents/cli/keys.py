"""``zelto-agents keys``: mint, list and revoke the keys of a local receiver."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from zelto_agents.cli._start import failure
from zelto_agents.cli._words import plain

__all__ = ["register"]

_DB = Annotated[Path, typer.Option(help="The receiver's database; it may be running.")]
_CODES = "Exit codes: 0 done, 1 the database cannot be used{more}, 2 wrong usage."

_MINT = f"""
{_CODES.format(more="")}

Examples:

  zelto-agents keys mint --db zelto.db --name laptop

  zelto-agents keys mint --db zelto.db --organisation acme --json
"""
_LIST = f"""
{_CODES.format(more="")}

Examples:

  zelto-agents keys list --db zelto.db

  zelto-agents keys list --db zelto.db --json
"""
_REVOKE = f"""
{_CODES.format(more=" or has no such key")}

Examples:

  zelto-agents keys revoke --db zelto.db 3f2a90c1d4e5

  zelto-agents keys revoke --db zelto.db 3f2a --json
"""
_GROUP = """
Examples:

  zelto-agents keys list --db zelto.db

  zelto-agents keys mint --db zelto.db --organisation acme
"""


def register(app: typer.Typer) -> None:
    """Adds the verbs to the command."""
    keys = typer.Typer(
        name="keys",
        help="Mint, list and revoke the keys of a local receiver, also while it runs.",
        epilog=_GROUP,
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    keys.command("mint", epilog=_MINT)(mint)
    keys.command("list", epilog=_LIST)(listed)
    keys.command("revoke", epilog=_REVOKE)(revoke)
    app.add_typer(keys)


def mint(
    *,
    db: _DB,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    organisation: Annotated[
        str, typer.Option(help="Whose it is: each sees its own conversations only.")
    ] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Mint a key and print it: it is not shown again, only its hash is kept."""
    if not organisation.strip():
        raise typer.BadParameter("must not be empty", param_hint="--organisation")
    with _opened(db, "keys mint", make=True) as connection:
        from zelto_agents.receiver import keys

        key = keys.mint(connection, _now(), name=name, organisation=organisation)
        key_id = keys.digest(key)[: keys.ID_LENGTH]
    if as_json:
        made = {"id": key_id, "name": name, "organisation": organisation, "key": key}
        typer.echo(json.dumps(made))
    else:
        typer.echo(f"export ZELTO_API_KEY={key}")
        typer.echo(f"Its id is {key_id}; it is not shown again.", err=True)


def listed(
    *,
    db: _DB,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List all keys, oldest first, with when each was used last (to the minute)."""
    with _opened(db, "keys list") as connection:
        from zelto_agents.receiver import keys

        found = keys.listed(connection)
    if as_json:
        typer.echo(json.dumps({"keys": found}))
    elif found:
        _print_table(found)
    else:
        typer.echo("no keys; zelto-agents keys mint makes one")


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the start of it.")],
    *,
    db: _DB,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Revoke a key: a running receiver refuses it within a second."""
    with _opened(db, "keys revoke") as connection:
        from zelto_agents.receiver import keys

        if not keys.revoke(connection, key_id, _now()):
            raise failure("keys revoke", f"no one key that is in use has the id {plain(key_id)}")
    typer.echo(json.dumps({"revoked": key_id}) if as_json else f"revoked {plain(key_id)}")


@contextlib.contextmanager
def _opened(db: Path, verb: str, *, make: bool = False) -> Iterator[sqlite3.Connection]:
    try:
        from zelto_agents.receiver.schema import connect

        if not make and not db.exists():
            raise failure(verb, f"there is no file {db}")
        with contextlib.closing(connect(db)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise failure(verb, f"{db} cannot be used as its database: {error}") from None
    except OSError as error:
        raise failure(verb, f"--db {db}: {error.strerror}") from None
    except ModuleNotFoundError as error:
        raise failure(verb, str(error)) from None


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "NAME", "ORGANISATION", "CREATED", "LAST USED", "STATE"):
        table.add_column(heading)
    for key in found:
        table.add_row(
            key["id"],
            plain(key["name"]),
            plain(key["organisation"]),
            _moment(key["createdAt"]),
            _moment(key["lastUsedAt"]),
            "in use" if key["revokedAt"] is None else f"revoked {_moment(key['revokedAt'])}",
            style=None if key["revokedAt"] is None else "dim",
        )
    # A pipe has no edge at which to wrap.
    console = Console(width=None if sys.stdout.isatty() else 10_000, markup=False, highlight=False)
    console.print(table)


def _moment(at: str | None) -> str:
    return "never" if at is None else f"{at[:10]} {at[11:16]}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
