"""What the receiver's work costs: its uploads a second, against a bare endpoint's.

The bare one is FastAPI on uvicorn as well; it puts the body into SQLite with the same durability
(WAL, synchronous FULL, a commit for each) and answers. Same client, same bodies, turn by turn; the
receiver has ingested and indexed everything before the bare one's turn. ``worked_in`` counts that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CLI = str(Path(sys.executable).with_name("zelto-agents"))
REQUESTS = {1: 300, 32: 1500}
ROUNDS = 3
TARGET = 0.5
# A server that used no processor for so long (seconds) has nothing left to do.
REST_SECONDS = 0.3
BARE = """
import json, socket, sqlite3, sys
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE raw (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
app = FastAPI(openapi_url=None)

@app.post("/webhooks/calls")
async def upload(request: Request) -> JSONResponse:
    db.execute("INSERT INTO raw (body) VALUES (?)", (await request.body(),))
    return JSONResponse({"received": True})

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
sock.bind(("127.0.0.1", 0))
print(json.dumps({"url": f"http://127.0.0.1:{sock.getsockname()[1]}", "key": "none"}), flush=True)
config = uvicorn.Config(app, loop="asyncio", http="h11", log_config=None, access_log=False)
uvicorn.Server(config).run([sock])
"""


@contextlib.contextmanager
def serving(*command: str) -> Iterator[tuple[int, str, int]]:
    """The port, key and process id of a server in a process of its own."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            start = json.loads(process.stdout.readline())
            yield int(start["url"].rsplit(":", 1)[1]), start["key"], process.pid
        finally:
            process.kill()


def request(number: int, key: str) -> bytes:
    """One upload of a 20-turn call, as bytes of HTTP."""
    words = "How is the weather today, and what will it be tomorrow? " * 3
    turns = [
        {"role": "user", "content": words, "startSeconds": at, "endSeconds": at + 1}
        for at in range(20)
    ]
    body = json.dumps(
        {
            "call": {"externalId": f"call-{number}", "durationSeconds": 20, "cost": 0.02},
            "agent": {"externalId": "bench", "name": "Bench"},
            "transcript": {"turns": turns},
        }
    ).encode()
    head = (
        f"POST /webhooks/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def rate(port: int, requests: list[bytes], at_once: int) -> float:
    """Uploads a second, with so many connections."""
    left = iter(requests)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for content in left:
            writer.write(content)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.split(b"\r\n", 1)[0], head
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    before = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(at_once)))
    return len(requests) / (time.perf_counter() - before)


def rest(pid: int) -> float:
    """When (``perf_counter``) a process came to rest; returns once that is certain."""
    used, since = -1, time.perf_counter()
    while time.perf_counter() - since < REST_SECONDS:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        if ticks != used:
            used, since = ticks, time.perf_counter()
        time.sleep(0.01)
    return since


def measure() -> dict[str, float]:
    """Both servers' rates, medians of rounds in which they take turns."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        ours = serving(CLI, "receiver", "--port", "0", "--json", "--db", f"{folder}/ours.db")
        bare = serving(sys.executable, "-c", BARE, f"{folder}/bare.db")
        with ours as (our_port, our_key, our_pid), bare as (bare_port, bare_key, _):
            number = 0
            for at_once, count in REQUESTS.items():
                rounds: list[tuple[float, float, float]] = []
                for _ in range(ROUNDS):
                    numbers = range(number, number + count)
                    number += count
                    mine = [request(each, our_key) for each in numbers]
                    theirs = [request(each, bare_key) for each in numbers]
                    before = time.perf_counter()
                    our_rate = asyncio.run(rate(our_port, mine, at_once))
                    worked_in = count / (rest(our_pid) - before)
                    bare_rate = asyncio.run(rate(bare_port, theirs, at_once))
                    rounds.append((our_rate, bare_rate, worked_in))
                figures |= {
                    f"receiver_{at_once}": round(statistics.median(each[0] for each in rounds)),
                    f"bare_{at_once}": round(statistics.median(each[1] for each in rounds)),
                    f"worked_in_{at_once}": round(statistics.median(each[2] for each in rounds)),
                    f"ratio_{at_once}": round(
                        statistics.median(mine / bare for mine, bare, _ in rounds), 2
                    ),
                }
    return figures


def main() -> None:
    figures = measure()
    print(json.dumps({"benchmark": "receiver_load", **figures}), flush=True)
    if min(figures[f"ratio_{at_once}"] for at_once in REQUESTS) < TARGET:
        sys.exit(f"the receiver is slower than {TARGET} of a bare endpoint")
