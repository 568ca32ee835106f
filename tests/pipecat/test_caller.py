"""Who calls, and what the call is called, from what each kind of runner gives."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from pipecat.frames.frames import EndFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.types import (
    CallData,
    DailyDialinRequest,
    DailyRunnerArguments,
    DialinSettings,
    LiveKitRunnerArguments,
    RunnerArguments,
    SmallWebRTCRunnerArguments,
    WebSocketRunnerArguments,
)
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.workers.runner import WorkerRunner

from pipecat_zelto import ZeltoObserver, ZeltoProcessor
from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

NO_HANG_UP = TwilioFrameSerializer.InputParams(auto_hang_up=False)


@dataclass
class Told:
    """Arguments, and what the document should say."""

    arguments: RunnerArguments
    external_id: str
    number: str | None = None
    known: dict[str, str] = field(default_factory=dict)


TWILIO = CallData(call_id="CA1", stream_id="MZ1", from_number="+15550100", to_number="+15550199")
TELNYX = CallData(call_id="v3:1", stream_id="s1", from_number="+15550100")
DIAL_IN = DialinSettings(call_id="d1", call_domain="x", From="+15550100", To="+15550199")
CASES = {
    "twilio": Told(
        WebSocketRunnerArguments(websocket=None, transport_type="twilio", call_data=TWILIO),
        "CA1",
        "+15550100",
        {
            "callId": "CA1",
            "streamId": "MZ1",
            "calledNumber": "+15550199",
            "transportType": "twilio",
        },
    ),
    "telnyx": Told(
        WebSocketRunnerArguments(websocket=None, transport_type="telnyx", call_data=TELNYX),
        "v3:1",
        "+15550100",
        {"callId": "v3:1", "streamId": "s1", "transportType": "telnyx"},
    ),
    "daily": Told(
        DailyRunnerArguments(room_url="https://x.daily.co/r", session_id="s-1"),
        "s-1",
        None,
        {"sessionId": "s-1", "roomUrl": "https://x.daily.co/r"},
    ),
    "dialled in": Told(
        DailyRunnerArguments(
            room_url="https://x.daily.co/r",
            body=DailyDialinRequest(
                dialin_settings=DIAL_IN, daily_api_key="secret", daily_api_url="https://x"
            ),
        ),
        "d1",
        "+15550100",
        {"callId": "d1", "calledNumber": "+15550199", "roomUrl": "https://x.daily.co/r"},
    ),
    "webrtc": Told(
        SmallWebRTCRunnerArguments(webrtc_connection=None, session_id="s-2"),
        "s-2",
        None,
        {"sessionId": "s-2"},
    ),
    "livekit": Told(
        LiveKitRunnerArguments(room_name="room", url="wss://x", token="secret", session_id="s-3"),
        "s-3",
        None,
        {"sessionId": "s-3", "roomName": "room"},
    ),
}


def document(
    receiver: RunningReceiver, settings: Settings, *parts: Any, **options: Any
) -> dict[str, Any]:
    """What a pipeline that ends at once leaves."""
    arguments = options.pop("arguments", None)
    worker_options = options.pop("worker", {})

    async def play() -> None:
        zelto = ZeltoProcessor(arguments, zelto=client, **{"agent_id": "a", **options})
        worker = PipelineWorker(Pipeline([*parts, zelto]), **worker_options)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await worker.queue_frames([EndFrame()])
        await runner.run()

    with Zelto(settings=settings) as client:
        asyncio.run(play())
        assert client.flush(20)
    (delivery,) = receiver.deliveries()
    body: dict[str, Any] = json.loads(receiver.raw_body(delivery["id"]) or b"")
    return body


@pytest.mark.parametrize("name", CASES)
def test_the_runner_tells_who_calls_and_what_the_call_is_called(
    receiver: RunningReceiver, settings: Settings, name: str
):
    told = CASES[name]
    body = document(receiver, settings, arguments=told.arguments)
    found = (body["call"]["externalId"], body["call"].get("customer"))
    assert found == (told.external_id, {"number": told.number} if told.number else None)
    pipecat = body["metadata"]["pipecat"]
    del pipecat["endFrame"]
    assert pipecat == told.known


def test_what_the_users_code_says_wins(receiver: RunningReceiver, settings: Settings):
    body = document(
        receiver,
        settings,
        arguments=CASES["twilio"].arguments,
        external_id="mine",
        customer={"number": "+15550123", "name": "Ada"},
        agent_name="Support",
        version="7",
        system_prompt="Be kind.",
        metadata={"tenant": "acme"},
        recording_url="https://recordings.example.com/1.ogg",
    )
    assert body["call"]["externalId"] == "mine"
    assert body["call"]["customer"] == {"number": "+15550123", "name": "Ada"}
    assert body["call"]["recordingUrl"] == "https://recordings.example.com/1.ogg"
    assert body["agent"] == {"externalId": "a", "name": "Support"}
    assert (body["version"], body["systemPrompt"]) == ("7", "Be kind.")
    assert body["metadata"]["tenant"] == "acme"


@pytest.mark.parametrize(
    ("serializer", "external_id"),
    [
        (TwilioFrameSerializer("MZ1", call_sid="CA7", params=NO_HANG_UP), "CA7"),
        (TelnyxFrameSerializer("s1", "PCMU", "PCMU", "v3:7", api_key="unused"), "v3:7"),
    ],
)
def test_an_endpoint_of_ones_own_is_known_by_its_serializer(
    receiver: RunningReceiver, settings: Settings, serializer: Any, external_id: str
):
    class Input(FrameProcessor):
        """An end of a transport, as far as its parameters go."""

        _params = SimpleNamespace(serializer=serializer)

        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            await self.push_frame(frame, direction)

    body = document(receiver, settings, Input())
    assert body["call"]["externalId"] == external_id


def test_the_workers_own_id_and_name_are_known(receiver: RunningReceiver, settings: Settings):
    worker = {"conversation_id": "conv-1", "name": "concierge"}
    body = document(receiver, settings, agent_id=None, worker=worker)
    assert body["call"]["externalId"] == "conv-1"
    assert body["agent"] == {"externalId": "concierge", "name": "concierge"}


def test_a_call_that_nobody_names_has_an_id_of_its_own(
    receiver: RunningReceiver, settings: Settings
):
    assert uuid.UUID(document(receiver, settings)["call"]["externalId"]).version == 4


def test_an_option_that_does_not_exist_is_told_at_once():
    with pytest.raises(TypeError, match=r"no such option: agent; there are: .*agent_id"):
        ZeltoProcessor(agent="support")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no such option: id"):
        ZeltoObserver(id="1")  # type: ignore[call-arg]
