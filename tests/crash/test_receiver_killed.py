"""A receiver that is killed under load has lost nothing that it acknowledged."""

from __future__ import annotations

from pathlib import Path

from faults.receivers import SENDERS, kill_receivers


def test_ten_kills_under_load_lose_no_acknowledged_body(tmp_path: Path):
    found = kill_receivers(tmp_path, kills=10, seed=20261125)
    assert (found.kills, found.integrity) == (10, "ok")
    assert len(found.acknowledged) >= 10 * SENDERS
    assert found.not_in_the_raw_log == set()
    assert found.no_conversation == set()
