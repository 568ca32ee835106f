"""What is told of a call after its end."""

from __future__ import annotations

import json
from typing import Any

from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver


def bodies(receiver: RunningReceiver) -> list[dict[str, Any]]:
    return [json.loads(receiver.raw_body(d["id"]) or b"") for d in receiver.deliveries("conv-1")]


def test_what_is_told_after_the_end_makes_another_revision(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi", start=0.4, end=1.1)
        assert zelto.flush()
        call.recording("https://example.com/a.ogg")
        assert zelto.flush()
    first, second = bodies(receiver)
    first["call"]["recordingUrl"] = "https://example.com/a.ogg"
    assert second == first


def test_what_changes_nothing_is_not_sent_again(settings: Settings, receiver: RunningReceiver):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi", start=0.4, end=1.1)
        assert zelto.flush()
        call.end()
        assert zelto.flush()
    assert len(bodies(receiver)) == 1


def test_an_enrichment_outlives_what_is_told_after_it(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi", start=0.4, end=1.1)
        assert zelto.flush()
        zelto.enrich("conv-1", cost=0.5)
        assert zelto.flush()
        call.metadata({"outcome": "sold"})
        assert zelto.flush()
    newest = bodies(receiver)[-1]
    assert newest["call"]["cost"] == 0.5
    assert newest["metadata"] == {"outcome": "sold"}
