"""Benchmarks, one JSON object a line; ``--readme`` also writes them into the README's table.

The proofs (``PROOFS``) print tables of their own, take minutes, and run by name alone.

python tests/bench/run.py [--name NAME] [--readme]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx

from zelto_agents import Settings, Zelto, _open
from zelto_agents._drain import CONCURRENCY, Drainer
from zelto_agents.facts import TurnSaid
from zelto_agents.outbox import Put
from zelto_agents.outbox.sqlite import SqliteOutbox

ROOT = Path(__file__).parents[2]
DOCUMENTS = 1500
SERVER = """
import asyncio, socket, sys
async def serve(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while head := await reader.readuntil(b"\\r\\n\\r\\n"):
        length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 17\\r\\n\\r\\n{\\"received\\":true}")
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def quick_server() -> Iterator[str]:
    """A server in a process of its own that answers at once, so that only the client is timed."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def settings_for(url: str, folder: str) -> Settings:
    return Settings.load({}, api_key="zk_bench", base_url=url, outbox=Path(folder) / "outbox")


def milliseconds(samples: list[float]) -> dict[str, float]:
    ordered = sorted(samples)
    return {
        "median_ms": round(statistics.median(ordered) * 1e3, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 2),
    }


def hand_over() -> dict[str, Any]:
    """One fact on the host's event loop, while the delivery thread works."""

    ends: list[float] = []

    async def host(zelto: Zelto) -> list[float]:
        samples = []
        for _ in range(30):
            call = zelto.call(agent_id="bench")
            for number in range(100):
                at = time.time()
                fact = TurnSaid(at=at, id=str(number), role="user", text="Hello.", start=at)
                before = time.perf_counter()
                call.add(fact)
                samples.append(time.perf_counter() - before)
                await asyncio.sleep(0.001)
            before = time.perf_counter()
            call.end()
            ends.append(time.perf_counter() - before)
        return samples

    with quick_server() as url, tempfile.TemporaryDirectory() as folder:
        with Zelto(settings=settings_for(url, folder)) as zelto:
            warm = zelto.call(agent_id="bench")
            warm.end()
            zelto.flush(10)
            ordered = sorted(asyncio.run(host(zelto)))
    return {
        "median_us": round(statistics.median(ordered) * 1e6, 1),
        "p99_us": round(ordered[int(len(ordered) * 0.99)] * 1e6, 1),
        "end_of_call_median_us": round(statistics.median(ends) * 1e6, 1),
    }


def ends(measure: Callable[[Zelto, threading.Event], None]) -> list[float]:
    """Seconds that each of 60 twenty-turn calls took from its end to what is measured."""
    durable = threading.Event()

    class Watched(SqliteOutbox):
        def put(self, *args: Any, **kwargs: Any) -> int:
            revision = super().put(*args, **kwargs)
            durable.set()
            return revision

    samples = []
    original, _open.SqliteOutbox = _open.SqliteOutbox, Watched  # type: ignore[misc]
    try:
        with quick_server() as url, tempfile.TemporaryDirectory() as folder:
            with Zelto(settings=settings_for(url, folder)) as zelto:
                for number in range(65):
                    call = zelto.call(agent_id="bench")
                    for turn in range(20):
                        call.turn(
                            "user", "How is the weather today? " * 5, start=turn, end=turn + 1
                        )
                    zelto.flush(10)
                    durable.clear()
                    before = time.perf_counter()
                    call.end()
                    measure(zelto, durable)
                    if number >= 5:
                        samples.append(time.perf_counter() - before)
    finally:
        _open.SqliteOutbox = original  # type: ignore[misc]
    return samples


def end_to_durable() -> dict[str, Any]:
    """From the end of a 20-turn call to its document on disk."""
    return milliseconds(ends(lambda _, durable: bool(durable.wait(10)) and None))


def end_to_delivered() -> dict[str, Any]:
    """From the end of a 20-turn call to the receiver's answer, on loopback."""
    return milliseconds(ends(lambda zelto, _: zelto.flush(10) and None))


def drain() -> dict[str, Any]:
    """Documents a second out of a full outbox, against bare httpx at equal concurrency."""
    body = json.dumps({"call": {"externalId": "x"}, "text": "word " * 800}).encode()

    async def bare(url: str) -> float:
        left = DOCUMENTS
        async with httpx.AsyncClient(trust_env=False) as client:

            async def worker() -> None:
                nonlocal left
                while left > 0:
                    left -= 1
                    await client.post(f"{url}/webhooks/calls", content=body)

            await client.post(f"{url}/webhooks/calls", content=body)
            before = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(CONCURRENCY):
                    group.start_soon(worker)
            return DOCUMENTS / (time.perf_counter() - before)

    async def ours(settings: Settings) -> float:
        outbox = SqliteOutbox(settings.outbox)
        drainer = Drainer(outbox, settings)
        await drainer.warm_up()
        for number in range(DOCUMENTS):
            outbox.put(Put(settings.base_url or "", f"c{number}", body), now=1.0)
        before = time.perf_counter()
        await drainer.sweep()
        seconds = time.perf_counter() - before
        assert drainer.tally.sent == DOCUMENTS
        await drainer.aclose()
        outbox.close()
        return DOCUMENTS / seconds

    rates: list[tuple[float, float]] = []
    with quick_server() as url:
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                pair = asyncio.run(ours(settings_for(url, folder))), asyncio.run(bare(url))
            rates.append(pair)
    pair = sorted(rates, key=lambda pair: pair[0] / pair[1])[1]
    return {
        "documents_per_second": round(pair[0]),
        "bare_httpx_per_second": round(pair[1]),
        "ratio": round(pair[0] / pair[1], 2),
    }


def import_time() -> dict[str, Any]:
    """What the plugin adds to a worker that has imported livekit-agents."""
    code = (
        "import livekit.agents, time; before = time.perf_counter()\n"
        "import livekit.plugins.zelto; print(time.perf_counter() - before)"
    )
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        samples = [
            float(
                subprocess.run(
                    command, env=environment, capture_output=True, check=True, text=True
                ).stdout
            )
            for _ in range(8)
        ]
    # The first one compiles, as pip does when it installs a wheel.
    return {"median_ms": round(statistics.median(samples[1:]) * 1e3, 1)}


def enqueue() -> dict[str, Any]:
    """A 50 KB document made durable, against a bare insert with the same sync; then 8 at once."""
    from bench.enqueue import measure

    return measure()


BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "hand_over": hand_over,
    "end_to_durable": end_to_durable,
    "end_to_delivered": end_to_delivered,
    "drain": drain,
    "enqueue": enqueue,
    "import_time": import_time,
}
# Each is a module beside this one, with ``main``.
PROOFS = ("faults", "crash", "fleet", "linear", "overhead", "pipecat_cost", "pipecat_faults")
PROOFS += ("receiver_fuzz", "receiver_kill", "receiver_load", "recording_upload")
FRAMEWORKS = ("livekit", "pipecat")


