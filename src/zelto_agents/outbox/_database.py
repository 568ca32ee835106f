"""What the statements run on: one transaction of either engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Cursor", "Database", "Values"]

Values = Mapping[str, Any]


class Cursor(Protocol):
    """The part of a database cursor that is used."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows."""
        ...


class Database(Protocol):
    """A transaction in which statements with ``:name`` values run.

    ``lock`` and ``skip`` follow a SELECT of deliveries named ``d``, to keep the rows for this
    transaction: waiting for others, or leaving theirs out. SQLite has one writer and needs neither.
    """

    lock: str
    skip: str

    def execute(self, statement: str, values: Values = ...) -> Cursor:
        """Run one statement."""
        ...

    def many(self, statement: str, values: Sequence[Values]) -> None:
        """Run one statement for each of the values."""
        ...
