"""Who the caller is, and when and why they left, from what a room tells."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc
from livekit.agents import JobContext
from livekit.plugins.zelto._room import RoomWatch

from zelto_agents.facts import CustomerKnown, Fact, MetadataKnown

SIP = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
STANDARD = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD


class Room(rtc.EventEmitter[str]):
    def __init__(self, *present: Any) -> None:
        super().__init__()
        self.remote_participants = {person.identity: person for person in present}


def person(identity: str = "ada", kind: int = STANDARD, **more: Any) -> Any:
    defaults = {"name": "", "attributes": {}, "disconnect_reason": None}
    return SimpleNamespace(identity=identity, kind=kind, **(defaults | more))


def watched(*present: Any) -> tuple[Room, RoomWatch, list[Fact]]:
    room, facts = Room(*present), list[Fact]()
    watch = RoomWatch(cast("JobContext", SimpleNamespace(room=room)), facts.append)
    watch.start()
    watch.look_around()
    return room, watch, facts


def customers(facts: list[Fact]) -> list[tuple[str | None, str | None]]:
    return [(fact.number, fact.name) for fact in facts if isinstance(fact, CustomerKnown)]


def test_a_caller_who_was_there_before_us_is_met_once_we_look():
    caller = person(kind=SIP, name="Ada", attributes={"sip.phoneNumber": "+15550100"})
    _, _, facts = watched(caller)
    assert customers(facts) == [("+15550100", "Ada")]


def test_livekits_default_name_of_a_phone_is_no_name():
    caller = person(kind=SIP, name="Phone +15550100", attributes={"sip.phoneNumber": "+15550100"})
    assert customers(watched(caller)[2]) == [("+15550100", None)]


def test_ids_of_the_telephone_call_go_to_metadata():
    room, _, facts = watched()
    room.emit("participant_connected", person(kind=SIP, attributes={"sip.callID": "SCL_1"}))
    (fact,) = [fact for fact in facts if isinstance(fact, MetadataKnown)]
    assert fact.values == {"livekit": {"sip": {"callID": "SCL_1"}}}


def test_agents_and_second_guests_are_no_callers():
    room, watch, facts = watched(person("bot", AGENT, name="Bot"), person("ada", name="Ada"))
    room.emit("participant_connected", person("eve", name="Eve"))
    room.emit("participant_disconnected", person("eve", name="Eve"))
    assert customers(facts) == [(None, "Ada")]
    assert watch.left_at is None


def test_leaving_is_noted_with_its_time_and_reason():
    room, watch, _ = watched(person())
    before = time.time()
    room.emit("participant_disconnected", person(disconnect_reason=1))
    assert watch.left_at is not None
    assert before <= watch.left_at <= time.time()
    assert watch.disconnect_reason == "CLIENT_INITIATED"


def test_who_comes_back_has_not_left():
    room, watch, _ = watched(person())
    room.emit("participant_disconnected", person())
    room.emit("participant_connected", person())
    assert (watch.left_at, watch.disconnect_reason) == (None, None)


def test_a_room_that_the_server_closed_ends_the_call_unless_the_caller_left_before():
    room, watch, _ = watched(person())
    room.emit("disconnected", rtc.DisconnectReason.ROOM_DELETED)
    assert (watch.room_gone, watch.disconnect_reason) == (True, "ROOM_DELETED")
    room, watch, _ = watched(person())
    room.emit("participant_disconnected", person(disconnect_reason=1))
    room.emit("disconnected", rtc.DisconnectReason.ROOM_CLOSED)
    assert watch.disconnect_reason == "CLIENT_INITIATED"


def test_our_own_leaving_is_no_news():
    room, watch, _ = watched(person())
    room.emit("disconnected", rtc.DisconnectReason.CLIENT_INITIATED)
    assert (watch.room_gone, watch.left_at) == (False, None)


def test_a_room_of_mocks_as_in_the_console_harms_nothing():
    from unittest.mock import MagicMock

    assert customers(watched(MagicMock(identity="mock", kind=STANDARD))[2]) == []
