"""Real sessions on a virtual clock, played once for all the tests of this folder."""

from __future__ import annotations

import pytest

from livekit_scenarios import SCENARIOS, Stage
from truth import Played, play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played[Stage]:
    """Every scenario, by name."""
    scenes = play(Stage, SCENARIOS, tmp_path_factory.mktemp("livekit"))
    return Played((scene.name, scene) for scene in scenes)
