"""The real ``zelto-agents`` command, as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from talking import talk
from zelto_agents import Settings, Zelto
from zelto_agents.outbox import Gatekeeper, Outcome, Put
from zelto_agents.outbox._engine import Engine
from zelto_agents.outbox.postgres import PostgresOutbox
from zelto_agents.outbox.sqlite import SqliteOutbox

COMMAND = str(Path(sys.executable).with_name("zelto-agents"))
NOWHERE = "http://127.0.0.1:9"
KEY = "zk_secret_1"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    errors: str

    @property
    def json(self) -> Any:
        """The one object that it printed."""
        return json.loads(self.out)


def environment(
    outbox: object, url: str = NOWHERE, key: str | None = KEY, **more: str
) -> dict[str, str]:
    """What a command is told; tests clear all other variables of ours."""
    known = {"ZELTO_OUTBOX": str(outbox), "ZELTO_BASE_URL": url, "ZELTO_API_KEY": key or ""}
    return {**os.environ, **known, **more}


def run(*arguments: str, env: dict[str, str], **more: Any) -> Ended:
    """One command, from its start to its end."""
    done = subprocess.run(
        [COMMAND, *arguments],
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        **{"stdin": subprocess.DEVNULL, **more},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def running(*arguments: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A command for the length of a ``with`` block; killed if it is still there at its end."""
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def opened(place: object) -> Iterator[Engine]:
    """The outbox at a URL or in a folder."""
    text = str(place)
    engine: Engine = (
        PostgresOutbox(text) if text.startswith("postgresql:") else SqliteOutbox(Path(text))
    )
    with contextlib.closing(engine):
        yield engine


def states(place: object) -> dict[str, str]:
    """What state each call is in."""
    with opened(place) as engine:
        return {d.external_id: d.state for d in engine.deliveries()}


def leave(
    place: object, *names: str, url: str = NOWHERE, key: str = KEY, agent: str | None = "a"
) -> None:
    """Calls that an agent made, tried once and left."""
    settings = Settings.load({}, api_key=key, base_url=url, outbox=str(place))
    with Zelto(settings=settings) as zelto:
        for name in names:
            talk(zelto, name, agent_id=agent)
        zelto.flush()


def a_put(external_id: str, url: str = NOWHERE, **more: Any) -> Put:
    """A small document that says its id, and a secret."""
    turns = [{"role": "user", "content": "my secret words"}]
    body = {
        "agent": {"externalId": "a"},
        "call": {"externalId": external_id},
        "transcript": {"turns": turns},
    }
    return Put(url, external_id, json.dumps(body).encode(), **more)


def gone(outcome: Outcome, place: object, external_id: str, url: str = NOWHERE) -> None:
    """A call that was put, tried once by somebody, and answered so."""
    now = time.time()
    with opened(place) as engine:
        engine.put(a_put(external_id, url, due_at=now), now=now)
        who = Gatekeeper("k1")
        (claim,) = engine.claim(url, now=now, lease=60, gatekeeper=who, external_id=external_id)
        assert engine.settle([(claim, outcome)], now=now) == [True]
