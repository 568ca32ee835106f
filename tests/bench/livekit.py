"""The LiveKit scenarios, one row each: turns, how far their times are off, what is wrong.

python -m bench.livekit [PART_OF_A_NAME]   (with PYTHONPATH=tests:examples/worker)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import virtual_time  # noqa: F401 - before livekit-agents

ROOT = Path(__file__).parents[2]

__all__ = ["main"]


def main(only: str = "") -> None:
    """Print the table.

    Raises:
        SystemExit: a document is not the truth.
    """
    sys.path.insert(0, str(ROOT / "examples" / "worker"))
    from livekit.agents import __version__ as version

    from livekit_scenarios import SCENARIOS, compare, play

    wanted = {name: scenario for name, scenario in SCENARIOS.items() if only in name}
    print(f"livekit-agents {version}, {len(wanted)} scenarios\n")
    print(f"{'scenario':30} {'turns':>5} {'off by':>8} {'bytes':>6}  verdict")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for stage in play(wanted, Path(folder)):
            if stage.unsupported:
                print(f"{stage.name:30} {'':22}  not in this version: {stage.unsupported}")
                continue
            verdict = compare(stage)
            wrong += bool(verdict.faults)
            told = "; ".join(verdict.faults) or "whole"
            size = len(str(stage.document))
            print(
                f"{stage.name:30} {verdict.turns:5} {verdict.worst:6.3f} s {size:6}  {told}",
                flush=True,
            )
    if wrong:
        raise SystemExit(f"{wrong} of {len(wanted)} are not the truth")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
