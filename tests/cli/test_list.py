"""``zelto-agents outbox list``: what is kept, and why it is still here."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from commands import NOWHERE, a_put, environment, gone, opened, run
from postgres_server import PostgresServer
from zelto_agents import Settings
from zelto_agents.outbox import Outcome, Pending
from zelto_agents.outbox.sqlite import SqliteOutbox

SENT = Outcome("sent", status=200)
REFUSED = Outcome("dead", status=400, details="version: too long")


@pytest.fixture
def filled(store: str) -> str:
    """One of each state."""
    now = time.time()
    gone(SENT, store, "was-sent")
    gone(REFUSED, store, "was-refused")
    with opened(store) as engine:
        engine.put(a_put("waits", due_at=now + 500), now=now)
        engine.put(a_put("agentless", held=True), now=now)
        engine.enrich(NOWHERE, "callless", {"cost": 1}, now=now)
        engine.journal("j1", NOWHERE, "goes-on", [b"{}"], now=now)
    return store


def test_each_delivery_has_a_row_that_says_why_it_is_there(filled: str):
    done = run("outbox", "list", env=environment(filled))
    assert done.code == 0, done.errors
    rows = {line.split()[0]: line for line in done.out.splitlines()[1:7]}
    assert list(rows) == ["was-refused", "agentless", "callless", "waits", "goes-on", "was-sent"]
    assert "status 400, version: too long" in rows["was-refused"]
    assert "no agent is named: set ZELTO_AGENT_ID" in rows["agentless"]
    assert "waits for the call to be put again" in rows["callless"]
    assert "not tried yet" in rows["waits"]
    assert "in 8 min" in rows["waits"]
    assert "the call is going on" in rows["goes-on"]
    assert "1 live, 1 due, 1 held, 1 dead, 1 sent, 1 awaited; 2 attempts" in done.out


def test_what_was_said_is_not_shown(filled: str):
    for options in ((), ("--json",)):
        assert "secret" not in run("outbox", "list", *options, env=environment(filled)).out


def test_json_is_one_object_with_counts_and_ages(filled: str):
    found = run("outbox", "list", "--json", env=environment(filled)).json
    assert set(found) == {
        "deliveries",
        "recordings",
        "counts",
        "attempts",
        "oldest_waiting_s",
        "bytes",
        "gates",
    }
    states = ["live", "due", "held", "dead", "sent", "awaited"]
    assert found["counts"] == dict.fromkeys(states, 1) | {"skipped": 0}
    assert found["attempts"] == 2
    assert found["bytes"] > 100
    assert found["oldest_waiting_s"] >= 0
    assert found["gates"] == []
    (dead,) = [d for d in found["deliveries"] if d["state"] == "dead"]
    assert (dead["external_id"], dead["status"], dead["details"]) == (
        "was-refused",
        400,
        "version: too long",
    )


def test_states_and_a_number_of_rows_can_be_asked_for(filled: str):
    env = environment(filled)
    asked = run("outbox", "list", "--state", "dead", "--state", "sent", "--json", env=env).json
    assert [d["state"] for d in asked["deliveries"]] == ["dead", "sent"]
    short = run("outbox", "list", "--limit", "2", env=env).out
    assert "4 more: --limit 0 shows all" in short
    assert "waits" not in short.splitlines()[2]
    assert run("outbox", "list", "--state", "gone", env=env).code == 2


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("due", away="key", status=401, key_mark="k1"), "refuses the key"),
        (Outcome("due", away="base_url", status=404), "is no ingest API"),
        (Outcome("due", away="outage", status=503, wait=90), "takes no calls now"),
    ],
)
def test_a_closed_gate_is_told_with_its_reason_and_end(
    tmp_path: Path, outcome: Outcome, words: str
):
    gone(outcome, tmp_path / "outbox", "a")
    env = environment(tmp_path / "outbox")
    out = run("outbox", "list", env=env).out
    assert f"closed: {NOWHERE} {words}" in out
    assert "tried again in " in out
    (gate,) = run("outbox", "list", "--json", env=env).json["gates"]
    assert (gate["base_url"], gate["away"]) == (NOWHERE, outcome.away)
    assert gate["closed_for_s"] > 0


def test_what_the_key_holds_says_whether_yours_is_the_one_that_was_refused(tmp_path: Path):
    gone(Outcome("due", away="key", status=401, key_mark="k1"), tmp_path / "outbox", "a")
    other = run("outbox", "list", env=environment(tmp_path / "outbox")).out
    assert "another key was refused: yours is tried next" in other
    none = run("outbox", "list", env=environment(tmp_path / "outbox", key=None)).out
    assert "the key was refused (status 401): check ZELTO_API_KEY" in none


def test_an_id_or_an_answer_cannot_steer_the_terminal(tmp_path: Path):
    nasty = "\x1b[2J[red]x\ny"
    gone(Outcome("dead", status=400, details=nasty), tmp_path / "outbox", nasty)
    out = run("outbox", "list", env=environment(tmp_path / "outbox")).out
    assert "\x1b" not in out
    assert "?[2J[red]x y" in out


def test_to_look_at_an_outbox_that_is_not_there_makes_none(tmp_path: Path):
    done = run("outbox", "list", env=environment(tmp_path / "none"))
    assert (done.code, done.out) == (0, "nothing is kept here; 0 attempts; 0 B\n")
    assert done.errors == f"there is no outbox in {tmp_path / 'none'} yet\n"
    assert not (tmp_path / "none").exists()


def test_an_outbox_that_cannot_be_used_is_one_line(tmp_path: Path):
    (tmp_path / "outbox").mkdir(mode=0o700)
    (tmp_path / "outbox" / "outbox.sqlite3").mkdir()
    done = run("outbox", "list", env=environment(tmp_path / "outbox"))
    assert (done.code, done.out, done.errors.count("\n")) == (1, "", 1)
    assert done.errors.startswith("zelto-agents outbox list: the outbox in ")


def test_a_database_that_is_away_is_one_line_without_its_password():
    env = environment("postgresql://zelto:s3cret@127.0.0.1:9/zelto")
    done = run("outbox", "list", env=env)
    assert (done.code, done.out) == (1, "")
    assert "zelto-agents outbox list: the outbox at 127.0.0.1:9/zelto cannot be used" in done.errors
    assert "s3cret" not in done.errors


def test_a_very_long_id_is_cut_in_the_table_and_whole_in_json(store: str):
    with opened(store) as engine:
        engine.put(a_put("x" * 300), now=time.time())
    assert run("outbox", "list", env=environment(store)).out.splitlines()[1].split()[0] == (
        "x" * 63 + "…"
    )
    (found,) = run("outbox", "list", "--json", env=environment(store)).json["deliveries"]
    assert found["external_id"] == "x" * 300


def test_an_enrichment_that_was_made_without_a_key_waits_for_one(tmp_path: Path):
    with opened(tmp_path / "outbox") as engine:
        engine.enrich("", "conv-1", {"cost": 1}, now=time.time())
    done = run("outbox", "list", env=environment(tmp_path / "outbox"))
    assert "made without a usable key or base URL: drain, or an agent" in done.out


def test_a_file_of_this_host_is_listed_whose_call_is_in_a_database(
    postgres: PostgresServer,
):
    place = postgres.fresh_database()
    env = environment(place)
    settings = Settings.load(env)
    with opened(place) as engine:
        engine.put(a_put("recorded"), now=time.time())
    with contextlib.closing(SqliteOutbox(settings.outbox)) as here:
        awaited = Pending(NOWHERE, "recorded", "file:/a.wav", "file", "/a.wav")
        here.expect(awaited, now=time.time())
    listed = run("outbox", "list", "--json", env=env)
    assert listed.code == 0, listed.errors
    recordings = listed.json["recordings"]
    assert [(one["external_id"], one["name"]) for one in recordings] == [
        ("recorded", "file:/a.wav")
    ]
    drained = run("drain", env=env)
    assert "recording: " in drained.errors
    postgres.drop(place)
