"""The fault table of ``bench.faults``, where every call is a bot of Pipecat's.

``held_s`` is the longest from a caller's hang-up to the end of the process that answered, Pipecat's
own way of ending included.

python -m bench.pipecat_faults [PART_OF_A_SCENARIO]   (with PYTHONPATH=tests)
"""

from __future__ import annotations

import sys

from bench import faults
from faults.bots import PIPECAT
from faults.rows import Scale

__all__ = ["main"]


def main(only: str = "", scale: Scale | None = None) -> None:
    """Print the rows as they come.

    Raises:
        SystemExit: a cell is not what it has to be, and which.
    """
    faults.main(only, scale, PIPECAT)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
