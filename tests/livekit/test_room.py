"""Who the caller is, and when and why they left, from what a room tells."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from livekit import rtc
from livekit.plugins.zelto._room import RoomWatch

from zelto_agents.facts import CustomerKnown, Fact, MetadataKnown, RecordingAwaited

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


def watched(*present: Any, room_io: Any = None) -> tuple[Room, RoomWatch, list[Fact]]:
    room, facts = Room(*present), list[Fact]()
    watch = RoomWatch(facts.append, lambda: room_io)
    watch.follow(room)
    watch.look_around()
    return room, watch, facts


def told(facts: list[Fact]) -> dict[str, Any]:
    """The newest of what goes to the metadata."""
    return [dict(fact.values) for fact in facts if isinstance(fact, MetadataKnown)][-1]["livekit"]


def customers(facts: list[Fact]) -> list[tuple[str | None, str | None]]:
    return [(fact.number, fact.name) for fact in facts if isinstance(fact, CustomerKnown)]


def test_a_caller_who_was_there_before_us_is_met_once_we_look():
    caller = person(kind=SIP, name="Ada", attributes={"sip.phoneNumber": "+15550100"})
    _, _, facts = watched(caller)
    assert customers(facts) == [("+15550100", "Ada")]


def test_livekits_default_name_of_a_phone_is_no_name():
    caller = person(kind=SIP, name="Phone +15550100", attributes={"sip.phoneNumber": "+15550100"})
    assert customers(watched(caller)[2]) == [("+15550100", None)]


def test_ids_and_direction_of_the_telephone_call_go_to_metadata():
    room, _, facts = watched()
    attributes = {
        "sip.callID": "SCL_1",
        "sip.callIDFull": "7f@carrier",
        "sip.trunkID": "ST_1",
        "sip.ruleID": "SDR_1",
        "sip.trunkPhoneNumber": "+15550199",
        "sip.twilio.callSid": "CA1",
        "sip.h.X-Secret": "no",
    }
    room.emit("participant_connected", person(kind=SIP, attributes=attributes))
    assert told(facts) == {
        "sip": {
            "callID": "SCL_1",
            "callIDFull": "7f@carrier",
            "trunkID": "ST_1",
            "ruleID": "SDR_1",
            "trunkPhoneNumber": "+15550199",
            "twilio.callSid": "CA1",
            "direction": "inbound",
        }
    }


def test_without_a_dispatch_rule_the_call_went_out():
    _, _, facts = watched(person(kind=SIP, attributes={"sip.callID": "SCL_1"}))
    assert told(facts)["sip"]["direction"] == "outbound"


def test_a_number_that_comes_late_is_caught():
    room, _, facts = watched(person(kind=SIP, attributes={}))
    late = person(kind=SIP, attributes={"sip.phoneNumber": "+15550100"})
    room.emit("participant_attributes_changed", ["sip.phoneNumber"], late)
    room.emit("participant_attributes_changed", ["sip.callStatus"], late)
    assert customers(facts) == [("+15550100", None)]


def test_a_caller_from_the_web_is_known_by_identity():
    _, _, facts = watched(person("user-7", name="Ada"))
    assert customers(facts) == [(None, "Ada")]
    assert told(facts) == {"callerIdentity": "user-7"}


def test_the_participant_whom_the_session_listens_to_is_the_caller():
    ada = person("ada", name="Ada")
    room_io = SimpleNamespace(linked_participant=None)
    room, watch, facts = watched(person("supervisor", name="Eve"), ada, room_io=room_io)
    assert facts == [], "the session has not chosen yet"
    room_io.linked_participant = ada
    watch.look_around()
    assert customers(facts) == [(None, "Ada")]
    room.emit("participant_disconnected", person("supervisor"))
    assert watch.left_at is None


def test_when_the_session_turns_to_somebody_else_nothing_of_the_first_one_is_left():
    bob = person("bob", name="")
    room_io = SimpleNamespace(
        linked_participant=person("ada", SIP, name="Ada", attributes={"sip.callID": "SCL_1"})
    )
    room, watch, facts = watched(room_io=room_io)
    room.emit("participant_disconnected", person("ada", SIP, disconnect_reason=1))
    room_io.linked_participant = bob
    watch.look_around()
    assert (watch.left_at, watch.disconnect_reason) == (None, None)
    assert customers(facts)[-1] == (None, None)
    assert told(facts) == {"sip": None, "callerIdentity": "bob"}
    room_io.linked_participant = None  # the session unlinks who left before we are told
    room.emit("participant_disconnected", person("bob", disconnect_reason=12))
    assert watch.disconnect_reason == "USER_REJECTED"


def test_attributes_that_tell_nothing_new_make_no_facts():
    caller = person(kind=SIP, name="Ada", attributes={"sip.phoneNumber": "+15550100"})
    room, _, facts = watched(caller)
    before = len(facts)
    for number in range(100):
        caller.attributes["cursor"] = str(number)
        room.emit("participant_attributes_changed", ["cursor"], caller)
    assert len(facts) == before


def test_after_the_end_the_room_tells_nothing():
    room, watch, facts = watched()
    watch.stop()
    room.emit("participant_connected", person("next", name="Next"))
    assert facts == []


def test_avatars_speak_for_the_agent_and_are_no_callers():
    avatar = person("avatar", attributes={"lk.publish_on_behalf": "agent"})
    assert watched(avatar)[2] == []


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


def test_a_room_that_is_recorded_has_an_egress_to_ask_for_once():
    room, watch, facts = watched()
    room.name, room.is_recording = "support", False
    watch.look_around()
    assert facts == []
    room.is_recording = True
    before = int(time.time())
    watch.look_around()
    watch.look_around()
    (awaited,) = [fact for fact in facts if isinstance(fact, RecordingAwaited)]
    asked = json.loads(awaited.reference)
    assert (awaited.where, asked["room"]) == ("livekit-egress", "support")
    assert before <= asked["after"] <= time.time()
