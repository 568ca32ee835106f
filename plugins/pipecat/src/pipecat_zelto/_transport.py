"""The other side of the line: when it came, when it left, and what it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zelto_agents.guard import guarded

__all__ = ["TransportWatch", "carries_audio", "transports"]

# Pipecat has no frame for a client that left: transports tell it as events of their own.
_LEFT = (
    "on_client_disconnected",
    "on_dialin_stopped",
    "on_dialout_stopped",
    "on_session_timeout",
)
# Of a peer connection; the transport over it is not known to its processors.
_CLOSED = ("disconnected", "closed", "failed")


class TransportWatch:
    """Subscribes to transports, each once.

    Args:
        left: called with the name of the event when the other side left.
        back: called when it came.
        named: called with the other side's name, where a transport knows it.
    """

    def __init__(
        self,
        left: Callable[[str], None],
        back: Callable[[], None],
        named: Callable[[str], None],
    ) -> None:
        self._left, self._back, self._named = left, back, named
        self._known: list[Any] = []

    def follow(self, transport: Any) -> None:
        """Subscribe to what this one has to tell."""
        if transport is None or any(known is transport for known in self._known):
            return
        self._known.append(transport)
        events = getattr(transport, "_event_handlers", {})
        for name in _LEFT:
            if name in events:
                transport.add_event_handler(name, self._leaving(name))
        if "on_client_connected" in events:
            transport.add_event_handler("on_client_connected", self._on_connected)
        elif "app-message" in events:
            for name in _CLOSED:
                transport.add_event_handler(name, self._leaving("on_client_disconnected"))

    def _leaving(self, name: str) -> Callable[..., None]:
        @guarded
        def on_left(transport: Any, *details: Any) -> None:
            self._left(name)

        return on_left

    @guarded
    def _on_connected(self, transport: Any, *details: Any) -> None:
        self._back()
        client = details[0] if details else None
        info = client.get("info") if isinstance(client, Mapping) else None
        name = info.get("userName") if isinstance(info, Mapping) else None
        if isinstance(name, str) and name:
            self._named(name)


def transports(processor: Any) -> Iterable[Any]:
    """The transport that a processor is an end of, by what its ends remember of it."""
    yield getattr(processor, "_transport", None)
    yield getattr(getattr(processor, "_client", None), "_webrtc_connection", None)


def carries_audio(processor: Any) -> bool:
    """Whether a processor is an end of a transport that somebody may be heard over."""
    params = getattr(processor, "_params", None)
    known = (getattr(params, f"audio_{way}_enabled", False) for way in ("in", "out"))
    return any(one is True for one in known)
