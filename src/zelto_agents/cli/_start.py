"""How a verb begins and fails: the settings, with their problems said, and the outbox, opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from zelto_agents.outbox import Pending
    from zelto_agents.outbox._engine import Engine
    from zelto_agents.settings import Settings

__all__ = ["all_pending", "failure", "load_settings", "nothing_there", "opened", "spare"]


def failure(verb: str, text: str) -> typer.Exit:
    """Say in one line what did not work; the exit to raise."""
    typer.echo(f"zelto-agents {verb}: {text}", err=True)
    return typer.Exit(1)


def load_settings() -> Settings:
    """The settings of the environment; what is wrong with them is said."""
    from zelto_agents.settings import Settings

    settings = Settings.load()
    for problem in settings.problems:
        typer.echo(problem, err=True)
    return settings


def nothing_there(settings: Settings) -> bool:
    """Whether there is no outbox yet where the settings say; to look must not make one."""
    from zelto_agents.outbox._files import FILE_NAME

    folder = settings.outbox
    with contextlib.suppress(OSError):
        return settings.postgres is None and not (folder / FILE_NAME).exists()
    return False  # it cannot be looked at: opening it says why


def spare(settings: Settings) -> Path | None:
    """The folder that kept calls while the database was away, if one did."""
    from zelto_agents.outbox._files import FILE_NAME

    with contextlib.suppress(OSError):
        if settings.postgres is not None and (settings.outbox / FILE_NAME).exists():
            return settings.outbox
    return None


@contextlib.contextmanager
def opened(settings: Settings, verb: str, *, make: bool = False) -> Iterator[Engine]:
    """The outbox of these settings; an empty one, in memory, where there is none.

    Args:
        settings: where it is.
        verb: whose failure it is when it cannot be used.
        make: whether to make one where there is none.

    Raises:
        typer.Exit: it cannot be used; said on stderr.
    """
    from zelto_agents._open import open_engine
    from zelto_agents.outbox import OutboxError
    from zelto_agents.outbox.sqlite import SqliteOutbox

    try:
        if nothing_there(settings) and not make:
            engine: Engine = SqliteOutbox(None)
        else:
            engine = open_engine(settings)
        with contextlib.closing(engine):
            yield engine
    except OutboxError as fault:
        raise failure(verb, str(fault)) from None


def all_pending(engine: Engine, settings: Settings) -> list[Pending]:
    """What is awaited there, and of files of this host, which its own folder knows of."""
    from zelto_agents.outbox import OutboxError
    from zelto_agents.outbox.sqlite import SqliteOutbox

    found, folder = engine.pending(), spare(settings)
    if folder is not None:
        with contextlib.suppress(OutboxError), contextlib.closing(SqliteOutbox(folder)) as here:
            found += here.pending()
    return found
