"""A quick server in a process of its own that counts how often each call came.

It says yes to everything, or whatever status it is told to answer with.

python tests/faults/counter.py  prints its port. GET /counts/PREFIX answers with the counts, as
JSON; GET /answer/STATUS sets the status from now on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator

__all__ = ["CountingServer", "counting_server"]

_START = b'{"call":{"externalId":"'


class CountingServer:
    """The other process, as this one sees it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def counts(self, prefix: str = "") -> dict[str, int]:
        """How often each call came whose name starts so."""
        return self._get(f"counts/{prefix}")

    def answer(self, status: int) -> None:
        """Answer with this status from now on, and count from the beginning."""
        self._get(f"answer/{status}")

    def _get(self, path: str) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=30) as answer:
            read: dict[str, int] = json.load(answer)
        return read


@contextlib.contextmanager
def counting_server() -> Iterator[CountingServer]:
    """The server for the length of a ``with`` block."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield CountingServer(int(process.stdout.readline()))
        finally:
            process.kill()


class _Books:
    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.status = 200

    def control(self, path: str) -> bytes:
        """What a GET is answered with."""
        _, verb, value = path.split("/")
        told: dict[str, int] = {}
        if verb == "answer":
            self.status = int(value)
            self.seen.clear()
        else:
            told = {name: n for name, n in self.seen.items() if name.startswith(value)}
        body = json.dumps(told).encode()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head + body

    def count(self, body: bytes) -> bytes:
        """What a POST is answered with."""
        # Every document of ours begins with this name; parsing it all would take longer.
        self.seen[body[len(_START) :].partition(b'"')[0].decode()] += 1
        return b'HTTP/1.1 %d Fine\r\nContent-Length: 17\r\n\r\n{"received":true}' % self.status


async def _main() -> None:
    books = _Books()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET "):
                    writer.write(books.control(head.split(b" ")[1].decode()))
                    break
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                writer.write(books.count(await reader.readexactly(length)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
