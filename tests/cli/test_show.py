"""``zelto-agents outbox show``: everything that is known of one delivery."""

from __future__ import annotations

import json
import time
from pathlib import Path

from commands import NOWHERE, a_put, environment, gone, opened, run
from zelto_agents.outbox import Outcome

REFUSED = Outcome("dead", status=422, details='{"error": "Validation failed"}')


def test_a_dead_letter_is_shown_with_status_and_details(store: str):
    gone(REFUSED, store, "conv-1")
    done = run("outbox", "show", "conv-1", env=environment(store))
    assert done.code == 0
    lines = dict(line.split(":", 1) for line in done.out.splitlines())
    known = {name: lines[name].strip() for name in ("state", "status", "details", "attempts")}
    assert known == {
        "state": "dead",
        "status": "422",
        "details": '{"error": "Validation failed"}',
        "attempts": "1",
    }
    assert "secret" not in done.out


def test_the_document_is_as_it_would_be_sent_and_alone(store: str):
    with opened(store) as engine:
        engine.put(a_put("conv-1"), now=time.time())
        engine.enrich(NOWHERE, "conv-1", {"call": {"cost": 0.5}}, now=time.time())
    env = environment(store)
    document = run("outbox", "show", "conv-1", "--document", env=env).json
    assert document["call"] == {"externalId": "conv-1", "cost": 0.5}
    assert document["transcript"]["turns"][0]["content"] == "my secret words"
    both = run("outbox", "show", "conv-1", "--document", "--json", env=env).json
    assert [d["document"] for d in both["deliveries"]] == [document]
    assert both["deliveries"][0]["revision"] == 2


def test_the_agent_of_the_settings_is_filled_in_as_it_would_be(tmp_path: Path):
    body = json.dumps({"call": {"externalId": "conv-1"}}).encode()
    with opened(tmp_path / "outbox") as engine:
        put = a_put("conv-1", held=True)
        engine.put(type(put)(put.base_url, "conv-1", body, held=True), now=time.time())
    env = environment(tmp_path / "outbox", ZELTO_AGENT_ID="support")
    document = run("outbox", "show", "conv-1", "--document", env=env).json
    assert document["agent"] == {"externalId": "support"}


def test_an_enrichment_without_its_call_explains_itself(tmp_path: Path):
    with opened(tmp_path / "outbox") as engine:
        engine.enrich(NOWHERE, "conv-1", {"cost": 1}, now=time.time())
    env = environment(tmp_path / "outbox")
    assert (
        "its call is not kept here (any more): waits for the call to be put again, "
        "dead letter after ZELTO_MAX_AGE" in run("outbox", "show", "conv-1", env=env).out
    )
    done = run("outbox", "show", "conv-1", "--document", env=env)
    assert (done.code, done.out) == (1, "")
    assert "there is no document, only an enrichment that waits for it" in done.errors


def test_a_call_that_the_filter_does_not_want_has_no_document(store: str):
    with opened(store) as engine:
        engine.skip(NOWHERE, "conv-1", "j1", now=time.time())
    done = run("outbox", "show", "conv-1", "--document", env=environment(store))
    assert (done.code, done.out) == (1, "")
    assert "the agent's own filter does not want the call" in done.errors


def test_a_call_that_goes_on_has_no_document_yet(tmp_path: Path):
    with opened(tmp_path / "outbox") as engine:
        engine.journal("j1", NOWHERE, "conv-1", [b"{}"], now=time.time())
    env = environment(tmp_path / "outbox")
    assert "the call is going on" in run("outbox", "show", "conv-1", env=env).out
    done = run("outbox", "show", "conv-1", "--document", env=env)
    assert done.code == 1
    assert "its document is made when it ends" in done.errors


def test_one_that_is_not_here_is_said_in_one_line(tmp_path: Path):
    done = run("outbox", "show", "conv-1", env=environment(tmp_path / "outbox"))
    assert (done.code, done.out) == (1, "")
    assert done.errors == "zelto-agents outbox show: no delivery conv-1 is kept here\n"
