"""An older revision never has the last word, however late a server applies what it was sent."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from faults.behaviours import late
from faults.door import Network
from faults.judge import until
from zelto_agents import Settings, Zelto, policy, uploader
from zelto_agents.outbox import _deliveries
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver

CALLS = 240
SEED = 20261123
AT_ONCE = 60
SHARE = 0.15
LATE = 4.0


def hold_and_enrich(zelto: Zelto, chance: random.Random) -> list[str]:
    """Calls in revision 1; each is enriched once it was tried, or a moment after its end."""
    names = [f"call-{number}" for number in range(CALLS)]
    for first in range(0, CALLS, AT_ONCE):
        together = names[first : first + AT_ONCE]
        for name in together:
            with zelto.call(name, agent_id="proof", metadata={"revision": 1}) as call:
                call.turn("user", "Hi", start=0.4, end=1.1)
        chance.shuffle(together)
        for number, name in enumerate(together):
            if number == AT_ONCE // 5:
                zelto.flush(10)
            zelto.enrich(name, metadata={"revision": 2}, cost=0.0123)
    return names


def all_sent(folder: Path) -> bool:
    outbox = SqliteOutbox(folder)
    try:
        return {one.state for one in outbox.deliveries()} == {"sent"}
    finally:
        outbox.close()


def applied(receiver: RunningReceiver, name: str) -> list[int]:
    """The revisions of a call, in the order in which the receiver applied them."""
    bodies = [receiver.raw_body(entry["id"]) or b"" for entry in receiver.deliveries(name)]
    return [json.loads(body)["metadata"]["revision"] for body in bodies]


@pytest.mark.exhaustive
def test_the_newest_of_two_revisions_is_applied_last_every_time(
    receiver: RunningReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_deliveries, "SETTLING", LATE + 2.0)
    monkeypatch.setattr(uploader, "TOTAL_TIMEOUT", 1.0)
    monkeypatch.setattr(policy, "FIRST_RETRY", 0.2)
    with Network() as doors:
        door = doors.door(receiver.url, late(SHARE, LATE, SEED))
        settings = Settings.load(
            {}, api_key=receiver.key, base_url=door.url, outbox=tmp_path / "outbox"
        )
        with Zelto(settings=settings) as zelto:
            names = hold_and_enrich(zelto, random.Random(SEED))
            assert until(lambda: all_sent(settings.outbox) and doors.idle, 120, every=0.5)
    receiver.wait_until_ingested()
    histories = {name: applied(receiver, name) for name in names}
    last = Counter(history[-1] for history in histories.values())
    assert last == {2: CALLS}
    # It was not for want of trying: late ones did come after the newest, and were put right.
    overtaken = [h for h in histories.values() if 1 in h[h.index(2) :]]
    assert overtaken
    assert {receiver.conversation(name)["metadata"]["revision"] for name in names} == {2}  # type: ignore[index]
