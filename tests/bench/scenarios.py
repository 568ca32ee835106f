"""The scenarios of one framework, a row each: turns, how far their times are off, what is wrong.

python -m bench.scenarios livekit|pipecat [PART_OF_A_NAME [SIDE_BY_SIDE]]
(with PYTHONPATH=tests:examples/worker); so many side by side are played in real time.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import virtual_time  # noqa: F401 - before the frameworks

ROOT = Path(__file__).parents[2]
PACKAGES = {"livekit": "livekit-agents", "pipecat": "pipecat-ai"}

__all__ = ["main"]


def main(framework: str, only: str = "", at_once: str = "0") -> None:
    """Print the table.

    Raises:
        SystemExit: a document is not the truth.
    """
    sys.path.insert(0, str(ROOT / "examples" / "worker"))
    scenarios = importlib.import_module(f"{framework}_scenarios")
    from truth import compare, play
    from zelto_agents.receiver import run_in_thread

    wanted = {name: scenario for name, scenario in scenarios.SCENARIOS.items() if only in name}
    package = PACKAGES[framework]
    print(f"{package} {version(package)}, {len(wanted)} scenarios\n")
    print(f"{'scenario':30} {'turns':>5} {'off by':>8} {'bytes':>6}  verdict")
    wrong = 0
    with run_in_thread() as receiver, tempfile.TemporaryDirectory() as folder:
        for scene in play(scenarios.Stage, wanted, receiver, Path(folder), at_once=int(at_once)):
            if scene.unsupported:
                print(f"{scene.name:30} {'':22}  not in this version: {scene.unsupported}")
                continue
            verdict = compare(scene)
            wrong += bool(verdict.faults)
            told = "; ".join(verdict.faults) or "whole"
            size = len(str(scene.document))
            print(
                f"{scene.name:30} {verdict.turns:5} {verdict.worst:6.3f} s {size:6}  {told}",
                flush=True,
            )
    if wrong:
        raise SystemExit(f"{wrong} of {len(wanted)} are not the truth")


if __name__ == "__main__":
    main(*sys.argv[1:])
