"""The calls of a process that live: two with one id, and those in which nobody ever spoke."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment
from talking import settings_for, talk, until, waiting
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

SAID = (
    "external_id conv-1 is another call's too, whose document is replaced: pass an id that is "
    "unique for each call"
)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if "another call's" in r.getMessage()]


def test_a_second_call_of_an_id_is_named_once(settings: Settings, caplog: pytest.LogCaptureFixture):
    for _ in range(3):  # as three processes, one after another
        with Zelto(settings=settings) as zelto:
            talk(zelto)
            assert zelto.flush()
    assert set(complaints(caplog)) == {SAID}
    (record, *_) = [r for r in caplog.records if r.getMessage() == SAID]
    assert record.levelname == "ERROR"


def test_a_call_whose_id_another_one_has_that_goes_on_is_named(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto:
        first = zelto.call("conv-1", agent_id="a")
        second = zelto.call("conv-1", agent_id="a")
        zelto.flush()
        assert complaints(caplog) == [SAID]
        first.end()
        second.end()
        zelto.flush()
    assert complaints(caplog) == [SAID]


def test_one_that_ended_and_is_forgotten_has_its_id_free_again(
    receiver: RunningReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    unkept = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "outbox", retain=0
    )
    for _ in range(2):
        with Zelto(settings=unkept) as zelto:
            talk(zelto)
            assert zelto.flush()
        assert waiting(tmp_path / "outbox") == []
    assert complaints(caplog) == []


def test_further_revisions_of_a_call_are_its_own(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto:
        zelto.enrich("conv-1", cost=1)
        call = zelto.call("conv-1", agent_id="a")
        call.turn("user", "Hi")
        call.end()
        assert zelto.flush()
        call.metadata({"late": 1})
        assert zelto.flush()
        zelto.enrich("conv-1", cost=2)
        assert zelto.flush()
    (kept,) = waiting(settings.outbox)
    assert kept.revision == 3
    assert complaints(caplog) == []


def test_calls_in_memory_are_not_taken_for_namesakes(
    receiver: RunningReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    unusable = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "file" / "outbox"
    )
    with Zelto(settings=unusable) as zelto:
        talk(zelto)
        assert zelto.flush()
    assert complaints(caplog) == []


EXITS = """
import sys
from zelto_agents import Zelto
call = Zelto().call("conv-1", agent_id="a", customer={"name": "Ada"})
if len(sys.argv) > 1:
    call.turn("user", "Hi")
Zelto.shared().flush()
del call
"""


def test_a_call_in_which_nobody_spoke_ends_with_its_process(
    receiver: RunningReceiver, tmp_path: Path
):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    subprocess.run([sys.executable, "-c", EXITS], env=env, check=True, timeout=60)
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["sent"]
    assert receiver.raw_count() == 1


def test_a_call_in_which_somebody_spoke_was_cut_off(
    receiver: RunningReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    subprocess.run([sys.executable, "-c", EXITS, "spoken"], env=env, check=True, timeout=60)
    assert [d.state for d in waiting(tmp_path / "outbox")] == ["live"]
    settings = Settings.load(
        {}, api_key=receiver.key, base_url=receiver.url, outbox=tmp_path / "outbox"
    )
    with Zelto(settings=settings) as zelto:
        talk(zelto, "other")
        found = receiver.wait_for("conv-1", 20)
        until(lambda: [d.state for d in waiting(tmp_path / "outbox")] == ["sent", "sent"])
    assert found["endedReason"] == "agent-process-died"
    assert re.search(
        r"call conv-1 was cut off when its process died; "
        r"what is known up to \d\d:\d\d:\d\d is sent\n",
        caplog.text,
    )


def test_what_was_cut_off_and_cannot_be_sent_yet_is_not_called_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    code = EXITS.replace('agent_id="a"', "version=None")
    env = environment(tmp_path / "outbox")
    subprocess.run([sys.executable, "-c", code, "spoken"], env=env, check=True, timeout=60)
    with Zelto(settings=settings_for("http://127.0.0.1:9", tmp_path)) as zelto:
        talk(zelto, "other")
        until(lambda: "is held until an agent is named" in caplog.text)


def test_an_enrichment_without_a_key_is_told_to_wait_for_one(
    receiver: RunningReceiver, tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
):
    with Zelto(settings=settings) as zelto:
        talk(zelto)
        assert zelto.flush()
    keyless = Settings.load({}, base_url=receiver.url, outbox=settings.outbox)
    with Zelto(settings=keyless) as zelto:
        zelto.enrich("conv-1", cost=1)
        zelto.flush()
    assert "no call conv-1" not in caplog.text
    assert (
        "the enrichment of call conv-1 waits for a usable ZELTO_API_KEY and ZELTO_BASE_URL"
    ) in caplog.text
