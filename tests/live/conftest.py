"""A LiveKit server and a receiver for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live.server import LiveServer, missing
from zelto_agents.receiver import RunningReceiver, run_in_thread


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = LiveServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def live_receiver() -> Iterator[RunningReceiver]:
    with run_in_thread() as running:
        yield running
