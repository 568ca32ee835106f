"""The storm of signals in full: 1,000 calls that have to survive 300 kills, as one JSON line.

``calls`` counts those that have to survive: ended and flushed, or handed over half a second before
the kill. ``lost`` counts those that did not, or not whole. ``duplicates`` counts accepted
deliveries that brought nothing new, byte for byte. ``too_young`` calls may survive, and are not
counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from faults.storm import rage

__all__ = ["main"]

CALLS = 1_000
KILLS = 300


def main(seed: int = 1) -> None:
    """Print the result.

    Raises:
        SystemExit: calls were lost, and which.
    """
    with tempfile.TemporaryDirectory(prefix="zelto-crash-") as folder:
        result = rage(Path(folder), calls=CALLS, kills=KILLS, seed=seed)
    print(json.dumps({"benchmark": "crash", **result.row()}), flush=True)
    if result.wrong or result.integrity != "ok":
        raise SystemExit("\n".join(result.wrong[:20]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
