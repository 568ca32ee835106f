"""An egress that outlives the job: another process finds its recording, or a webhook tells of it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from commands import run
from recording.servers import Request, WebServer, said
from recording.test_egress_webhook import KEY, SECRET, signed, webhook
from shelf import FROM_HERE, Shelf, audio_of
from talking import until
from test_enrichment import bodies, environment_of, settings  # noqa: F401 - a fixture
from zelto_agents import Settings, Zelto
from zelto_agents.facts import RecordingAwaited
from zelto_agents.outbox import Pending
from zelto_agents.outbox.sqlite import SqliteOutbox
from zelto_agents.receiver import RunningReceiver, run_in_thread
from zelto_agents.recording import WebhookError

SOUND = b"OggS" + bytes(5000)
JOB = """
import json
from zelto_agents import Zelto
from zelto_agents.facts import RecordingAwaited
with Zelto() as zelto, zelto.call("conv-1", agent_id="support") as call:
    call.turn("user", "Hi", start=0.1, end=0.4)
    room = json.dumps({"room": "support", "after": int(call.started_at)})
    call.add(RecordingAwaited(at=call.started_at, where="livekit-egress", reference=room))
"""


@pytest.fixture
def receiver() -> Iterator[RunningReceiver]:
    """One that may fetch from this machine."""
    with run_in_thread(limits=FROM_HERE) as running:
        yield running


class LiveKit:
    """Stands in for the egress API of LiveKit's server: one egress of the room ``support``."""

    def __init__(self, web: WebServer, shelf: Shelf) -> None:
        self.environment = {
            "LIVEKIT_URL": web.url.replace("http", "ws", 1),
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
        }
        self.asked: list[Any] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.item: dict[str, Any] = {
            "egress_id": "EG_1",
            "room_name": "support",
            "status": "EGRESS_ACTIVE",
        }
        self._shelf = shelf
        web.resources["/twirp/livekit.Egress/ListEgress"] = self._list

    def _list(self, request: Request) -> Any:
        item = dict(self.item)
        self.asked.append(request.json)
        self.may_answer.wait(20)
        return said({"items": [item]})

    def complete(self) -> None:
        """The egress has written its file."""
        (self._shelf.folder / "egress.ogg").write_bytes(SOUND)
        location = f"{self._shelf.url}/egress.ogg"
        self.item["status"] = "EGRESS_COMPLETE"
        self.item["file_results"] = [{"filename": "egress.ogg", "location": location}]


@pytest.fixture
def livekit(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveKit]:
    with WebServer() as web:
        known = LiveKit(web, shelf)
        for name, value in known.environment.items():
            monkeypatch.setenv(name, value)
        yield known


def test_it_is_found_after_the_jobs_process_is_gone(
    settings: Settings,  # noqa: F811 - the fixture
    receiver: RunningReceiver,
    shelf: Shelf,
    livekit: LiveKit,
):
    env = environment_of(settings, shelf)
    subprocess.run([sys.executable, "-c", JOB], env=env, check=True, timeout=60)
    early = run("drain", env=env)
    assert (early.code, early.errors) == (1, "1 x recording: the egress is not over yet\n")
    assert receiver.wait_for("conv-1")["metadata"]["zelto"]["recording"] == {
        "state": "awaited",
        "from": "livekit-egress",
    }
    livekit.complete()
    assert run("drain", env=env).code == 0
    assert audio_of(receiver) == SOUND
    assert {asked.get("room_name") for asked in livekit.asked} == {"support"}


def test_a_webhook_saves_the_asking(
    settings: Settings,  # noqa: F811 - the fixture
    receiver: RunningReceiver,
    livekit: LiveKit,
):
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.add(
                RecordingAwaited(
                    at=call.started_at,
                    where="livekit-egress",
                    reference=json.dumps({"room": "support"}),
                )
            )
        receiver.wait_for("conv-1")
        livekit.complete()
        body = webhook()
        with pytest.raises(WebhookError):
            zelto.egress_ended(body, signed(body, secret="another" * 6))
        zelto.egress_ended(body, signed(body))
        assert audio_of(receiver) == SOUND
    assert bodies(receiver)[-1]["metadata"]["zelto"]["recording"]["state"] == "found"


def test_a_webhook_counts_although_somebody_asks_just_then(
    settings: Settings,  # noqa: F811 - the fixture
    receiver: RunningReceiver,
    livekit: LiveKit,
):
    livekit.may_answer.clear()
    with Zelto(settings=settings) as zelto:
        with zelto.call("conv-1", agent_id="support") as call:
            call.turn("user", "Hi")
            call.recording(egress="EG_1")
        until(lambda: livekit.asked != [])
        livekit.complete()
        body = webhook()
        zelto.egress_ended(body, signed(body))
        until(lambda: [one.lease_until for one in awaited(settings)] == [0])
        livekit.may_answer.set()
        assert audio_of(receiver) == SOUND


def awaited(settings: Settings) -> list[Pending]:  # noqa: F811 - the fixture's value
    with contextlib.closing(SqliteOutbox(settings.outbox)) as outbox:
        return outbox.pending()
