"""The demo, as a user starts it, ends well only if every call arrived exactly as expected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_delivers_a_voice_call_two_chats_and_an_enrichment_through_an_outage():
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "worker" / "demo.py"), "--once"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sent by the voice agent's process" in done.stdout
    assert done.stdout.count("│ sent ") == 3
    assert "not as expected" not in done.stdout


def test_the_demo_tells_what_is_not_as_expected():
    code = (
        "import demo_checks; "
        "[print(fault) for fault in demo_checks.faults([], recording='', cost=0)]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "examples" / "worker",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0 voice calls and 0 chats, not 1 and 2\n"
