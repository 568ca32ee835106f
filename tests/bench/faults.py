"""The fault table: one JSON line a scenario, 20 calls each, every call a process of its own.

``delivered`` counts the calls that are at the receiver in the end, ``whole`` those whose
conversation is the truth, word for word. ``duplicates`` counts accepted deliveries whose body had
been accepted before, byte for byte: the same revision of the same call once more. ``held_s`` is
the longest that a job's shutdown was held, from ``call.end()`` to after ``close()``, measured in
the job's process; 0 where SIGKILL left nobody to shut down.

python -m bench.faults [PART_OF_A_SCENARIO]   (with PYTHONPATH=tests)
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from faults.calls import PLAIN, Callers
from faults.rows import Scale
from faults.table import HEALTHY, play

__all__ = ["main"]

BUDGET = 2.0
HEALTHY_HELD = 0.3
# What a busy machine of two cores may add to a time before it is the product's.
ALLOWANCE = 0.3


def faults_of(row: dict[str, Any]) -> list[str]:
    """What is wrong with a row, if anything is."""
    limit = HEALTHY_HELD if row["scenario"] == HEALTHY else BUDGET + ALLOWANCE
    wrong = [
        f"{row['scenario']}: {row[name]} of {row['expected']} {name}"
        for name in ("delivered", "whole")
        if row[name] != row["expected"]
    ]
    if row["held_s"] > limit:
        wrong.append(f"{row['scenario']}: a shutdown was held for {row['held_s']} s")
    return wrong


def main(only: str = "", scale: Scale | None = None, callers: Callers = PLAIN) -> None:
    """Print the rows as they come.

    Raises:
        SystemExit: a cell is not what it has to be, and which.
    """
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="zelto-faults-") as folder:
        for row in play(Path(folder), scale or Scale(), only, callers):
            print(json.dumps(row), flush=True)
            wrong += faults_of(row)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
