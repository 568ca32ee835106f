"""From the room to facts: who the caller is, and when and why they left.

All of it is gone when the session closes, so that it is caught as it appears.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from livekit import rtc

from zelto_agents.facts import CustomerKnown, Fact, MetadataKnown, RecordingAwaited
from zelto_agents.guard import guarded

__all__ = ["RoomWatch"]

_SIP = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
_CALLERS = (rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, _SIP)
# Attributes of a SIP participant (docs.livekit.io/sip/sip-participant) and their names with us.
_SIP_IDS = {
    "sip.callID": "callID",
    "sip.callIDFull": "callIDFull",
    "sip.trunkID": "trunkID",
    "sip.ruleID": "ruleID",
    "sip.trunkPhoneNumber": "trunkPhoneNumber",
    "sip.twilio.callSid": "twilio.callSid",
}


class RoomWatch:
    """Follows the caller of one session; agents, egress and ingress are none.

    Args:
        add: where facts go.
        room_io: the session's, which chooses whom it listens to; None without one.
    """

    def __init__(
        self, add: Callable[[Fact], None], room_io: Callable[[], Any] = lambda: None
    ) -> None:
        self.left_at: float | None = None
        """When the caller left, or the room was closed, in seconds since the epoch."""
        self.disconnect_reason: str | None = None
        self.room_gone = False
        self._add = add
        self._room_io = room_io
        self._rooms: list[Any] = []
        self._caller: str | None = None
        self._known: dict[str, Any] = {}
        self._recorded = False

    def follow(self, room: Any) -> None:
        """Subscribe to a room, once; a session may be in another one than its job."""
        if room is None or any(known is room for known in self._rooms):
            return
        self._rooms.append(room)
        for name, handler in self._handlers().items():
            room.on(name, handler)

    @guarded
    def stop(self) -> None:
        """What the rooms tell from now on belongs to no call."""
        rooms, self._rooms = self._rooms, []
        for room in rooms:
            for name, handler in self._handlers().items():
                room.off(name, handler)

    def _handlers(self) -> dict[str, Callable[..., None]]:
        return {
            "participant_connected": self._on_connected,
            "participant_attributes_changed": self._on_attributes,
            "participant_disconnected": self._on_disconnected,
            "disconnected": self._on_room_gone,
        }

    def reset(self) -> None:
        """Begin anew, with another session."""
        self.left_at = self.disconnect_reason = self._caller = None
        self.room_gone = self._recorded = False
        self._known = {}

    def look_around(self) -> None:
        """Those who were there before us cause no event, nor does the session's choice."""
        self._look_for_egress()
        linked = getattr(self._room_io(), "linked_participant", None)
        if (linked is None and self._caller is None) or (
            linked is not None and linked.identity != self._caller
        ):
            self._look_around(linked)

    @guarded
    def _look_for_egress(self) -> None:
        """The room is recorded: by whom, LiveKit's server knows (``Room.is_recording``)."""
        if self._recorded:
            return
        room = next((room for room in self._rooms if _is_recorded(room)), None)
        if room is not None:
            self._recorded = True
            now = time.time()
            # Names of rooms are used again; sids are not.
            sid = getattr(getattr(room, "_info", None), "sid", None) or None
            asked = json.dumps({"room": room.name, "sid": sid, "after": int(now)})
            self._add(RecordingAwaited(at=now, where="livekit-egress", reference=asked))

    @guarded
    def _look_around(self, linked: Any) -> None:
        if linked is not None:
            self._meet(linked)
            return
        for room in self._rooms:
            for participant in list(getattr(room, "remote_participants", {}).values()):
                self._meet(participant)

    @guarded
    def _on_connected(self, participant: Any) -> None:
        self._meet(participant)
        if participant.identity == self._caller:  # back again
            self.left_at = self.disconnect_reason = None

    @guarded
    def _on_attributes(self, changed: Any, participant: Any) -> None:
        self._meet(participant)

    @guarded
    def _on_disconnected(self, participant: Any) -> None:
        self._meet(participant)
        if participant.identity == self._caller:
            self.left_at = time.time()
            reason = getattr(participant, "disconnect_reason", None)
            if isinstance(reason, int):
                self.disconnect_reason = rtc.DisconnectReason.Name(cast("Any", reason))

    @guarded
    def _on_room_gone(self, reason: Any) -> None:
        """The server closed the room; our own leaving is no news."""
        if reason == rtc.DisconnectReason.CLIENT_INITIATED:
            return
        self.room_gone = True
        if self.left_at is None:
            self.left_at = time.time()
            deleted = reason == rtc.DisconnectReason.ROOM_DELETED
            self.disconnect_reason = "ROOM_DELETED" if deleted else "ROOM_CLOSED"

    def _meet(self, participant: Any) -> None:
        if not self._is_the_caller(participant):
            return
        changed = self._caller not in (None, participant.identity)
        if changed:  # what was known is of somebody else
            self.left_at = self.disconnect_reason = None
        self._caller = participant.identity
        attributes = _attributes(participant)
        number = attributes.get("sip.phoneNumber")
        name = participant.name if isinstance(participant.name, str) else ""
        if name and number and number in name:  # LiveKit's default is "Phone +1..."
            name = ""
        before: dict[str, Any] = self._known.get("values", {})
        values = (dict.fromkeys(before) if changed else before) | _described(
            participant, attributes
        )
        known = {"number": number, "name": name or None, "values": values}
        if known == self._known:
            return
        self._known = known
        if number or name or changed:
            self._add(CustomerKnown(at=time.time(), number=number, name=name or None))
        if values:
            self._add(MetadataKnown(at=time.time(), values={"livekit": values}))

    def _is_the_caller(self, participant: Any) -> bool:
        if participant.kind not in _CALLERS:
            return False
        if "lk.publish_on_behalf" in _attributes(participant):  # an avatar
            return False
        room_io = self._room_io()
        linked = getattr(room_io, "linked_participant", None)
        if linked is not None:
            return bool(participant.identity == linked.identity)
        if self._caller is None:
            return room_io is None  # whom the session listens to, it says itself
        return bool(participant.identity == self._caller)


def _is_recorded(room: Any) -> bool:
    return getattr(room, "is_recording", False) is True and isinstance(room.name, str)


def _attributes(participant: Any) -> Mapping[str, str]:
    attributes = participant.attributes
    return attributes if isinstance(attributes, Mapping) else {}


def _described(participant: Any, attributes: Mapping[str, str]) -> dict[str, Any]:
    if participant.kind != _SIP:
        identity = participant.identity
        return {"callerIdentity": identity} if isinstance(identity, str) and identity else {}
    sip = {name: attributes[key] for key, name in _SIP_IDS.items() if attributes.get(key)}
    if sip:
        # Only calls that came in have met a dispatch rule.
        sip["direction"] = "inbound" if "ruleID" in sip else "outbound"
    return {"sip": sip} if sip else {}
