"""A storm of signals: writers, drainers and the receiver are killed while calls go on."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.calls import Job, environment
from faults.door import reserve
from faults.judge import repeated, until
from faults.processes import command, finish, kill, start, watching
from faults.writers import Account, Plan, read_ledger, write_calls
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver

__all__ = ["Result", "rage"]

WRITERS = 6
CALLS_OF_A_WRITER = 5
SETTLED_WITHIN = 90.0


@dataclass(slots=True)
class Result:
    """What the storm left: ``wrong`` has a line for each call that is not as it has to be."""

    calls: int
    too_young: int
    kills: dict[str, int]
    wrong: list[str]
    duplicates: int
    integrity: str
    seconds: float

    def row(self) -> dict[str, Any]:
        """As it is printed."""
        return {
            "calls": self.calls,
            "too_young": self.too_young,
            "kills": sum(self.kills.values()),
            **{f"kills_{who}": number for who, number in sorted(self.kills.items())},
            "lost": len(self.wrong),
            "duplicates": self.duplicates,
            "integrity": self.integrity,
            "seconds": round(self.seconds, 1),
        }


@dataclass(slots=True)
class _Toll:
    """What all threads of the storm add to."""

    accounts: list[tuple[Account, float | None]] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter[str])
    young: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def strike(self, who: str) -> None:
        with self.lock:
            self.kills[who] += 1

    def book(self, account: Account, killed: float | None) -> None:
        with self.lock:
            self.accounts.append((account, killed))
            self.young += not account.owed(killed)

    def enough(self, calls: int, kills: int) -> bool:
        with self.lock:
            return len(self.accounts) - self.young >= calls and self.kills.total() >= kills


class _Receiver:
    """``zelto-agents receiver`` with a database that outlives it, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "receiver.db"
        self._kept = reserve()
        self.port = self._kept.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None
        self.key = self.start() or ""

    def start(self) -> str | None:
        options = ("--port", str(self.port), "--db", str(self.db), "--json")
        self._process = command("receiver", *options, environment={})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        key = json.loads(line)["key"]
        return None if key is None else str(key)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def close(self) -> None:
        self.kill()
        self._kept.close()


