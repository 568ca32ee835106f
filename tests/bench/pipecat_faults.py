"""The fault table of ``bench.faults``, where every call is a bot of Pipecat's.

``held_s`` is the longest from the end of a pipeline, which ends the call, to that of its process;
what Pipecat and asyncio do in between is a part of it.

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
