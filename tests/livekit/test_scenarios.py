"""Every turn of every kind of session is in the document once, in order, at its time."""

from __future__ import annotations

import pytest

from livekit_scenarios import SCENARIOS, Stage
from truth import Played, compare

# Two hundred turns take half a minute.
NAMES = [
    pytest.param(name, marks=[pytest.mark.exhaustive] if name == "long_call" else [])
    for name in SCENARIOS
]


@pytest.mark.parametrize("name", NAMES)
def test_the_document_is_the_truth(played: Played[Stage], name: str):
    assert compare(played[name]).faults == []


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.values != ("told_after_the_close",)]
)
def test_a_call_is_sent_once_unless_something_becomes_known_later(played: Played[Stage], name: str):
    assert len(played[name].bodies) == 1
