"""The fault table of ``make bench NAME=faults``, with fewer calls and shorter outages."""

from __future__ import annotations

from pathlib import Path

from faults.rows import Scale
from faults.table import play


def test_every_call_arrives_whole_whatever_the_receiver_does(tmp_path: Path):
    rows = list(play(tmp_path, Scale(calls=4, time=0.1)))
    assert len(rows) == 13
    incomplete = [
        row for row in rows if not row["delivered"] == row["expected"] == row["whole"] == 4
    ]
    assert incomplete == []
