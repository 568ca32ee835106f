"""Real sessions on a virtual clock, played once for all the tests of this folder."""

from __future__ import annotations

import pytest

from livekit_scenarios import SCENARIOS, Stage, play


class Played(dict[str, Stage]):
    """Stages by name; who asks for one that this version of LiveKit cannot play is skipped."""

    def __getitem__(self, name: str) -> Stage:
        stage = super().__getitem__(name)
        if stage.unsupported:
            pytest.skip(stage.unsupported)
        return stage


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Every scenario, by name."""
    stages = play(SCENARIOS, tmp_path_factory.mktemp("livekit"))
    return Played((stage.name, stage) for stage in stages)
