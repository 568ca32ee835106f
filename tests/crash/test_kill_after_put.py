"""A process that is killed right after ``put`` returned has lost nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from zelto_agents.outbox import Gatekeeper
from zelto_agents.outbox.sqlite import SqliteOutbox

KILLS = 100
CHILD = """
import os, signal, sys
from pathlib import Path
from zelto_agents.outbox import Put
from zelto_agents.outbox.sqlite import SqliteOutbox
outbox = SqliteOutbox(Path(sys.argv[1]))
for name in sys.stdin:
    if os.fork() == 0:
        # A connection of its own, as every process has; a fork that is killed within the put
        # of another could prove nothing.
        outbox = SqliteOutbox(Path(sys.argv[1]))
        outbox.put(Put("https://x", name.strip(), b"{}" + b" " * 50_000), now=1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL
"""


def test_a_hundred_kills_right_after_put_lose_nothing(tmp_path: Path):
    folder = tmp_path / "outbox"
    names = [f"call-{number}" for number in range(KILLS)]
    subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)],
        input="\n".join(names),
        text=True,
        check=True,
        timeout=120,
    )
    outbox = SqliteOutbox(folder)
    claims = outbox.claim(
        "https://x", now=2.0, lease=60, limit=KILLS + 1, gatekeeper=Gatekeeper("k")
    )
    assert sorted(claim.external_id for claim in claims) == sorted(names)
    assert {len(claim.document) for claim in claims} == {50_002}
    assert outbox._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    outbox.close()
