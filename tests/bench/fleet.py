"""A fleet on one host: 50 live processes, and 10,000 documents of 5 KB that wait for them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from faults.fleet import drain_by_fleet

__all__ = ["main"]


def main() -> None:
    """Print how long it took, and what was sent twice.

    Raises:
        SystemExit: a document was not sent exactly once.
    """
    with tempfile.TemporaryDirectory(prefix="zelto-fleet-") as folder:
        drained = drain_by_fleet(Path(folder), processes=50, documents=10_000, size=5_000)
    print(json.dumps({"benchmark": "fleet", **asdict(drained)}), flush=True)
    if drained.missing or drained.sent_twice:
        raise SystemExit("not every document was sent exactly once")


if __name__ == "__main__":
    main()
