"""From the room to facts: who the caller is, and when and why they left.

All of it is gone when the session closes, so that it is caught as it appears.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from livekit import rtc
from livekit.agents import JobContext

from zelto_agents.facts import CustomerKnown, Fact, MetadataKnown
from zelto_agents.guard import guarded

_CALLERS = (
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
)


class RoomWatch:
    """Follows the callers of one job's room; agents, egress and ingress are none."""

    def __init__(self, ctx: JobContext | None, add: Callable[[Fact], None]) -> None:
        self.left_at: float | None = None
        """When the caller left, or the room was closed, in seconds since the epoch."""
        self.disconnect_reason: str | None = None
        self.room_gone = False
        self._ctx = ctx
        self._add = add
        self._caller: str | None = None

    def start(self) -> None:
        """Subscribe to the job's room."""
        if self._ctx is not None:
            room = self._ctx.room
            room.on("participant_connected", self._on_connected)
            room.on("participant_attributes_changed", self._on_attributes)
            room.on("participant_disconnected", self._on_disconnected)
            room.on("disconnected", self._on_room_gone)

    def reset(self) -> None:
        """Begin anew, with another session in the same room."""
        self.left_at = self.disconnect_reason = self._caller = None

    @guarded
    def look_around(self) -> None:
        """Those who were there before us cause no event; they are seen once we are connected."""
        if self._caller is not None:
            return
        participants = getattr(self._ctx.room, "remote_participants", {}) if self._ctx else {}
        for participant in list(participants.values()):
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
        if participant.kind not in _CALLERS or self._caller not in (None, participant.identity):
            return
        attributes = participant.attributes
        attributes = attributes if isinstance(attributes, dict) else {}
        if "lk.publish_on_behalf" in attributes:
            return
        self._caller = participant.identity
        number = attributes.get("sip.phoneNumber")
        name = participant.name if isinstance(participant.name, str) else None
        if name and number and number in name:  # LiveKit's default is "Phone +1..."
            name = None
        if number or name:
            self._add(CustomerKnown(at=time.time(), number=number, name=name))
        sip = {
            key.removeprefix("sip."): attributes[key]
            for key in ("sip.callID", "sip.callIDFull", "sip.trunkID", "sip.twilio.callSid")
            if attributes.get(key)
        }
        if sip:
            self._add(MetadataKnown(at=time.time(), values={"livekit": {"sip": sip}}))
