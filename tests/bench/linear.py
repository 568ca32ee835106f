"""That cost grows linearly: seconds for each document and each turn, however many there are."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from faults.fleet import document_of
from zelto_agents import Settings, Zelto
from zelto_agents.facts import AgentKnown, CallEnded, CallStarted, Fact, TurnSaid
from zelto_agents.fold import fold
from zelto_agents.outbox import Gatekeeper, Outcome, Put
from zelto_agents.outbox.sqlite import SqliteOutbox

__all__ = ["main"]

BASE = "http://127.0.0.1:9"
DOCUMENTS = (10, 100, 1_000, 10_000)
TURNS = (10, 100, 1_000, 5_000)
WORDS = "How is the weather today? " * 5


def _micro(seconds: float, number: int) -> float:
    return round(seconds / number * 1e6, 1)


def _documents(number: int, folder: Path) -> dict[str, Any]:
    """Put so many, then claim and acknowledge them as a sweep does."""
    outbox = SqliteOutbox(folder / "outbox")
    puts = [Put(BASE, f"c{n}", document_of(f"c{n}", 5_000)) for n in range(number)]
    before = time.perf_counter()
    for put in puts:
        outbox.put(put, now=1.0)
    putting = time.perf_counter() - before
    key, left = Gatekeeper("k"), number
    before = time.perf_counter()
    while left:
        claims = outbox.claim(BASE, now=2.0, lease=60.0, limit=8, gatekeeper=key)
        outbox.settle([(claim, Outcome("sent", status=200)) for claim in claims], now=2.0)
        left -= len(claims)
    settling = time.perf_counter() - before
    outbox.close()
    return {
        "documents": number,
        "put_us": _micro(putting, number),
        "claim_and_settle_us": _micro(settling, number),
    }


def _facts(number: int) -> list[Fact]:
    turns: list[Fact] = [
        TurnSaid(at=2.0 * n, seq=n + 2, id=str(n), role="user", text=WORDS, start=2.0 * n)
        for n in range(number)
    ]
    return [
        CallStarted(at=0.0, seq=0, external_id="long"),
        AgentKnown(at=0.0, seq=1, external_id="proof"),
        *turns,
        CallEnded(at=2.0 * number, seq=number + 2),
    ]


def _hand_over(number: int, folder: Path) -> float:
    settings = Settings.load(
        {}, api_key="zk_bench", base_url=BASE, outbox=folder / "handed", shutdown_budget=0.5
    )
    with Zelto(settings=settings) as zelto:
        call = zelto.call("long", agent_id="proof")
        before = time.perf_counter()
        for turn in range(number):
            call.turn("user", WORDS, start=turn, end=turn + 1)
        return time.perf_counter() - before


def _journal(number: int, outbox: SqliteOutbox) -> float:
    facts: list[bytes] = []
    before = time.perf_counter()
    for n in range(number):
        facts.append(f"{n} {WORDS}".encode())
        outbox.journal("j", BASE, "long", facts, now=1.0)
    return time.perf_counter() - before


def _turns(number: int, folder: Path) -> dict[str, Any]:
    """One call of so many turns: handed over, journalled turn by turn, folded and put."""
    outbox, facts = SqliteOutbox(folder / "outbox"), _facts(number)
    journalling = _journal(number, outbox)
    before = time.perf_counter()
    outbox.put(Put(BASE, "long", fold(facts).wire(), journal="j"), now=1.0)
    folding = time.perf_counter() - before
    outbox.close()
    return {
        "turns": number,
        "hand_over_us": _micro(_hand_over(number, folder), number),
        "journal_us": _micro(journalling, number),
        "fold_and_put_us": _micro(folding, number),
    }


def main() -> None:
    """Print microseconds for each document and each turn, row by row."""
    for measure, sizes in ((_documents, DOCUMENTS), (_turns, TURNS)):
        for number in sizes:
            with tempfile.TemporaryDirectory(prefix="zelto-linear-") as folder:
                print(
                    json.dumps({"benchmark": "linear", **measure(number, Path(folder))}), flush=True
                )


if __name__ == "__main__":
    main()
