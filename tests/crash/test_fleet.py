"""Live processes share what waits: everything is sent, and nothing twice while nobody dies."""

from __future__ import annotations

from pathlib import Path

from faults.fleet import drain_by_fleet


def test_eight_processes_send_each_waiting_document_once(tmp_path: Path):
    drained = drain_by_fleet(tmp_path, processes=8, documents=500, size=5_000)
    assert (drained.missing, drained.sent_twice) == (0, 0)
