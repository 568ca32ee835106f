"""The room of a scripted call: one caller, no server, no media.

It has the part of `rtc.Room` that livekit-agents uses when the audio goes elsewhere, so the
session links the caller, sees the hang-up and closes for the same reason as in a real room.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from livekit import rtc

from scripted.script import Caller


class ScriptedParticipant:
    """The caller, as the room shows them."""

    def __init__(self, caller: Caller) -> None:
        on_phone = caller.phone is not None
        self.sid = "PA_scripted"
        self.identity, self.name = caller.identity, caller.name
        self.attributes: Mapping[str, str] = caller.attributes
        self.kind = (
            rtc.ParticipantKind.PARTICIPANT_KIND_SIP
            if on_phone
            else rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
        )
        self.metadata = ""
        if hasattr(rtc, "ParticipantState"):  # older versions do not ask for it
            self.state = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
        self.track_publications: dict[str, Any] = {}
        self.disconnect_reason: rtc.DisconnectReason.ValueType | None = None


class _Nowhere:
    """A stream of bytes that nobody reads."""

    async def write(self, data: bytes) -> None:
        pass

    async def aclose(self) -> None:
        pass


class _Agent:
    """The agent's own participant: whatever it sends goes nowhere."""

    sid, identity, name, metadata = "PA_agent", "agent", "", ""
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}

    async def set_attributes(self, attributes: dict[str, str]) -> None:
        self.attributes.update(attributes)

    async def send_bytes(self, *_: object, **__: object) -> None:
        pass

    async def stream_bytes(self, *_: object, **__: object) -> _Nowhere:
        return _Nowhere()


class ScriptedRoom(rtc.EventEmitter[str]):
    """A room that is connected from the start and has the caller in it.

    Args:
        name: The room's name.
        caller: Who is there.
    """

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__()
        self.name, self.metadata = name, ""
        self.creation_time = time.time()
        self.connection_state = rtc.ConnectionState.CONN_CONNECTED
        self.local_participant = _Agent()
        self.caller = ScriptedParticipant(caller)
        self.remote_participants = {caller.identity: self.caller}

    @property
    async def sid(self) -> str:
        """The id of the room; awaited, as in `rtc.Room`."""
        return "RM_scripted"

    def isconnected(self) -> bool:
        """Return True: there is nothing to connect to."""
        return True

    async def connect(self, *_: object, **__: object) -> None:
        """Do nothing: the room is connected."""

    async def disconnect(self) -> None:
        """Do nothing: the room goes with the process."""

    def hang_up(self, reason: rtc.DisconnectReason.ValueType) -> None:
        """Let the caller leave, and tell everyone who listens."""
        if self.remote_participants.pop(self.caller.identity, None) is not None:
            self.caller.disconnect_reason = reason
            self.emit("participant_disconnected", self.caller)

    def register_text_stream_handler(self, topic: str, handler: Callable[..., None]) -> None:
        """Do nothing: nobody types."""

    def unregister_text_stream_handler(self, topic: str) -> None:
        """Do nothing: nobody types."""

    def register_byte_stream_handler(self, topic: str, handler: Callable[..., None]) -> None:
        """Do nothing: nobody sends."""

    def unregister_byte_stream_handler(self, topic: str) -> None:
        """Do nothing: nobody sends."""
