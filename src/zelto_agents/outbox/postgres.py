"""The outbox of a fleet, in a schema of its own of a Postgres database.

For hosts whose disks vanish: all pods share the deliveries, the journals and the gate. Needs the
extra ``postgres``. A server that does not answer within seconds counts as away; whoever calls
keeps what it has elsewhere meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from zelto_agents.outbox import OutboxError
from zelto_agents.outbox._database import Cursor, Database, Values
from zelto_agents.outbox._engine import MAX_BYTES, Engine
from zelto_agents.outbox._pending import SCHEMA as PENDING
from zelto_agents.outbox._schema import SCHEMA

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresOutbox"]

SCHEMA_VERSION = 2
_ID = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
_PENDING = PENDING.format(id=_ID)
_SCHEMA = SCHEMA.format(id=_ID, key="BIGINT", blob="BYTEA") + _PENDING
# Within the budget of a shutdown, so that the call can still be kept elsewhere.
ANSWERS_WITHIN = 1.0
DIALS_FOR = 10
SKEW_NOTED = 2.0
# In bytes; with a base URL, what fits into an index.
LONGEST_ID = 2000
TRIES = 3
# Any number will do, as long as it is always the same one.
_MIGRATING = 0x7A656C746F
MEASURED_EVERY = 1000

_T = TypeVar("_T")


@cache
def _translated(statement: str) -> str:
    """``:name`` as psycopg wants it."""
    return re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", statement)


@cache
def _impatient() -> Any:
    """A connection that waits for no answer for ever: a server may freeze, a route may vanish."""
    import psycopg

    class Impatient(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            return super().wait(gen, interval, timeout or ANSWERS_WITHIN)

    return Impatient


@cache
def _crowded() -> tuple[type[Exception], ...]:
    """What others under way caused, and what works at another try."""
    from psycopg import errors

    return (errors.DeadlockDetected, errors.LockNotAvailable, errors.SerializationFailure)


def _storable(values: Values) -> Values:
    """Without what the server has no text for, or no index."""
    texts = {name: _text(value) for name, value in values.items() if isinstance(value, str)}
    key = texts.get("external_id", "").encode()
    if len(key) > LONGEST_ID:
        texts["external_id"] = f"{texts['external_id'][:400]}-{hashlib.sha256(key).hexdigest()}"
    return {**values, **texts}


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _dial(url: str, dialling: Future[psycopg.Connection[Any]]) -> None:
    try:
        connection = _impatient().connect(
            url,
            connect_timeout=DIALS_FOR,
            application_name="zelto-agents",
            autocommit=True,  # BEGIN and what comes with it are one message
            prepare_threshold=None,  # poolers in front of the server know no prepared statements
        )
    except BaseException as fault:  # noqa: BLE001 - raised where it is waited for
        dialling.set_exception(fault)
    else:
        dialling.set_result(connection)


class _Transaction:
    """A ``Database`` on a Postgres connection."""

    lock = " FOR UPDATE"
    skip = " FOR UPDATE SKIP LOCKED"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Values | None = None) -> Cursor:
        text: Any = _translated(statement)
        return self._connection.execute(text, _storable(values or {}))

    def many(self, statement: str, values: Sequence[Values]) -> None:
        if values:
            text: Any = _translated(statement)
            self._connection.cursor().executemany(text, [_storable(one) for one in values])


class PostgresOutbox(Engine):
    """An outbox in the schema ``zelto_agents`` of the database at ``url``, made if it is missing.

    A connection that was lost is made anew, and what was under way is done again.

    Args:
        url: ``postgresql://user:password@host/database``; libpq's parameters hold, TLS's too.
        max_bytes: documents that the outbox holds at most.

    Raises:
        OutboxError: the server cannot be reached or used, and why; never with the password.
    """

    journals_synced = True

    def __init__(self, url: str, *, max_bytes: float = MAX_BYTES) -> None:
        super().__init__("in Postgres", max_bytes)
        self._url = url
        self._secrets: set[str] = set()
        self._connection: psycopg.Connection[Any] | None = None
        self._dialling: Future[psycopg.Connection[Any]] | None = None
        self._measured = 0
        self._asked = 0
        try:
            import psycopg
        except ImportError as fault:
            raise OutboxError(
                f"the outbox {self._name} needs psycopg: install zelto-agents[postgres]"
            ) from fault
        self._psycopg = psycopg
        self._name = self._address()
        try:
            self._run(lambda _: None)
        except BaseException:
            self._let_go()
            raise

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._dialled()
        try:
            self._transact(connection, lambda _: self._migrate(connection), synced=True)
            row = connection.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())").fetchone()
            ahead = float(row[0]) - time.time() if row else 0.0
            self.skew = ahead if abs(ahead) > SKEW_NOTED else 0.0
        except BaseException:
            connection.close()
            raise
        return connection

    def _dialled(self) -> psycopg.Connection[Any]:
        """A new connection; one that takes too long is left to come about for the next time.

        In a thread of its own: libpq's own limit cannot be under two seconds, and names are looked
        up without any.
        """
        if self._dialling is None:
            self._dialling = Future()
            dial = threading.Thread(target=_dial, args=(self._url, self._dialling), daemon=True)
            try:
                dial.start()
            except RuntimeError:  # the interpreter is on its way out and starts no thread
                _dial(self._url, self._dialling)
        dialling = self._dialling
        try:
            connection = dialling.result(ANSWERS_WITHIN)
        except TimeoutError:
            raise self._silent() from None
        except BaseException:
            self._dialling = None
            raise
        self._dialling = None
        return connection

    def _migrate(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        known = "SELECT to_regclass('zelto_agents.version') IS NOT NULL"
        row = connection.execute(known).fetchone()
        if row is None or not row[0]:
            connection.execute("CREATE SCHEMA IF NOT EXISTS zelto_agents")
            script: Any = _SCHEMA
            connection.execute(script)
            connection.execute("CREATE TABLE version (number INTEGER NOT NULL)")
            connection.execute("INSERT INTO version VALUES (%s)", (SCHEMA_VERSION,))
            return
        found = connection.execute("SELECT number FROM version").fetchone()
        if found is not None and found[0] > SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox {self._name} was written by a newer zelto-agents "
                f"(format {found[0]}): upgrade, or set ZELTO_OUTBOX to another database"
            )
        if found is not None and found[0] < SCHEMA_VERSION:
            more: Any = f"SET LOCAL search_path TO zelto_agents; {_PENDING}"
            connection.execute(more)
            connection.execute("UPDATE version SET number = %s", (SCHEMA_VERSION,))

    def _run(
        self, work: Callable[[Database], _T], *, synced: bool = True, reserve: bool = False
    ) -> _T:
        fault: Exception | None = None
        for _ in range(TRIES):
            connection = self._connection
            try:
                if connection is None:
                    connection = self._connection = self._connect()
                return self._transact(connection, work, synced=synced)
            except self._psycopg.Error as error:
                fault = error
                lost = connection is not None and (connection.broken or connection.closed)
                if lost:
                    self._hang_up()
                elif not isinstance(error, _crowded()):
                    break
            except BaseException:
                self._hang_up()
                raise
        raise self._explained(fault)

    def _transact(
        self, connection: psycopg.Connection[Any], work: Callable[[Database], _T], *, synced: bool
    ) -> _T:
        # With the transaction, not the connection: a pooler may hand out another one each time.
        # A claim that a crash of the server undoes costs a second, harmless send.
        begin: Any = (
            "BEGIN; SET LOCAL search_path TO zelto_agents; SET LOCAL lock_timeout = 400; "
            f"SET LOCAL synchronous_commit = {'on' if synced else 'off'}"
        )
        try:
            connection.execute(begin)
            result = work(_Transaction(connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.info.transaction_status.name == "ACTIVE":
                connection.close()
                raise self._silent() from None
            with contextlib.suppress(self._psycopg.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _silent(self) -> OutboxError:
        return OutboxError(
            f"the outbox {self._name} does not answer: check the server and ZELTO_OUTBOX"
        )

    def _address(self) -> str:
        """The URL as a person may see it; what is secret in it is noted."""
        try:
            parts = self._psycopg.conninfo.conninfo_to_dict(self._url)
        except self._psycopg.Error:
            # The reason would quote the part that was misread, perhaps of the password.
            raise OutboxError(
                "ZELTO_OUTBOX is no URL of a Postgres server: expected "
                "postgresql://user:password@host:5432/database, with special characters quoted"
            ) from None
        self._secrets = {self._url, str(parts.get("password") or self._url)}
        host, port = parts.get("host", "localhost"), parts.get("port")
        return f"at {host}{f':{port}' if port else ''}/{parts.get('dbname', '')}"

    def _explained(self, fault: Exception | None) -> OutboxError:
        self._hang_up()
        why = str(fault).strip()
        for secret in self._secrets:
            why = why.replace(secret, "***")
        return OutboxError(
            f"the outbox {self._name} cannot be used ({type(fault).__name__}: {why}): "
            "check the server and ZELTO_OUTBOX"
        )

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _used(self, db: Database, more: int) -> int:
        """Measured now and then: to add it all up for each call would take longer than the call."""
        self._asked += 1
        if self._asked % MEASURED_EVERY == 1 or self._measured + more > self._max_bytes:
            row = db.execute("SELECT COALESCE(SUM(size), 0) FROM delivery").fetchone()
            self._measured = int(row[0])
        if self._measured + more <= self._max_bytes:
            self._measured += more
            return self._measured
        return self._measured + more

    def close(self) -> None:
        """See ``Outbox.close``."""
        try:
            super().close()
        except OutboxError:
            pass  # its leases run out
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._hang_up()
        if self._dialling is not None:
            self._dialling.add_done_callback(_close)
            self._dialling = None


def _close(dialling: Future[psycopg.Connection[Any]]) -> None:
    if dialling.exception() is None:
        dialling.result().close()
