"""What ``doctor`` looks at: each check gives findings, and raises nothing."""

from __future__ import annotations

import contextlib
import platform
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from zelto_agents.cli._start import nothing_there, spare
from zelto_agents.cli._words import Words, plain, size, span, totals

if TYPE_CHECKING:
    import httpx

    from zelto_agents.outbox._engine import Engine
    from zelto_agents.settings import Settings

__all__ = [
    "Finding",
    "check_api",
    "check_disk",
    "check_outbox",
    "check_recordings",
    "check_settings",
    "values",
    "versions",
]

SKEW = 30.0
FREE = 64 * 1024 * 1024
_FLEETING = ("tmpfs", "ramfs", "overlay")
_PACKAGES = (
    "zelto-agents",
    "livekit-plugins-zelto",
    "pipecat-zelto",
    "livekit-agents",
    "pipecat-ai",
    "httpx",
    "pydantic",
    "anyio",
    "psycopg",
)


class Finding(NamedTuple):
    """One line of the diagnosis: what it is about, how it is, and what to do about it."""

    state: Literal["ok", "warning", "bad"]
    name: str
    text: str
    hint: str = ""


def values(settings: Settings) -> list[dict[str, str]]:
    """Each setting with its value and source; no key and no password."""
    from zelto_agents._drain import gatekeeper_of
    from zelto_agents.settings import VARIABLES

    mark = gatekeeper_of(settings).key_mark
    hidden = {"api_key": f"set (mark {mark})" if mark else "not set"}
    if settings.postgres is not None:
        hidden["outbox"] = f"a Postgres database; its spare is {settings.outbox}"
    variables = {variable.setting: variable.name for variable in VARIABLES}
    shown: list[dict[str, str]] = []
    for setting, _, source in settings.table():
        name, known = variables[setting], getattr(settings, setting)
        value = hidden.get(setting) or _written(known)
        # Of the problems each begins with where the value came from.
        if any(problem.startswith(f"environment {name} ") for problem in settings.problems):
            if known is None:
                value, source = "not usable", f"environment {name}"  # noqa: PLW2901 - what is shown
            else:
                source = f"default, for {name} is not usable"  # noqa: PLW2901 - what is shown
        shown.append({"name": name, "value": value, "source": source})
    return shown


def _written(value: object) -> str:
    """A value as it would be given."""
    if value is None or value == ():
        return "not set"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:.15g}" if isinstance(value, int | float) else str(value)


def versions() -> dict[str, str]:
    """What is installed of what matters."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Whether they can be used, and are enough to send anything."""
    for problem in settings.problems:
        yield Finding("bad", "settings", problem)
    if not settings.problems:
        yield Finding("ok", "settings", "every value can be used")
    if not settings.enabled:
        yield Finding("warning", "settings", "ZELTO_ENABLED is 0: agents do nothing")
    if settings.api_key is None:
        hint = "set ZELTO_API_KEY; until then calls are kept, and not sent"
        yield Finding("bad", "key", "there is no key", hint)


def check_recordings(settings: Settings) -> Iterator[Finding]:
    """Whether files could be uploaded where ZELTO_RECORDINGS says, as far as that can be seen."""
    place = settings.recordings
    if place is None:
        return
    if "://" in place and not place.startswith("file://"):
        try:
            import obstore  # noqa: F401 - whether it is there
        except ImportError:
            hint = 'pip install "zelto-agents[recording]"; until then recordings are not uploaded'
            yield Finding("bad", "recordings", f"{place} needs an extra", hint)
            return
    elif settings.recordings_url is None:
        hint = "set it to where the folder is served; until then recordings are not sent"
        text = f"{place}: a folder needs ZELTO_RECORDINGS_URL"
        yield Finding("bad", "recordings", text, hint)
        return
    yield Finding("ok", "recordings", f"files go to {place}")


def check_outbox(settings: Settings) -> Iterator[Finding]:
    """Whether a call could be made durable now, where, and what is there already."""
    from zelto_agents._open import open_engine
    from zelto_agents.outbox import OutboxError
    from zelto_agents.outbox._files import file_system

    if nothing_there(settings):
        yield Finding("ok", "outbox", f"there was none in {settings.outbox} yet; it is made now")
    try:
        with contextlib.closing(open_engine(settings)) as engine:
            began = time.monotonic()
            engine.probe(now=time.time())
            took = 1000 * (time.monotonic() - began)
            yield Finding("ok", "outbox", f"a call is written durably in {took:.1f} ms")
            if settings.postgres is None:
                yield from check_disk(settings.outbox, file_system(settings.outbox))
            else:
                yield from _database(settings.postgres.get_secret_value())
            yield from _waiting(engine, settings)
    except OutboxError as fault:
        yield Finding("bad", "outbox", str(fault))
    if folder := spare(settings):
        hint = "an agent on this host, or drain, moves what is in it"
        yield Finding("ok", "spare", f"{folder} kept calls while the database was away", hint)


def check_disk(folder: Path, kind: str) -> Iterator[Finding]:
    """Whether a file system of this kind keeps what is in the folder, and has room."""
    from zelto_agents.outbox._files import is_remote

    place = f"{folder} is on {kind or 'a file system that does not say its name'}"
    if is_remote(kind):
        hint = "use a local disk, or ZELTO_OUTBOX=postgresql://... for a fleet"
        yield Finding("warning", "disk", f"{place}, which machines share over a network", hint)
    elif kind in _FLEETING:
        hint = "calls that wait are lost with it: set ZELTO_OUTBOX to a folder on a volume"
        yield Finding("warning", "disk", f"{place}, which a restart may empty", hint)
    else:
        yield Finding("ok", "disk", place)
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free
        if free < FREE:
            hint = "make room: on a full disk calls are kept in memory only"
            yield Finding("warning", "disk", f"only {size(free)} are free", hint)


