"""What it costs to make a 50 KB document durable: alone against bare sqlite3, and in a crowd."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.fleet import document_of
from faults.processes import finish, start
from zelto_agents.outbox import Put
from zelto_agents.outbox.sqlite import SqliteOutbox

__all__ = ["measure"]

BASE = "http://127.0.0.1:9"
PUTS = 400
CROWD = 8
PUTS_OF_ONE = 100


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def p(samples: list[float], share: float) -> float:
    """A percentile, in milliseconds."""
    ordered = sorted(samples)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2)


def _bare(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE document (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB)")
    return db


def _alone(folder: Path) -> tuple[list[float], list[float]]:
    """Ours and a bare insert, one after the other, on the same disk."""
    ours, bare = [], []
    outbox, db = SqliteOutbox(folder / "outbox"), _bare(folder)
    for number in range(PUTS + 20):
        name = f"call-{number}"
        put = Put(BASE, name, document_of(name, 50_000))
        row = (name, put.document)
        ours.append(timed(lambda put=put: outbox.put(put, now=time.time())))  # type: ignore[misc]
        bare.append(
            timed(
                lambda row=row: db.execute(  # type: ignore[misc]
                    "INSERT INTO document (name, body) VALUES (?, ?)", row
                )
            )
        )
    outbox.close()
    db.close()
    return ours[20:], bare[20:]


def put_many(folder: str, name: str, begin: float) -> None:
    """What one process of the crowd does; it writes down how long each put took."""
    outbox = SqliteOutbox(Path(folder) / "outbox")
    puts = [
        Put(BASE, f"{name}-{number}", document_of(f"{name}-{number}", 50_000))
        for number in range(PUTS_OF_ONE)
    ]
    time.sleep(max(0.0, begin - time.time()))  # all of them start at once
    samples = [timed(lambda put=put: outbox.put(put, now=time.time())) for put in puts]  # type: ignore[misc]
    outbox.close()
    (Path(folder) / f"{name}.samples").write_text("\n".join(map(str, samples)))


def _crowd(folder: Path) -> tuple[list[float], int]:
    """How long each put took among eight processes, and how many were lost."""
    SqliteOutbox(folder / "outbox").close()
    begin = time.time() + 1.5
    crowd = [start(put_many, str(folder), f"crowd{n}", begin) for n in range(CROWD)]
    assert {finish(process, 120) for process in crowd} == {0}
    samples = [
        float(line) for path in folder.glob("*.samples") for line in path.read_text().split()
    ]
    outbox = SqliteOutbox(folder / "outbox")
    kept = len(outbox.deliveries())
    outbox.close()
    return samples, CROWD * PUTS_OF_ONE - kept


def measure() -> dict[str, Any]:
    """A 50 KB document made durable, against a bare insert with the same sync; then 8 at once."""
    with tempfile.TemporaryDirectory(prefix="zelto-enqueue-") as folder:
        ours, bare = _alone(Path(folder))
    with tempfile.TemporaryDirectory(prefix="zelto-enqueue-") as folder:
        crowd, lost = _crowd(Path(folder))
    return {
        "p50_ms": p(ours, 0.5),
        "bare_p50_ms": p(bare, 0.5),
        "ratio": round(statistics.median(ours) / statistics.median(bare), 2),
        "eight_processes_p50_ms": p(crowd, 0.5),
        "eight_processes_p99_ms": p(crowd, 0.99),
        "lost": lost,
    }