def _figure(key: str, value: float) -> str:
    """``median_us: 5.7`` as a person reads it: ``median 5.7 µs``."""
    words = key.split("_")
    unit = {"us": " µs", "ms": " ms"}.get(words[-1])
    if unit is None:
        return f"{' '.join(words)} {value}"
    return f"{' '.join(words[:-1])} {value}{unit}"


def write_readme(results: dict[str, dict[str, Any]]) -> None:
    """Replace the README's table by these figures."""
    rows = [
        f"| {(BENCHMARKS[name].__doc__ or '').strip().rstrip('.')} | "
        + ", ".join(_figure(key, value) for key, value in figures.items())
        + " |"
        for name, figures in results.items()
    ]
    table = "\n".join(["| what | figure |", "|---|---|", *rows])
    readme = ROOT / "README.md"
    marked = re.compile(r"(<!-- bench -->\n).*?(\n<!-- /bench -->)", re.DOTALL)
    readme.write_text(marked.sub(lambda m: m[1] + table + m[2], readme.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", choices=sorted([*BENCHMARKS, *PROOFS, *FRAMEWORKS]))
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    if options.name in FRAMEWORKS:
        importlib.import_module("bench.scenarios").main(options.name)
        return
    if options.name in PROOFS:
        importlib.import_module(f"bench.{options.name}").main()
        return
    results = {}
    for name in [options.name] if options.name else BENCHMARKS:
        results[name] = BENCHMARKS[name]()
        print(json.dumps({"benchmark": name, **results[name]}), flush=True)
    if options.readme:
        write_readme(results)


if __name__ == "__main__":
    main()
