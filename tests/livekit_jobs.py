"""Runs jobs of ``tests/livekit/short_worker.py``, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["drain", "run_job", "run_jobs"]

WORKER = Path(__file__).with_name("livekit") / "short_worker.py"


def _environment(url: str, key: str, outbox: Path) -> dict[str, str]:
    known = {"ZELTO_API_KEY": key, "ZELTO_BASE_URL": url, "ZELTO_OUTBOX": str(outbox)}
    return os.environ | known


def run_job(kind: str, url: str, key: str, outbox: Path, **more: str) -> dict[str, Any]:
    """Play a job of this kind to its end; when it was over, and with which exit code."""
    ended: dict[str, Any] = json.loads(_work([kind], url, key, outbox, **more).splitlines()[-1])
    return ended


def run_jobs(kinds: Sequence[str], url: str, key: str, outbox: Path) -> None:
    """Play jobs of these kinds beside each other, in one worker, to their ends."""
    _work(kinds, url, key, outbox)


def _work(kinds: Sequence[str], url: str, key: str, outbox: Path, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, str(WORKER), *kinds],
        env=_environment(url, key, outbox) | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def drain(url: str, key: str, outbox: Path, **more: str) -> None:
    """Deliver what a job left, from another process."""
    command = [sys.executable, "-m", "zelto_agents.cli", "drain"]
    environment = _environment(url, key, outbox) | more
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
