"""Whose minutes a call took, from what is known of its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zelto_agents._frozen import frozen_by_name
from zelto_agents.cost._names import provider_name

__all__ = ["Telephony", "telephony_of", "told_parts", "why_unpriced"]

_CARRIERS = ("twilio", "telnyx", "plivo", "exotel", "vonage")
_TOLL_FREE = "800 833 844 855 866 877 888"
# Of the numbers that begin with +1, those of other countries and of islands with other prices.
_NOT_THE_STATES = (
    "204 226 236 242 246 249 250 257 263 264 268 284 289 306 340 343 345 354 365 367 368 382 387 "
    "403 416 418 428 431 437 438 441 450 460 468 473 474 506 514 519 537 548 579 581 584 587 600 "
    "604 613 622 639 647 649 658 664 670 671 672 683 684 705 709 721 742 753 758 767 778 780 782 "
    "784 787 807 809 819 825 829 849 867 868 869 873 876 879 902 905 939 942"
)


@frozen_by_name
class Telephony:
    """One carrier's part of a telephone call.

    ``provider`` is the carrier, such as ``twilio``; ``direction`` ``inbound`` or ``outbound``.
    ``number`` is the one that was called, which the price depends on. ``cloud`` says of
    LiveKit's own SIP minutes whether they were LiveKit Cloud's.
    """

    provider: str
    direction: str = ""
    number: str = ""
    cloud: bool = False


def told_parts(telephony: Sequence[Telephony], duration: float | None) -> list[dict[str, Any]]:
    """Parts of usage like those of models; ``model`` is what the user's price is looked up by."""
    return [
        {
            "type": "telephony",
            "provider": provider_name(one.provider),
            "model": one.direction or "unknown",
            "published": _published(one),
            "duration": duration or 0,
        }
        for one in telephony
    ]


def _published(one: Telephony) -> str:
    """Under which name the table has the price; empty if that cannot be said."""
    if one.direction == "sip":
        return "sip" if one.cloud else ""
    found = re.fullmatch(r"\+?1([2-9]\d\d)\d{7}", re.sub(r"[^\d+]", "", one.number))
    if not found or found[1] in _NOT_THE_STATES:
        return ""
    return f"us-{'toll-free' if found[1] in _TOLL_FREE else 'local'}-{one.direction}"


def why_unpriced(provider: str, direction: str) -> str:
    """What is missing for a published price."""
    if direction == "sip":
        return "LiveKit's SIP minutes cost nothing on a server of one's own; give your price"
    if not provider or provider == "sip-trunk":
        return "the carrier is not known; give your price"
    if direction not in ("inbound", "outbound"):
        return "the direction of the call is not known; give your price"
    return "no published price for this carrier, direction and number; give your price"


def telephony_of(
    metadata: Mapping[str, Any], customer: str | None, *, cloud: bool
) -> list[Telephony]:
    """What a document's metadata tell of the line; nothing of calls that were not telephone calls.

    The host's own word counts first: ``{"telephony": {"provider": "twilio", "direction":
    "inbound", "number": "+1..."}}``.
    """
    said, livekit, pipecat = (_mapping(metadata, n) for n in ("telephony", "livekit", "pipecat"))
    sip = _mapping(livekit, "sip")
    lines: list[Telephony] = []
    if sip:
        twilio = "twilio.callSid" in sip
        provider = "twilio-sip" if twilio else "sip-trunk"
        called = sip.get("trunkPhoneNumber") if sip.get("direction") == "inbound" else customer
        lines = [
            Telephony(provider="livekit", direction="sip", cloud=cloud),
            _line(said, provider, sip.get("direction"), called),
        ]
    elif said or pipecat.get("transportType") in _CARRIERS:
        called = pipecat.get("calledNumber")
        direction = said.get("direction")
        if direction == "outbound":
            called = customer
        lines = [_line(said, pipecat.get("transportType"), direction, called)]
    return lines


def _line(
    said: Mapping[str, Any], provider: object, direction: object, number: object
) -> Telephony:
    def word(name: str, known: object) -> str:
        return str(said.get(name) or known or "")

    return Telephony(
        provider=word("provider", provider),
        direction=word("direction", direction),
        number=word("number", number),
    )


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}
