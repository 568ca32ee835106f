"""``zelto-agents outbox retry``: what was refused goes out again, once it was mended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from commands import KEY, NOWHERE, a_put, environment, gone, leave, opened, run, states
from zelto_agents.outbox import Gatekeeper, Outcome
from zelto_agents.receiver import RunningReceiver

REFUSED = Outcome("dead", status=400, details="no")


def test_dead_letters_are_delivered_by_the_next_drain(store: str, receiver: RunningReceiver):
    for name in ("conv-1", "conv-2"):
        gone(REFUSED, store, name, receiver.url)
    env = environment(store, receiver.url, receiver.key)
    done = run("outbox", "retry", "--all-dead", env=env)
    assert (done.code, done.errors) == (0, "")
    assert done.out == "2 due now; a running agent sends them, or zelto-agents drain at once\n"
    assert states(store) == {"conv-1": "due", "conv-2": "due"}
    assert run("drain", env=env).code == 0
    assert receiver.wait_for("conv-1")
    assert receiver.wait_for("conv-2")


def test_one_can_be_named_whether_dead_or_waiting_or_sent(store: str):
    gone(REFUSED, store, "dead")
    gone(Outcome("sent", status=200), store, "sent")
    gone(Outcome("due", due_at=time.time() + 900, status=503), store, "waiting")
    done = run("outbox", "retry", "dead", "sent", "waiting", "--json", env=environment(store))
    assert (done.code, done.json) == (0, {"due": 3, "not_due": {}, "elsewhere": {}})
    with opened(store) as engine:
        assert {(d.state, d.status) for d in engine.deliveries()} == {("due", None)}
        assert all(d.due_at <= time.time() for d in engine.deliveries())


def test_what_cannot_be_sent_again_is_named_with_the_reason(tmp_path: Path):
    place, now = tmp_path / "outbox", time.time()
    gone(REFUSED, place, "dead")
    with opened(place) as engine:
        engine.put(a_put("agentless", held=True), now=now)
        engine.put(a_put("flying", due_at=now), now=now)
        engine.claim(NOWHERE, now=now, lease=60, gatekeeper=Gatekeeper("k"), external_id="flying")
        engine.enrich(NOWHERE, "callless", {"cost": 1}, now=now)
        engine.journal("j1", NOWHERE, "live", [b"{}"], now=now)
        names = ("dead", "agentless", "flying", "callless", "live", "unknown")
        done = run("outbox", "retry", *names, env=environment(place))
    assert done.code == 1
    assert done.out.startswith("1 due now; ")
    assert done.errors.splitlines() == [
        "zelto-agents outbox retry: agentless: it is held: set ZELTO_AGENT_ID and drain",
        "zelto-agents outbox retry: flying: it is being sent, or has no document",
        "zelto-agents outbox retry: callless: only an enrichment is here, its call is not",
        "zelto-agents outbox retry: live: the call is going on",
        "zelto-agents outbox retry: unknown: no such delivery is kept here",
    ]


def test_nothing_named_is_wrong_usage(tmp_path: Path):
    done = run("outbox", "retry", env=environment(tmp_path / "outbox"))
    assert done.code == 2
    assert "--all-dead" in done.errors


def test_what_waits_for_a_mistaken_base_url_goes_to_yours(store: str, receiver: RunningReceiver):
    leave(store, "conv-1")
    leave(store, "conv-2", agent=None)
    env = environment(store, receiver.url, receiver.key)
    done = run("outbox", "retry", "--from", f"{NOWHERE}/", env=env)
    assert (done.code, done.errors) == (0, "")
    assert done.out == (
        f"2 go to {receiver.url} now; a running agent sends them, or zelto-agents drain at once\n"
    )
    assert run("drain", env={**env, "ZELTO_AGENT_ID": "a"}).code == 0
    assert receiver.wait_for("conv-1")
    assert receiver.wait_for("conv-2")


@pytest.mark.parametrize(
    ("source", "key", "why"),
    [
        (NOWHERE, KEY, f"nothing waits for {NOWHERE}, or it is being sent just now"),
        ("http://127.0.0.1:8", KEY, "http://127.0.0.1:8 is where your calls go"),
        (NOWHERE, None, "set ZELTO_API_KEY and ZELTO_BASE_URL to where they are to go"),
    ],
    ids=["nothing waits", "the same", "no key"],
)
def test_nothing_is_moved_without_a_reason_to(
    source: str, key: str | None, why: str, tmp_path: Path
):
    gone(REFUSED, tmp_path / "outbox", "dead")
    env = environment(tmp_path / "outbox", "http://127.0.0.1:8", key)
    done = run("outbox", "retry", "--from", source, env=env)
    assert done.code == 1
    assert done.errors == f"zelto-agents outbox retry: {why}\n"
    assert states(tmp_path / "outbox") == {"dead": "dead"}


@pytest.mark.parametrize("words", [("--from", "no url"), ("--from", NOWHERE, "--all-dead")])
def test_what_is_to_be_moved_is_said_plainly(words: tuple[str, ...], tmp_path: Path):
    assert run("outbox", "retry", *words, env=environment(tmp_path / "outbox")).code == 2


def test_a_call_that_is_due_for_another_base_url_is_told_so(store: str, receiver: RunningReceiver):
    leave(store, "conv-1")
    env = environment(store, receiver.url, receiver.key)
    done = run("outbox", "retry", "conv-1", "--json", env=env)
    told = {"due": 1, "not_due": {}, "elsewhere": {"conv-1": NOWHERE}}
    assert (done.code, done.json) == (0, told)
    assert done.errors == (
        f"conv-1 waits for {NOWHERE}: drain with ZELTO_BASE_URL={NOWHERE}, "
        f"or send it to yours: zelto-agents outbox retry --from {NOWHERE}\n"
    )
