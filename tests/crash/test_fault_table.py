"""The fault tables of ``make bench``, with fewer calls and shorter outages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faults.bots import PIPECAT
from faults.rows import Scale
from faults.table import play


def incomplete(rows: list[dict[str, Any]], calls: int) -> list[dict[str, Any]]:
    return [row for row in rows if not row["delivered"] == row["expected"] == row["whole"] == calls]


@pytest.mark.exhaustive
def test_every_call_arrives_whole_whatever_the_receiver_does(tmp_path: Path):
    rows = list(play(tmp_path, Scale(calls=4, time=0.1)))
    assert len(rows) == 13
    assert incomplete(rows, 4) == []


@pytest.mark.exhaustive
def test_every_call_of_a_pipecat_bot_arrives_whole_whatever_the_receiver_does(tmp_path: Path):
    rows = list(play(tmp_path, Scale(calls=2, time=0.1), callers=PIPECAT))
    assert len(rows) == 13
    assert incomplete(rows, 2) == []
