"""A share of the calls alone: of the others nothing is kept, and nothing is sent."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from talking import talk, waiting
from zelto_agents import Settings, Zelto
from zelto_agents._sampling import sampled
from zelto_agents.receiver import RunningReceiver

IDS = [f"call-{number}" for number in range(40)]
CHOSEN = {one for one in IDS if sampled(one, 0.25)}
BODY = {"agent": {"externalId": "support"}, "transcript": {"turns": []}}


def test_of_what_is_not_sampled_nothing_is_on_disk_or_sent(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=replace(settings, sample=0.25)) as zelto:
        for one in IDS:
            talk(zelto, one)
        assert zelto.flush(20)
        assert {d.external_id for d in waiting(settings.outbox)} == CHOSEN
    assert {d["externalId"] for d in receiver.deliveries()} == CHOSEN


def test_an_enrichment_elsewhere_of_a_call_that_is_not_sampled_is_dropped_silently(
    settings: Settings, receiver: RunningReceiver, caplog: pytest.LogCaptureFixture
):
    left_out = next(one for one in IDS if one not in CHOSEN)
    with caplog.at_level(logging.DEBUG, "zelto_agents"):
        with Zelto(settings=replace(settings, sample=0.25)) as zelto:
            talk(zelto, left_out)
            zelto.enrich(left_out, cost=0.02, recording_url="https://example.com/a.ogg")
            zelto.upload({"call": {"externalId": left_out}, **BODY})
            assert zelto.flush(20)
    assert waiting(settings.outbox) == []
    assert receiver.raw_count() == 0
    told = [record for record in caplog.records if record.name == "zelto_agents"]
    assert {record.levelno for record in told} == {logging.DEBUG}
    assert sum("is not sampled" in record.getMessage() for record in told) == 3


def test_canonical_uploads_are_sampled_by_their_id_and_native_ones_are_not(
    settings: Settings, receiver: RunningReceiver
):
    with Zelto(settings=replace(settings, sample=0.25)) as zelto:
        for one in IDS:
            zelto.upload({"call": {"externalId": one}, **BODY})
        zelto.upload({"message": {"type": "status-update"}}, provider="vapi")
        assert zelto.flush(20)
    found = receiver.deliveries()
    assert {d["externalId"] for d in found if d["provider"] == "zelto"} == CHOSEN
    assert len([d for d in found if d["provider"] == "vapi"]) == 1


def test_the_call_object_of_one_that_is_not_sampled_works_and_does_nothing(tmp_path: Path):
    folder = tmp_path / "none"
    with Zelto(settings=Settings.load({}, outbox=folder, sample=0)) as zelto:
        with zelto.call("conv-1", metadata={"a": 1}, customer={"name": "Ada"}) as call:
            call.turn("user", "Hi", start=0.4, end=1.1)
            call.tool("look", {"a": 1}, result=2)
            call.recording("https://example.com/a.ogg")
            call.cost(0.5)
        assert call.external_id == "conv-1"
        assert zelto.flush()
    assert waiting(folder) == []


@pytest.mark.parametrize("value", ["2", "-0.1", "half", "nan"])
def test_a_share_that_is_none_is_named_and_all_are_collected(value: str):
    loaded = Settings.load({"ZELTO_SAMPLE": value})
    assert loaded.sample == 1
    assert "ZELTO_SAMPLE is not usable: expected a number from 0 to 1" in loaded.problems[0]
