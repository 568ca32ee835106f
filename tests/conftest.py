"""What all tests share: a receiver, and settings of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from zelto_agents.receiver import RunningReceiver, run_in_thread
from zelto_agents.settings import Settings


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    with run_in_thread() as running:
        yield running


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sends to a real account, or writes to the user's own outbox."""
    for name in [name for name in os.environ if name.startswith("ZELTO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def settings(receiver: RunningReceiver, tmp_path: Path) -> Settings:
    """Settings that point at the receiver, with an outbox of the test's own."""
    assert receiver.key is not None
    return Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "outbox"
    )
