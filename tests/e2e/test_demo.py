"""The demo, as a user starts it, ends well only if every call arrived exactly as expected."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_delivers_two_voice_calls_two_chats_and_enrichments_through_an_outage():
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "worker" / "demo.py"), "--once"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sent by a voice agent's process" in done.stdout
    for kind, count in (("livekit", 1), ("pipecat", 1), ("chat", 2)):
        rows = re.findall(rf"│ {kind} +│.*│ sent ", done.stdout)
        assert len(rows) == count, done.stdout
    assert "not as expected" not in done.stdout
    assert done.stderr == ""


def test_the_demo_tells_what_is_not_as_expected():
    code = "import demo_checks; [print(fault) for fault in demo_checks.faults([], cost=0)]"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "examples" / "worker",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "0 conversations of livekit, not 1",
        "0 conversations of pipecat, not 1",
        "0 conversations of chat, not 2",
    ]
