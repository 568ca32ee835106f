"""Recordings: from a file, an egress or an id at a provider to a URL that Zelto can fetch.

``Resolver`` looks for one recording at a time and keeps no state that must last; when to look again
is its caller's business. The extra ``recording`` brings what it uploads and signs with; nothing of
that is imported before it is needed.
"""

from __future__ import annotations

from zelto_agents.recording._answers import Found, Hopeless, Kind, NotYet
from zelto_agents.recording._files import keep_file
from zelto_agents.recording._livekit import EgressEnded, WebhookError, egress_ended
from zelto_agents.recording._resolver import Resolver

__all__ = [
    "EgressEnded",
    "Found",
    "Hopeless",
    "Kind",
    "NotYet",
    "Resolver",
    "WebhookError",
    "egress_ended",
    "keep_file",
]
