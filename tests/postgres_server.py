"""A real PostgreSQL of the tests' own: it can be stopped, restarted, cut off and frozen."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import trustme

APT = "sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql"
USER = "zelto"
# With all that has to be quoted in a URL, so that whoever prints it is caught.
PASSWORD = "s3cr:t/p@ss%w?rd"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "ssl": "on",
    "fsync": "off",  # the server is killed in these tests; the power does not fail
    "wal_writer_delay": "10s",  # whatever is not synced at its commit is lost with the server
}


def find_binaries() -> Path | None:
    """The folder with ``postgres`` and ``initdb``, the newest version first."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = sorted(installed, key=lambda path: float(path.parts[4]), reverse=True)
    on_path = [Path(found).resolve() for found in [shutil.which("postgres")] if found]
    folders = [path.parent for path in [*newest, *on_path]]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


class PostgresServer:
    """One server in a temporary folder, on a loopback port, with TLS and a password.

    Args:
        binaries: the folder with the server's programs.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="zelto-pg-"))
        self._data = self._folder / "data"
        self._count = 0
        self._pid = 0
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            account = pwd.getpwnam("postgres")
            os.chown(self._folder, account.pw_uid, account.pw_gid)
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.port = _free_port()
        self.ca_file = self._folder / "ca.pem"
        """What a client has to trust."""
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The database that is there from the first, as its owner."""
        return self.url_of("postgres")

    def url_of(self, database: str, **options: str) -> str:
        """One database, with libpq's options."""
        tail = f"?{urlencode(options)}" if options else ""
        password = quote(PASSWORD, safe="")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}{tail}"

    def fresh_database(self) -> str:
        """The URL of a database with nothing in it."""
        self._count += 1
        name = f"test_{self._count}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url_of(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        name = url.rpartition("/")[2].partition("?")[0]
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "start", "-w", "-s", "-D", self._data, "-l", self._folder / "log")
        self._pid = int((self._data / "postmaster.pid").read_text().split()[0])

    def stop(self, *, immediate: bool = True) -> None:
        """Stop it: at once, as a crash would, or when all is written."""
        how = "immediate" if immediate else "fast"
        self._run("pg_ctl", "stop", "-w", "-s", "-D", self._data, "-m", how)

    def cut(self) -> int:
        """End every connection that clients have; how many."""
        ended = self._execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(ended)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It is there, and takes connections, but answers nothing."""
        pids = [self._pid]  # first, so that it starts no other
        os.kill(self._pid, signal.SIGSTOP)
        try:
            for pid in _children(self._pid):
                os.kill(pid, signal.SIGSTOP)
                pids.append(pid)
            yield
        finally:
            for pid in reversed(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it, and remove all that it wrote."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb",
            *("-D", self._data, "-U", USER, "--pwfile", password, "-A", "scram-sha-256"),
            *("-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
        )
        password.unlink()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        identity = authority.issue_cert("127.0.0.1", "localhost")
        identity.private_key_pem.write_to_path(self._data / "server.key")
        for pem in identity.cert_chain_pems:
            pem.write_to_path(self._data / "server.crt", append=True)
        if self._as_user:
            os.chown(self._data / "server.key", self._as_user["user"], self._as_user["group"])
        (self._data / "server.key").chmod(0o600)
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.write(f"port = {self.port}\n")
            conf.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())

    def _run(self, program: str, *args: object) -> None:
        subprocess.run(
            [self._binaries / program, *map(str, args)],
            cwd=self._folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=120,
            **self._as_user,
        )

    def _execute(self, statement: str) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _free_port() -> int:
    """Out of the range that outgoing connections use: it must be free after a restart too."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state ppid ..."; a name may hold anything, a bracket too
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found
