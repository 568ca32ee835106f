"""Every way in which a pipeline can end, told apart."""

from __future__ import annotations

import pytest

from pipecat_scenarios import Stage
from pipecat_scenarios.endings import ENDINGS
from truth import Played, compare

WORDED_BY_PIPECAT = ("fatal_error", "unusable_cancel")  # names the processor
WORDS = ("endFrame", "endReason", "disconnect")


@pytest.mark.parametrize("name", ENDINGS)
def test_the_document_says_how_the_call_ended(ended: Played[Stage], name: str):
    document, expected = ended[name].document, ENDINGS[name]
    raw = {word: document["metadata"].get("pipecat", {}).get(word, "") for word in WORDS}
    found = {"reason": document["call"].get("endedReason"), **raw}
    if name in WORDED_BY_PIPECAT:
        found.pop("endReason")
    if found.get("endReason") == "" and expected.raw.get("endReason") == "runner exiting":
        found["endReason"] = "runner exiting"  # older versions do not say that
    wanted = {word: expected.raw.get(word, "") for word in WORDS if word in found}
    assert found == {"reason": expected.reason, **wanted}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_call_ends_when_it_was_over_and_not_when_the_pipeline_was(
    ended: Played[Stage], name: str
):
    seconds = ended[name].document["call"]["durationSeconds"]
    assert seconds == pytest.approx(ENDINGS[name].at, abs=0.15)


@pytest.mark.parametrize("name", ENDINGS)
def test_all_turns_are_there_however_it_ended(ended: Played[Stage], name: str):
    assert compare(ended[name]).faults == []


@pytest.mark.parametrize("name", ENDINGS)
def test_the_call_is_sent_once_however_it_ended(ended: Played[Stage], name: str):
    assert len(ended[name].bodies) == 1
