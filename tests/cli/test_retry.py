"""``zelto-agents outbox retry``: what was refused goes out again, once it was mended."""

from __future__ import annotations

import time
from pathlib import Path

from commands import NOWHERE, a_put, environment, gone, leave, opened, run, states
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
    assert (done.code, done.json) == (0, {"due": 3, "not_due": {}})
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
    assert done.out == "2 due now; a running agent sends them, or zelto-agents drain at once\n"
    assert run("drain", env={**env, "ZELTO_AGENT_ID": "a"}).code == 0
    assert receiver.wait_for("conv-1")
    assert receiver.wait_for("conv-2")


def test_from_where_nothing_waits_nothing_becomes_due(store: str, receiver: RunningReceiver):
    leave(store, "conv-1", url=receiver.url, key="zk_wrong")
    env = environment(store, receiver.url, receiver.key)
    for url, why in (
        (NOWHERE, "nothing waits for it"),
        (receiver.url, "that is where your calls go"),
    ):
        done = run("outbox", "retry", "--from", url, env=env)
        assert (done.code, done.out) == (1, "nothing became due\n")
        assert done.errors == f"zelto-agents outbox retry: {url}: {why}\n"


def test_a_call_that_is_due_for_another_base_url_is_told_so(store: str, receiver: RunningReceiver):
    leave(store, "conv-1")
    done = run("outbox", "retry", "conv-1", env=environment(store, receiver.url, receiver.key))
    assert (done.code, done.out) == (
        0,
        "1 due now; a running agent sends them, or zelto-agents drain at once\n",
    )
    assert done.errors == (
        f"conv-1 waits for {NOWHERE}: drain with ZELTO_BASE_URL={NOWHERE}, "
        f"or send it to yours: zelto-agents outbox retry --from {NOWHERE}\n"
    )
