"""Real sessions on a virtual clock, played once for all the tests of this folder."""

from __future__ import annotations

import pytest

from livekit_scenarios import SCENARIOS, Stage, play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """Every scenario, by name."""
    return {stage.name: stage for stage in play(SCENARIOS, tmp_path_factory.mktemp("livekit"))}