class _Storm:
    def __init__(self, folder: Path, seed: int, calls: int, kills: int) -> None:
        self.folder, self.seed = folder, seed
        self.toll = _Toll()
        self.over = threading.Event()
        self.wanted = (calls, kills)
        self.receiver = _Receiver(folder)
        self.job = Job(
            url=f"http://127.0.0.1:{self.receiver.port}",
            key=self.receiver.key,
            outbox=str(folder / "outbox"),
            notes="",
        )
        self.faults: list[BaseException] = []

    def write(self, thread: int) -> None:
        """Writers one after another; most of them are killed at a random moment."""
        chance = random.Random(f"{self.seed}-writer-{thread}")
        number = 0
        while not self.toll.enough(*self.wanted):
            number += 1
            name = f"w{thread}-{number}"
            plan = Plan(
                ledger=str(self.folder / f"{name}.ledger"),
                names=tuple(f"{name}-c{n}" for n in range(CALLS_OF_A_WRITER)),
                seed=chance.randrange(2**32),
                graceful=chance.random() < 0.5,
                closes=chance.random() < 0.5,
            )
            killed = self._one_writer(plan, chance)
            for account in read_ledger(Path(plan.ledger)):
                self.toll.book(account, killed)

    def _one_writer(self, plan: Plan, chance: random.Random) -> float | None:
        """One writer's life; when it was killed, or None if it could end as it wanted."""
        process = start(write_calls, self.job, plan)
        which = chance.choices([None, signal.SIGTERM, signal.SIGKILL], weights=[0.15, 0.25, 0.6])[0]
        killed: float | None = None
        if which is not None and not self.over.wait(chance.uniform(0.2, 1.8)):
            killed = time.monotonic()
            kill(process, which)
        code = finish(process)
        handled = plan.graceful and which == signal.SIGTERM
        if code == 0:
            if killed is not None and handled:
                self.toll.strike("writer_sigterm_handled")
            return None
        assert which is not None, f"a writer ended by itself with {code}"
        # A handler that exits once more, while Python exits already, cuts that short: code 1.
        assert code == -which or (handled and code == 1), f"a writer ended with {code}"
        self.toll.strike(f"writer_{which.name.lower()}")
        return killed

    def drain(self) -> None:
        """Drainers one after another, each killed at a random moment."""
        chance = random.Random(f"{self.seed}-drainer")
        while not self.over.is_set():
            process = command("drain", "--watch", environment=environment(self.job))
            self.over.wait(chance.uniform(0.5, 2.5))
            alive = process.poll() is None
            process.kill()
            _, complaint = process.communicate()
            assert alive, f"drain --watch ended by itself: {complaint}"
            self.toll.strike("drainer")

    def strike_receiver(self) -> None:
        """The receiver, killed at random moments, comes back with what it had accepted."""
        chance = random.Random(f"{self.seed}-receiver")
        while not self.over.wait(chance.uniform(1.0, 4.0)):
            self.receiver.kill()
            self.toll.strike("receiver")
            self.over.wait(chance.uniform(0.0, 0.7))
            self.receiver.start()

    def guarded(self, work: Callable[[], None]) -> threading.Thread:
        """A thread; its fault ends the storm and is raised in the end."""

        def run() -> None:
            try:
                work()
            except BaseException as fault:  # noqa: BLE001 - raised by ``rage``
                self.faults.append(fault)
                self.toll.kills["fault"] = sum(self.wanted)
                self.over.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def settle(self) -> None:
        """In quiet weather: a drainer, until nothing waits any more."""
        with watching(environment(self.job)):
            until(lambda: not self.waiting(), SETTLED_WITHIN, every=0.5)

    def waiting(self) -> dict[str, str]:
        """The calls that are not sent, and why. Held is what had not even named its agent."""
        outbox = SqliteOutbox(Path(self.job.outbox))
        try:
            return {
                d.external_id: f"{d.state}, {d.details}"
                for d in outbox.deliveries()
                if d.state not in ("sent", "held")
            }
        finally:
            outbox.close()

    def integrity(self) -> str:
        (path,) = Path(self.job.outbox).glob("*.sqlite3")
        with contextlib.closing(sqlite3.connect(path)) as db:
            return str(db.execute("PRAGMA integrity_check").fetchone()[0])


@contextlib.contextmanager
def _stormy(storm: _Storm) -> Iterator[None]:
    """Drainers and the receiver are killed for the length of a ``with`` block."""
    others = [storm.guarded(storm.drain), storm.guarded(storm.strike_receiver)]
    try:
        yield
    finally:
        storm.over.set()
        for thread in others:
            thread.join()


def rage(folder: Path, *, calls: int, kills: int, seed: int) -> Result:
    """Kill until there were so many calls that have to survive, and so many kills; then judge."""
    started = time.monotonic()
    storm = _Storm(folder, seed, calls, kills)
    try:
        with _stormy(storm):
            writers = [storm.guarded(lambda n=n: storm.write(n)) for n in range(WRITERS)]  # type: ignore[misc]
            for thread in writers:
                thread.join()
        for fault in storm.faults:
            raise fault
        storm.settle()
    finally:
        storm.receiver.close()
    return _judge(storm, started)


def _judge(storm: _Storm, started: float) -> Result:
    accounts = storm.toll.accounts
    with RunningReceiver(storm.receiver.db) as books:
        books.wait_until_ingested()
        wrong = [
            complaint
            for account, killed in accounts
            if (complaint := account.complaint(books.conversation(account.name), killed))
        ]
        duplicates = sum(repeated(books, account.name) for account, _ in accounts)
    return Result(
        calls=len(accounts) - storm.toll.young,
        too_young=storm.toll.young,
        kills=dict(storm.toll.kills),
        wrong=wrong + [f"{name}: still {why}" for name, why in storm.waiting().items()],
        duplicates=duplicates,
        integrity=storm.integrity(),
        seconds=time.monotonic() - started,
    )
