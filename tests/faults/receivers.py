"""Receivers killed with SIGKILL while uploads come in: what was acknowledged has to be there."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import sqlite3
import threading
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from faults.processes import finish, kill, start
from zelto_agents.receiver import RunningReceiver

__all__ = ["Killed", "kill_receivers"]

SENDERS = 4


@dataclass(slots=True)
class Killed:
    """What a storm of kills did: acknowledged uploads, and what is missing of them."""

    kills: int = 0
    acknowledged: set[str] = field(default_factory=set[str])
    not_in_the_raw_log: set[str] = field(default_factory=set[str])
    no_conversation: set[str] = field(default_factory=set[str])
    integrity: str = ""


def kill_receivers(folder: Path, *, kills: int, seed: int) -> Killed:
    """Starts a receiver on the same database again and again, and kills it under load."""
    db = folder / "killed.db"
    chance = random.Random(seed)
    found = Killed()
    with RunningReceiver(db) as first:
        key = first.key or ""
    for number in range(kills):
        _one_life(db, key, number, chance.uniform(0.0, 0.12), found)
    with contextlib.closing(sqlite3.connect(db)) as connection:
        bodies = [bytes(row[0]) for row in connection.execute("SELECT body FROM raw")]
        found.integrity = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    kept = {json.loads(body)["call"]["externalId"] for body in bodies}
    found.not_in_the_raw_log = found.acknowledged - kept
    with RunningReceiver(db) as last:
        last.wait_until_ingested(60)
        shown = {each["externalId"] for each in last.conversations()}
    found.no_conversation = found.acknowledged - shown
    return found


def _serve(db: Path, pipe: Connection) -> None:
    with RunningReceiver(db) as receiver:
        pipe.send(receiver.url)
        signal.pause()


def _one_life(db: Path, key: str, number: int, seconds: float, found: Killed) -> None:
    mine, theirs = Pipe()
    process = start(_serve, db, theirs)
    theirs.close()
    port = int(mine.recv().rsplit(":", 1)[1])
    acknowledged = threading.Semaphore(0)
    senders = [
        threading.Thread(target=_send, args=(port, key, f"{number}-{i}", found, acknowledged))
        for i in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    for _ in range(SENDERS):
        acknowledged.acquire(timeout=30)
    threading.Event().wait(seconds)  # at any moment of the load
    kill(process, signal.SIGKILL)
    for sender in senders:
        sender.join()
    assert finish(process) == -signal.SIGKILL
    found.kills += 1
    mine.close()


def _send(port: int, key: str, name: str, found: Killed, acknowledged: threading.Semaphore) -> None:
    """Uploads one call after the other until nobody answers any more."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {key}"}
    count = 0
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        while True:
            external_id = f"call-{name}-{count}"
            count += 1
            body = {
                "call": {"externalId": external_id},
                "agent": {"externalId": "a"},
                "transcript": {"turns": [{"role": "user", "content": "word " * 400}]},
            }
            connection.request("POST", "/webhooks/calls", json.dumps(body), headers)
            answer = connection.getresponse()
            if answer.read() == b'{"received":true}' and answer.status == 200:
                found.acknowledged.add(external_id)
                acknowledged.release()
