"""What all tests share: a receiver, and settings of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtual_time  # noqa: F401 - before anything imports livekit-agents
from outboxes import OpenOutbox, open_store
from postgres_server import APT, PostgresServer, find_binaries
from shelf import Shelf, served
from zelto_agents.outbox import Outbox
from zelto_agents.receiver import RunningReceiver, run_in_thread
from zelto_agents.settings import Settings

pytest_plugins = ["zelto_agents.testing"]


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    with run_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests of a run; each has a database of its own."""
    binaries = find_binaries()
    if binaries is None:
        missing = f"PostgreSQL is not installed: {APT}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    server = PostgresServer(binaries)
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a new outbox may be: in a folder, and then in a database."""
    if request.param == "sqlite":
        yield str(tmp_path / "outbox")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.fresh_database()
    yield url
    server.drop(url)


@pytest.fixture
def open_outbox(store: str) -> Iterator[OpenOutbox]:
    """Opens the test's store once more, as another process would; closed when the test ends."""
    opened: list[Outbox] = []

    def open_one(place: str = store, **options: float) -> Outbox:
        opened.append(open_store(place, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def outbox(open_outbox: OpenOutbox) -> Outbox:
    """The test's store, as its first process sees it."""
    return open_outbox()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sends to a real account, or writes to the user's own outbox."""
    for name in [name for name in os.environ if name.startswith("ZELTO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def deliveries_end_with_their_test() -> Iterator[None]:
    """What is told after a client was closed starts its thread again; the next test is not its."""
    from zelto_agents.testing import deliveries_ended

    with deliveries_ended():
        yield


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A place for recordings."""
    with served(tmp_path / "shelf") as place:
        yield place


@pytest.fixture
def settings(receiver: RunningReceiver, tmp_path: Path) -> Settings:
    """Settings that point at the receiver, with an outbox of the test's own."""
    assert receiver.key is not None
    return Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "outbox"
    )
