"""Waits until what was said in a call is in its journal, where it survives SIGKILL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from pathlib import Path

__all__ = ["on_disk"]

PATIENCE = 20.0
SAID = """
SELECT 1 FROM fact JOIN journal ON journal.id = journal_id
WHERE external_id = ? AND instr(body, CAST(? AS BLOB))
"""


async def on_disk(text: str, external_id: str) -> None:
    """Until the outbox of ``ZELTO_OUTBOX`` holds this text of the call."""
    place = Path(os.environ["ZELTO_OUTBOX"], "outbox.sqlite3")
    deadline = time.monotonic() + PATIENCE
    while not _is_kept(place, text, external_id):
        assert time.monotonic() < deadline, "it is not on disk"
        await asyncio.sleep(0.02)


def _is_kept(place: Path, text: str, external_id: str) -> bool:
    with (
        contextlib.suppress(sqlite3.OperationalError),  # it is being made
        contextlib.closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as database,
    ):
        return database.execute(SAID, (external_id, text)).fetchone() is not None
    return False
