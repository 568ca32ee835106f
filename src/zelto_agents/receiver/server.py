"""The receiver as something that runs: uvicorn in a thread, stopped and started at will."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI

from zelto_agents.receiver import reads
from zelto_agents.receiver.app import create_app
from zelto_agents.receiver.faults import Faults
from zelto_agents.receiver.faulty import Connection
from zelto_agents.receiver.rehost import Limits
from zelto_agents.receiver.store import Store

__all__ = ["RunningReceiver", "run_in_thread"]

_ALL = 2**31
# How long (seconds) a stop waits for answers that are under way.
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """uvicorn that says when it listens and ends the live updates when it stops."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Connection,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._app = app
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.streams.stop()
        self._app.state.releases.stop()
        await super().shutdown(sockets)


# A body that a fault swallows is never ingested.
INGESTED_WITHIN = 1.0


class RunningReceiver:
    """A receiver in a thread of this process; it listens once it is made.

    Args:
        db: its database; None for a temporary one, removed at ``close``.
        port: 0 for any free one; kept over ``stop`` and ``start``.
        host: the address to listen on.
        new_key: mint a key even if the database has one already.
        keep: only the newest so many conversations are kept; None keeps all.
        replay: work the whole raw log in again before what comes new.
        limits: what fetching a recording may do; by default nothing private is fetched.

    Attributes:
        url: where it listens, without a trailing slash.
        key: the key minted now; None when the database had one.
        db: the database file.
        store: direct access to what is stored.
        faults: what goes wrong on purpose; kept over ``stop`` and ``start``.

    Raises:
        OSError: the address is taken, or the file cannot be opened.
        sqlite3.Error: the file is not a database, or not writable.
    """

    def __init__(
        self,
        db: Path | str | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        new_key: bool = False,
        keep: int | None = None,
        replay: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.faults = Faults()
        with contextlib.ExitStack() as undo:
            if db is None:
                db = Path(
                    undo.enter_context(tempfile.TemporaryDirectory(prefix="zelto-")), "zelto.db"
                )
            self.db = Path(db)
            self.store = Store(self.db, keep=keep, replay=replay, limits=limits)
            undo.callback(self.store.close)
            # The address is taken before a key is minted: a key that is never printed is lost.
            sock = self._bind()
            minted = new_key or not self.store.has_keys
            self.key = self.store.mint_key("receiver") if minted else None
            self._serve(sock)
            self._undo = undo.pop_all()

    @property
    def url(self) -> str:
        """Where it listens (or listened, while stopped)."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._thread is not None

    def start(self) -> None:
        """Listens again, on the same port, with the same database."""
        if not self.running:
            self._serve(self._bind())

    def stop(self) -> None:
        """Closes the socket: connections are refused until ``start``; what is stored stays."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None

    def close(self) -> None:
        """Stops for good; a temporary database is removed."""
        self.stop()
        self._undo.close()

    def conversations(self) -> list[dict[str, Any]]:
        """All conversations, whole, newest first."""
        return self.store.read(reads.conversations, limit=_ALL)

    def conversation(
        self, external_id: str, organisation: str | None = None
    ) -> dict[str, Any] | None:
        """The conversation of one ``call.externalId``, whole; None when there is none.

        Without its ``organisation``, the newest of all that have this id.
        """
        return self.store.read(reads.conversation_of, external_id, organisation)

    def deliveries(self, external_id: str | None = None) -> list[dict[str, Any]]:
        """Entries of the raw log, oldest first: all, or those of one ``call.externalId``.

        Whose entry is whose is known once it was ingested: for that, this waits a second at most.
        """
        self.store.wait(lambda: self.store.read(reads.idle), INGESTED_WITHIN)
        return self.store.read(reads.deliveries, external_id)

    def raw_body(self, delivery_id: int) -> bytes | None:
        """The bytes of one entry of the raw log, as they came."""
        return self.store.read(reads.raw_body, delivery_id)

    def raw_count(self) -> int:
        """How many bodies the raw log holds."""
        return self.store.read(reads.counts)["deliveries"]

    def wait_for(
        self,
        external_id: str,
        timeout: float = 10.0,
        *,
        where: Callable[[dict[str, Any]], bool] = lambda _conversation: True,
    ) -> dict[str, Any]:
        """Waits until the conversation is there (and satisfies ``where``), and returns it.

        Raises:
            TimeoutError: it did not come within ``timeout`` seconds.
        """
        found: list[dict[str, Any]] = []

        def there() -> bool:
            conversation = self.conversation(external_id)
            if conversation is not None and where(conversation):
                found.append(conversation)
            return bool(found)

        if not self.store.wait(there, timeout):
            raise TimeoutError(f"conversation {external_id!r} did not arrive within {timeout} s")
        return found[0]

    def wait_until_ingested(self, timeout: float = 10.0) -> None:
        """Waits until nothing in the raw log waits for ingest any more.

        Raises:
            TimeoutError: ingest took longer than ``timeout`` seconds.
        """
        if not self.store.wait(lambda: self.store.read(reads.idle), timeout):
            raise TimeoutError(f"ingest did not finish within {timeout} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is named, or asyncio would not switch Nagle's delay (40 ms an answer) off.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._host, self._port))
            # Refuses an address that is taken here, and not later in a thread.
            sock.listen(2048)
        except OSError:
            sock.close()
            raise
        self._port = sock.getsockname()[1]
        return sock

    def _serve(self, sock: socket.socket) -> None:
        server = _Server(create_app(self.store, host=self._host, faults=self.faults))
        thread = threading.Thread(
            target=server.run, args=([sock],), name="zelto-receiver-http", daemon=True
        )
        thread.start()
        server.listening.wait()
        self._server, self._thread = server, thread


@contextlib.contextmanager
def run_in_thread(
    db: Path | str | None = None,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    new_key: bool = False,
    keep: int | None = None,
    replay: bool = False,
    limits: Limits | None = None,
) -> Iterator[RunningReceiver]:
    """A receiver for the length of a ``with`` block; see ``RunningReceiver``."""
    with RunningReceiver(
        db, port=port, host=host, new_key=new_key, keep=keep, replay=replay, limits=limits
    ) as receiver:
        yield receiver
