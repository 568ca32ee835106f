"""Processes killed at random points lose nothing: ``make bench NAME=crash``, scaled down."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.storm import rage


@pytest.mark.exhaustive
def test_a_storm_of_signals_loses_no_call(tmp_path: Path):
    result = rage(tmp_path, calls=200, kills=60, seed=20261123)
    assert result.wrong == []
    assert result.integrity == "ok"
    assert result.calls >= 200
    assert sum(result.kills.values()) >= 60
