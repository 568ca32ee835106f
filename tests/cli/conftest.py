"""What the tests of the command share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgres_server import PostgresServer


@pytest.fixture
def postgres_place(postgres: PostgresServer) -> Iterator[str]:
    """A database with nothing in it."""
    url = postgres.fresh_database()
    yield url
    postgres.drop(url)
