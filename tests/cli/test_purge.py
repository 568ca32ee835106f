"""``zelto-agents outbox purge``: deletes what was sent, and the rest only if that is meant."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from commands import COMMAND, NOWHERE, a_put, environment, gone, opened, run, states
from zelto_agents.outbox import Gatekeeper, Outcome

SENT = Outcome("sent", status=200)
REFUSED = Outcome("dead", status=400)


@pytest.fixture
def filled(store: str) -> str:
    """What was sent, what was refused, and what waits."""
    gone(SENT, store, "sent")
    gone(REFUSED, store, "dead")
    with opened(store) as engine:
        engine.put(a_put("waits"), now=time.time())
    return store


def test_what_was_sent_is_deleted_without_asking(filled: str):
    done = run("outbox", "purge", "--state", "sent", env=environment(filled))
    assert done == (0, "1 deleted\n", "")
    assert states(filled) == {"dead": "dead", "waits": "due"}


def test_what_was_not_sent_needs_a_yes(filled: str):
    done = run("outbox", "purge", "--state", "dead", "--state", "due", env=environment(filled))
    assert (done.code, done.out) == (1, "")
    assert done.errors == (
        "zelto-agents outbox purge: 1 dead, 1 due would be lost: add --yes to delete them\n"
    )
    assert len(states(filled)) == 3
    done = run("outbox", "purge", "--state", "dead", "--yes", "--json", env=environment(filled))
    assert (done.code, done.json) == (0, {"deleted": 1, "left": 0, "not_found": []})
    assert states(filled) == {"sent": "sent", "waits": "due"}


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), ("n", 1, 1)])
def test_on_a_terminal_it_asks(tmp_path: Path, answer: str, code: int, left: int):
    gone(REFUSED, tmp_path / "outbox", "dead")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "w") as terminal, os.fdopen(theirs) as stdin:
        terminal.write(f"{answer}\n")
        terminal.flush()
        done = run("outbox", "purge", "dead", env=environment(tmp_path / "outbox"), stdin=stdin)
    assert (done.code, len(states(tmp_path / "outbox"))) == (code, left)
    assert "1 dead would be lost. Delete?" in done.errors


def test_only_what_has_not_changed_for_so_long_is_deleted(tmp_path: Path):
    place, day = tmp_path / "outbox", 86_400
    with opened(place) as engine:
        engine.put(a_put("old"), now=time.time() - 8 * day)
        engine.put(a_put("new"), now=time.time() - 6 * day)
    done = run("outbox", "purge", "--older-than", "7d", "--yes", env=environment(place))
    assert done == (0, "1 deleted\n", "")
    assert states(place) == {"new": "due"}


def test_all_that_is_asked_has_to_hold(filled: str):
    done = run("outbox", "purge", "sent", "dead", "--state", "sent", env=environment(filled))
    assert (done.code, done.out) == (1, "1 deleted\n")
    assert done.errors == "zelto-agents outbox purge: dead: nothing such is kept here\n"
    assert states(filled) == {"dead": "dead", "waits": "due"}


def test_live_calls_and_what_is_being_sent_are_left_alone(tmp_path: Path):
    place, now = tmp_path / "outbox", time.time()
    with opened(place) as engine:
        engine.journal("j1", NOWHERE, "live", [b"{}"], now=now)
        engine.put(a_put("flying", due_at=now), now=now)
        engine.claim(NOWHERE, now=now, lease=60, gatekeeper=Gatekeeper("k"))
        done = run("outbox", "purge", "--older-than", "0s", "--yes", env=environment(place))
        assert (done.code, done.out) == (1, "0 deleted\n")
        assert "1 left alone: being sent, or changed meanwhile" in done.errors
        assert states(place) == {"live": "live", "flying": "due"}


def test_an_enrichment_that_comes_while_it_asks_is_not_deleted(tmp_path: Path):
    gone(SENT, tmp_path / "outbox", "sent")
    gone(REFUSED, tmp_path / "outbox", "dead")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "w") as terminal, os.fdopen(theirs) as stdin:
        process = subprocess.Popen(
            [COMMAND, "outbox", "purge", "sent", "dead", "--json"],
            env=environment(tmp_path / "outbox"),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        while not process.stderr.read(1).endswith("?"):
            pass
        with opened(tmp_path / "outbox") as engine:
            engine.enrich(NOWHERE, "sent", {"cost": 1}, now=time.time())
        terminal.write("y\n")
        terminal.flush()
        out, _ = process.communicate(timeout=60)
    assert json.loads(out) == {"deleted": 1, "left": 1, "not_found": []}
    assert states(tmp_path / "outbox") == {"sent": "due"}


@pytest.mark.parametrize("options", [[], ["--older-than", "soon"], ["--state", "gone"]])
def test_wrong_usage_deletes_nothing(tmp_path: Path, options: list[str]):
    assert run("outbox", "purge", *options, env=environment(tmp_path / "outbox")).code == 2
