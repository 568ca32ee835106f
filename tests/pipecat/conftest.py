"""Real pipelines on a virtual clock, played once for all the tests of this folder."""

from __future__ import annotations

import pytest

from pipecat_scenarios import SCENARIOS, Stage
from pipecat_scenarios.endings import ENDINGS
from truth import Played, play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played[Stage]:
    """Every scenario, by name."""
    scenes = play(Stage, SCENARIOS, tmp_path_factory.mktemp("pipecat"))
    return Played((scene.name, scene) for scene in scenes)


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Played[Stage]:
    """Every ending, by name."""
    scenarios = {name: ending.play for name, ending in ENDINGS.items()}
    scenes = play(Stage, scenarios, tmp_path_factory.mktemp("endings"))
    return Played((scene.name, scene) for scene in scenes)
