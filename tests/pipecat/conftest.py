"""Real pipelines on a virtual clock, each played once for all the tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipecat_scenarios import SCENARIOS, Stage
from pipecat_scenarios.endings import ENDINGS
from truth import Played
from zelto_agents.receiver import run_in_thread


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played[Stage]]:
    """The scenarios, by name."""
    with run_in_thread() as receiver:
        yield Played(Stage, SCENARIOS, receiver, tmp_path_factory.mktemp("pipecat"))


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played[Stage]]:
    """The endings, by name."""
    scenarios = {name: ending.play for name, ending in ENDINGS.items()}
    with run_in_thread() as receiver:
        yield Played(Stage, scenarios, receiver, tmp_path_factory.mktemp("endings"))
