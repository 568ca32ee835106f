"""Every turn of every kind of pipeline is in the document once, in order, at its time."""

from __future__ import annotations

import pytest

from pipecat_scenarios import SCENARIOS, Stage
from truth import Played, compare


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_document_is_the_truth(played: Played[Stage], name: str):
    assert compare(played[name]).faults == []


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "again"])
def test_a_call_is_sent_once(played: Played[Stage], name: str):
    assert len(played[name].bodies) == 1


def test_each_pipeline_of_a_processor_is_a_call_of_its_own(played: Played[Stage]):
    calls = {one["externalId"] for one in played["again"].conversations}
    assert calls == {"again", "again-2"}
