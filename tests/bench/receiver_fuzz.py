"""A hundred thousand bodies of every kind of wrong, against a receiver in a process of its own.

No 500, no hang, every body in the raw log byte by byte, and memory that stays flat.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from receiver_fuzz import bodies, fire

CLI = str(Path(sys.executable).with_name("zelto-agents"))
COUNT = int(os.environ.get("FUZZ_BODIES", "100000"))
SEED = 20261125
PARTS = 10
# Memory may grow so much (MiB) after the first tenth: caches, and the allocator's fragments.
GROWTH = 48


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def lost(db: str) -> int:
    """How many bodies the raw log does not hold as they were sent."""
    with contextlib.closing(sqlite3.connect(db)) as connection:
        kept = (row[0] for row in connection.execute("SELECT body FROM raw ORDER BY id"))
        pairs = itertools.zip_longest((body for _, body in bodies(SEED, COUNT)), kept)
        return sum(sent != found for sent, found in pairs)


def main() -> None:
    wrong: list[str] = []
    statuses: dict[int, int] = {}
    memory: list[float] = []
    before = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        db = f"{folder}/fuzz.db"
        command = [CLI, "receiver", "--port", "0", "--json", "--db", db]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            start = json.loads(process.stdout.readline())
            port = int(start["url"].rsplit(":", 1)[1])
            batch = bodies(SEED, COUNT)
            for _ in range(PARTS):
                sent = fire(port, start["key"], itertools.islice(batch, COUNT // PARTS))
                wrong += sent.wrong
                for status, count in sent.statuses.items():
                    statuses[status] = statuses.get(status, 0) + count
                memory.append(resident(process.pid))
            seconds = time.perf_counter() - before
            process.terminate()
            code = process.wait(60)
        missing = lost(db)
    growth = max(memory[1:]) - memory[0]
    figures = {
        "bodies": sum(statuses.values()),
        "statuses": statuses,
        "wrong": len(wrong),
        "lost": missing,
        "seconds": round(seconds, 1),
        "memory_mib": [round(each, 1) for each in memory],
        "exit_code": code,
    }
    print(json.dumps({"benchmark": "receiver_fuzz", **figures}), flush=True)
    for each in wrong[:20]:
        print(each, file=sys.stderr)
    if wrong or missing or code or growth > GROWTH:
        sys.exit("the receiver did not stand it")
