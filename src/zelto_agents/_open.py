"""Which outbox the settings mean: a folder, or a database with the folder as its spare."""

from __future__ import annotations

import logging

from zelto_agents._trouble import Trouble
from zelto_agents.outbox import OutboxError
from zelto_agents.outbox._engine import Engine
from zelto_agents.outbox._files import FILE_NAME
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.outbox.steady import SteadyOutbox, Tier
from zelto_agents.settings import Settings

__all__ = ["open_engine", "open_outbox"]


def open_engine(settings: Settings) -> Engine:
    """The engine that these settings name.

    Raises:
        OutboxError: it cannot be used, and why.
    """
    if settings.postgres is None:
        return SqliteOutbox(settings.outbox, max_bytes=settings.outbox_max_bytes)
    from zelto_agents.outbox.postgres import PostgresOutbox

    url = settings.postgres.get_secret_value()
    return PostgresOutbox(url, max_bytes=settings.outbox_max_bytes)


def open_outbox(settings: Settings, trouble: Trouble) -> SteadyOutbox:
    """The outbox of these settings, which says what an engine refuses and goes on."""
    tiers = [Tier(lambda: open_engine(settings))]
    if settings.postgres is not None:
        folder, size = settings.outbox, settings.outbox_max_bytes
        tiers.append(
            Tier(
                lambda: SqliteOutbox(folder, max_bytes=size),
                left=(folder / FILE_NAME).exists,
            )
        )

    def complain(fault: OutboxError, index: int) -> None:
        if index < len(tiers) - 1:
            text = "%s; until then, calls are kept in the folder %s"
            trouble.say(logging.ERROR, f"outbox {index}", text, fault, settings.outbox)
        else:
            text = "%s; until then, calls are kept in memory, and lost if this process dies"
            trouble.say(logging.ERROR, f"outbox {index}", text, fault)

    return SteadyOutbox(tiers, complain)
