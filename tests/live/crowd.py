"""The example's server with a script for each of many callers: ``python crowd.py --port 0``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "worker"))

from demo_scripts import BOT_SCRIPTS
from scripted import CallerLine, Reply, Script

__all__ = ["CROWD"]

CROWD = 50
# All are on the line at once, and speak one after the other: a machine of two cores takes in the
# sound of so many, but not at the same time.
for number in range(CROWD):
    BOT_SCRIPTS[f"caller-{number}"] = Script(
        lines=(CallerLine(3 + number / 4, 3.8 + number / 4, f"My number is {number}."),),
        replies=(
            Reply(to="greet the caller", text=f"Hello, caller {number}."),
            Reply(to=f"is {number}.", text=f"Thank you, number {number}."),
        ),
        hang_up=25.0,
    )

if __name__ == "__main__":
    import server

    server.main()
