"""Many live processes of one host, and one outbox full of what others left."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from faults.calls import Job, run_until
from faults.counter import CountingServer, counting_server
from faults.judge import until
from faults.processes import finish, start
from zelto_agents.outbox import Put
from zelto_agents.outbox.sqlite import SqliteOutbox

__all__ = ["Drained", "document_of", "drain_by_fleet", "fill"]

PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Drained:
    """How the draining went; ``sent_twice`` counts the requests beyond one a document."""

    processes: int
    documents: int
    missing: int
    sent_twice: int
    seconds: float


def document_of(external_id: str, size: int) -> bytes:
    """A document of about so many bytes that the receiver would accept."""
    document = {
        "call": {"externalId": external_id},
        "agent": {"externalId": "proof"},
        "transcript": {"turns": [{"role": "user", "content": "word " * (size // 5)}]},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def fill(folder: Path, base_url: str, names: list[str], size: int) -> None:
    """Put so many documents, all of them due."""
    outbox = SqliteOutbox(folder)
    for name in names:
        outbox.put(Put(base_url, name, document_of(name, size)), now=time.time())
    outbox.close()


def drain_by_fleet(folder: Path, *, processes: int, documents: int, size: int) -> Drained:
    """Start so many processes with a live call each, and wait until nothing waits any more."""
    names = [f"waiting-{number}" for number in range(documents)]
    stop = folder / "stop"
    with counting_server() as server:
        job = Job(server.url, "zk_fleet", str(folder / "outbox"), notes="")
        fill(Path(job.outbox), server.url, names, size)
        before = time.monotonic()
        fleet = [start(run_until, job, f"live-{n}", str(stop)) for n in range(processes)]
        until(lambda: _drained(server, documents), PATIENCE, every=0.25)
        seconds = time.monotonic() - before
        stop.touch()
        ended = {finish(process) for process in fleet}
        counts = server.counts("waiting-")
    assert ended == {0}, f"processes of the fleet ended with {ended}"
    return Drained(
        processes=processes,
        documents=documents,
        missing=documents - len(counts),
        sent_twice=sum(counts.values()) - len(counts),
        seconds=round(seconds, 2),
    )


def _drained(server: CountingServer, documents: int) -> bool:
    return len(server.counts("waiting-")) >= documents