def _database(url: str) -> Iterator[Finding]:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=3, autocommit=True) as connection:
            began = time.monotonic()
            row = connection.execute("SHOW server_version").fetchone()
            took = 1000 * (time.monotonic() - began)
            lock = "with TLS" if connection.pgconn.ssl_in_use else "without TLS"
    except psycopg.Error as fault:  # its text may quote the URL
        yield Finding("bad", "database", f"it answers no more ({type(fault).__name__})")
        return
    number = row[0] if row else "unknown"
    yield Finding("ok", "database", f"Postgres {number}, {lock}, answers in {took:.1f} ms")


def _waiting(engine: Engine, settings: Settings) -> Iterator[Finding]:
    now = time.time()
    stats = engine.stats()
    figures = totals(stats, now)
    counts = ", ".join(f"{number} {name}" for name, number in figures["counts"].items() if number)
    age = figures["oldest_waiting_s"]
    since = f"; the oldest waits for {span(age)}" if age is not None else ""
    text = f"{counts or 'nothing waits'}; {size(stats.size)}{since}"
    if stats.counts.get("dead"):
        hint = "zelto-agents outbox list --state dead says why; outbox retry after a fix"
        yield Finding("warning", "waiting", text, hint)
    else:
        yield Finding("ok", "waiting", text)
    if stats.size > 0.8 * settings.outbox_max_bytes:
        hint = "deliver what waits, or raise ZELTO_OUTBOX_MAX_BYTES"
        yield Finding("warning", "waiting", "the outbox is nearly full", hint)
    words = Words(engine, settings, now)
    for base_url, number in _for_others(engine, settings).items():
        if words.gate(base_url).away == "base_url":
            continue  # the next drain sends these to the settings' base URL by itself
        text = f"{number} for {plain(base_url)} alone"
        hint = f"if that is a mistake: zelto-agents outbox retry --from {plain(base_url)}"
        yield Finding("warning", "waiting", text, hint)
    for gate in words.closed_gates([]):
        yield Finding("warning", "gate", gate["why"], "zelto-agents drain tries at once")


def _for_others(engine: Engine, settings: Settings) -> Counter[str]:
    """How many calls wait for other base URLs."""
    waiting = (one for one in engine.deliveries() if one.state in ("due", "held"))
    return Counter(d.base_url for d in waiting if d.base_url not in ("", settings.base_url))


def check_api(settings: Settings) -> Iterator[Finding]:
    """Whether the base URL answers, takes the key, and has the same time."""
    base_url, key = settings.base_url, settings.api_key
    if base_url is None or key is None:
        why = "not asked, without a usable base URL and key"
        yield Finding("warning", "base URL", why)
        return
    try:
        answer = _ask(base_url, key.get_secret_value())
    except Exception as fault:  # noqa: BLE001 - whatever the network does is a finding
        hint = "check ZELTO_BASE_URL, the network, HTTPS_PROXY and SSL_CERT_FILE"
        yield Finding("bad", "base URL", f"{base_url} does not answer ({_named(fault)})", hint)
        return
    took = answer.elapsed.total_seconds()
    yield _verdict(base_url, answer, took)
    yield from _clock(answer, time.time() - took / 2)


def _ask(base_url: str, key: str) -> httpx.Response:
    import httpx

    from zelto_agents.settings import is_loopback
    from zelto_agents.uploader import user_agent

    return httpx.get(
        f"{base_url}/v1/agents",
        params={"limit": 1},
        headers={"Authorization": f"Bearer {key}", "User-Agent": user_agent()},
        timeout=10.0,
        follow_redirects=False,
        trust_env=not is_loopback(base_url),
    )


def _named(fault: Exception) -> str:
    """A network fault in its own words; of others the type alone, they might quote a secret."""
    import httpx

    text = str(fault) if isinstance(fault, httpx.TransportError) else ""
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__


def _verdict(base_url: str, answer: httpx.Response, took: float) -> Finding:
    status = answer.status_code
    if status == 200:
        text = f"{base_url} accepts the key, in {1000 * took:.0f} ms"
        return Finding("ok", "key", text)
    if status in (401, 403):
        hint = "check ZELTO_API_KEY, and that it belongs to this ZELTO_BASE_URL"
        return Finding("bad", "key", f"{base_url} refuses the key (status {status})", hint)
    if status == 501 or (300 <= status < 500 and status not in (408, 425, 429)):
        hint = "check ZELTO_BASE_URL: it is given without a path, as https://api.zelto.ai"
        return Finding("bad", "base URL", f"{base_url} is not Zelto's API (status {status})", hint)
    hint = "calls wait in the outbox until it is well"
    return Finding("bad", "base URL", f"{base_url} is not well (status {status})", hint)


def _clock(answer: httpx.Response, now: float) -> Iterator[Finding]:
    """By the ``Date`` header, whose seconds are whole."""
    try:
        skew = now - (parsedate_to_datetime(answer.headers["Date"]).timestamp() + 0.5)
    except (KeyError, ValueError, TypeError, OverflowError):
        return
    if abs(skew) <= SKEW:
        yield Finding("ok", "clock", f"within {span(max(1.0, abs(skew)))} of the server's")
        return
    way = "ahead of" if skew > 0 else "behind"
    hint = "synchronise it, or times of calls and retries are wrong"
    yield Finding("warning", "clock", f"{span(abs(skew))} {way} the server's", hint)
