"""``kill -9`` of the receiver's process under load, again and again: no acknowledged body is lost."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from faults.receivers import kill_receivers

KILLS = int(os.environ.get("KILLS", "300"))


def main() -> None:
    before = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = kill_receivers(Path(folder), kills=KILLS, seed=20261125)
    figures = {
        "kills": found.kills,
        "acknowledged": len(found.acknowledged),
        "lost": len(found.not_in_the_raw_log),
        "without_conversation": len(found.no_conversation),
        "integrity": found.integrity,
        "seconds": round(time.perf_counter() - before, 1),
    }
    print(json.dumps({"benchmark": "receiver_kill", **figures}), flush=True)
    if found.not_in_the_raw_log or found.no_conversation or found.integrity != "ok":
        sys.exit("something that was acknowledged is lost")
