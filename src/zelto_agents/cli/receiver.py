"""``zelto-agents receiver``: run the stand-in for Zelto until it is stopped."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zelto_agents.receiver import RunningReceiver

__all__ = ["register"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Conversations in a database that is gone at exit anyway.
KEEP = 10_000
_STOP = {signal.SIGINT, signal.SIGTERM}

_EPILOG = """
A --fault is a status from 300 to 599, slow=SECONDS, hang, reset (cut before any answer), lost
(stored, then cut: the answer is lost) or swallow (answered 200, never ingested). It meets every
upload, or the next N with xN, or that share with N%; a status may have retry-after=SECONDS.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 it could not start, 2 wrong usage.

Examples:

  zelto-agents receiver

  zelto-agents receiver --db zelto.db --fault '503 x3' --json
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("receiver", epilog=_EPILOG)(receiver)


def receiver(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 8787,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    db: Annotated[
        Path | None,
        typer.Option(help="Keep everything in this file. [default: gone at exit]"),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Mint a key although the database has one.")
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Keep the newest N conversations.  [default: all; {KEEP} without --db]"
        ),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Work all that was ever received in again, at start.")
    ] = False,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Fetch recordings from private addresses as well."),
    ] = False,
    recording_max_bytes: Annotated[
        int, typer.Option(min=1, help="A larger recording is not fetched.")
    ] = 512 * 1024 * 1024,
    recording_max_seconds: Annotated[
        float, typer.Option(min=0.001, help="Fetching a recording may take so long.")
    ] = 600.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="Let uploads fail so; see below. May be repeated.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when it listens, for scripts.")
    ] = False,
) -> None:
    """Run a stand-in for Zelto here: same API, and a page that shows each conversation."""
    # Blocked before any thread starts, so that sigwait alone gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    if keep is None and db is None:
        keep = KEEP
    limits = {
        "max_bytes": recording_max_bytes,
        "max_seconds": recording_max_seconds,
        "allow_private": allow_private,
    }
    options = {"new_key": new_key, "keep": keep, "replay": replay}
    try:
        running = _start(host, port, db, fault or [], limits, **options)
    except (OSError, sqlite3.Error, ModuleNotFoundError) as error:
        typer.echo(f"zelto-agents receiver: {_why(error, host, port, db)}", err=True)
        raise typer.Exit(1) from None
    with running:
        typer.echo(_as_json(running) if as_json else _as_text(running, db, host))
        signal.sigwait(_STOP)


def _start(
    host: str,
    port: int,
    db: Path | None,
    faults: list[str],
    limits: dict[str, Any],
    **options: Any,
) -> RunningReceiver:
    from zelto_agents.receiver import Limits, RunningReceiver
    from zelto_agents.receiver.faults import Fault

    try:
        parsed = [Fault.parse(words) for words in faults]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None
    running = RunningReceiver(db, host=host, port=port, limits=Limits(**limits), **options)
    for each in parsed:
        running.faults.add(each)
    return running


def _why(error: Exception, host: str, port: int, db: Path | None) -> str:
    import errno

    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; choose another with --port, or --port 0 for any"
    if isinstance(error, sqlite3.Error):
        return f"{db} cannot be used as its database: {error}"
    if isinstance(error, OSError) and db is not None and not db.parent.is_dir():
        return f"--db {db}: there is no folder {db.parent}"
    if isinstance(error, OSError):
        return f"--host {host}, --port {port}: {error}"
    return str(error)


def _as_json(running: RunningReceiver) -> str:
    start = {
        "url": running.url,
        "key": running.key,
        "page": f"{running.url}/",
        "db": str(running.db),
    }
    return json.dumps(start)


def _as_text(running: RunningReceiver, db: Path | None, host: str) -> str:
    lines = ["", f"  {typer.style('Receiver', bold=True)}  {running.url}"]
    lines.append(
        f"  Database  {db}" if db else "  Database  temporary, removed at exit (--db keeps one)"
    )
    if host not in LOOPBACK:
        lines.append("  Warning   whoever can reach this address can read the page")
    lines += ["", "  In the shell of your agent:", ""]
    if running.key is None:
        lines.append(
            "    # the key of this database was printed when it was minted; --new-key mints another"
        )
    else:
        lines.append(f"    export ZELTO_API_KEY={running.key}")
    if host in LOOPBACK:
        lines.append(f"    export ZELTO_BASE_URL={running.url}")
    else:
        name = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared
        lines.append(f"    export ZELTO_BASE_URL=http://{name}:{running.url.rsplit(':', 1)[1]}")
        lines.append("    export ZELTO_ALLOW_HTTP=1   # the key crosses the network in clear text")
    lines += ["", f"  Open {running.url}/ and start a conversation. Ctrl-C stops.", ""]
    return "\n".join(lines)
