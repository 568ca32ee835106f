"""Uploading 800 MB: memory stays flat, and the event loop of the delivery thread stays free.

``python tests/bench/run.py --name recording_upload``; each upload is a process of its own, so that
what it holds at most can be told.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEGABYTE = 1024 * 1024
SIZES = (1, 200, 800)
ALLOWED = 25  # megabytes


async def upload(path: Path, store: str) -> dict[str, float]:
    """One upload, while somebody else wants the loop every millisecond."""
    from zelto_agents.recording import Found, Resolver

    late = 0.0

    async def watch() -> None:
        nonlocal late
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late = max(late, time.perf_counter() - before - 0.001)

    resolver = Resolver(store=store, public_url=None, folder=path.parent, url_life=60.0)
    await resolver.resolve("object", "nothing", "bench")  # imports, and the first connection
    forget_peak()
    before = time.perf_counter()
    watcher = asyncio.create_task(watch())
    answer = await resolver.resolve("file", str(path), "bench")
    watcher.cancel()
    assert isinstance(answer, Found), answer.why
    return {
        "seconds": round(time.perf_counter() - before, 2),
        "peak_mb": round(peak() / MEGABYTE, 1),
        "loop_late_ms": round(late * 1e3, 1),
    }


def forget_peak() -> None:
    """What this process had for its start is not the upload's."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure() -> dict[str, dict[str, float]]:
    """The figures for each size."""
    from recording.servers import S3Server, missing

    reason = missing()
    if reason is not None:
        sys.exit(reason)
    server = S3Server()
    figures = {}
    try:
        store = f"s3://{server.new_bucket()}"
        for size in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "call.wav"
                with path.open("wb") as file:
                    for _ in range(size):
                        file.write(os.urandom(MEGABYTE))
                command = [sys.executable, __file__, str(path), store]
                done = subprocess.run(
                    command,
                    env=os.environ | server.environment,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                figures[f"{size} MB"] = json.loads(done.stdout)
    finally:
        server.close()
    return figures


def main() -> None:
    figures = measure()
    for size, told in figures.items():
        print(json.dumps({"benchmark": "recording_upload", "size": size, **told}))
    more = figures["800 MB"]["peak_mb"] - figures["200 MB"]["peak_mb"]
    assert more < ALLOWED, f"{more} MB more for a file that is four times as long"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(upload(Path(sys.argv[1]), sys.argv[2]))))
