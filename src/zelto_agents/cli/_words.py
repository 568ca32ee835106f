"""What a person reads: why a delivery is where it is, how old, how big, and when again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zelto_agents.outbox import Delivery, Gate, Gatekeeper, Stats
    from zelto_agents.outbox._engine import Engine
    from zelto_agents.settings import Settings

__all__ = [
    "AWAITED",
    "Words",
    "duration",
    "is_confirming",
    "plain",
    "size",
    "span",
    "totals",
    "waits_for",
]

AWAITED = (
    "its call is not kept here (any more): waits for the call to be put again, "
    "dead letter after ZELTO_MAX_AGE"
)
KEYLESS = "made without a usable key or base URL: drain, or an agent, that has both sends it"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_STATES = ("live", "due", "held", "dead", "sent", "awaited", "skipped")


def plain(text: str, limit: int = 2048) -> str:
    """Text from elsewhere on one line of a terminal, with nothing in it that could steer it."""
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def span(seconds: float) -> str:
    """A length of time, in its largest units."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    if whole < 100 * 60:
        return f"{round(whole / 60)} min"
    if whole < 48 * 3600:
        return f"{round(whole / 3600)} h"
    return f"{round(whole / 86_400)} d"


def size(count: float) -> str:
    """An amount of bytes."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``5m``, ``12h`` or ``7d``.

    Raises:
        ValueError: it is none of these.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not number.isascii() or not number.isdigit():
        raise ValueError(f"{text!r} is no length of time: expected for example 90s, 5m, 12h or 7d")
    return int(number) * _SECONDS[unit]


def is_confirming(delivery: Delivery) -> bool:
    """Whether it has arrived, and is sent again only so that no older revision comes after it."""
    return delivery.state == "due" and delivery.status is not None and delivery.status < 300


def waits_for(base_url: str) -> str:
    """That a call goes to another base URL than the settings', and what to do about it."""
    url = plain(base_url)
    return (
        f"waits for {url}: drain with ZELTO_BASE_URL={url}, "
        f"or send it to yours: zelto-agents outbox retry --from {url}"
    )


class Words:
    """Why each delivery of an outbox is where it is.

    Args:
        engine: asked once for each base URL whether its gate is closed.
        settings: what would be sent with.
        now: seconds since the epoch.
    """

    def __init__(self, engine: Engine, settings: Settings, now: float) -> None:
        from zelto_agents._drain import gatekeeper_of

        self.now = now
        self._engine = engine
        self._settings = settings
        self._gatekeeper: Gatekeeper = gatekeeper_of(settings)
        self._gates: dict[str, Gate] = {}

    def gate(self, base_url: str) -> Gate:
        """What is known of a base URL."""
        if base_url not in self._gates:
            self._gates[base_url] = self._engine.gate(base_url)
        return self._gates[base_url]

    def why(self, delivery: Delivery) -> str:
        """What keeps it, in the words of the one who can change it; empty if nothing does."""
        match delivery.state:
            case "live":
                return "the call is going on, or its process died and the next drain finishes it"
            case "sent":
                return ""
            case "awaited":
                return AWAITED if delivery.base_url else KEYLESS
            case "skipped":
                return "the agent's own filter does not want it"
            case "dead":
                return self._seen(delivery) or "refused for good"
            case "held":
                return self._why_held(delivery)
            case "due":
                return self._why_due(delivery)

    def _why_held(self, delivery: Delivery) -> str:
        gate = self.gate(delivery.base_url)
        if gate.away != "key":
            return "no agent is named: set ZELTO_AGENT_ID"
        here = delivery.base_url == self._settings.base_url
        if here and self._gatekeeper.key_mark not in (None, gate.key_mark):
            return "another key was refused: yours is tried next"
        status = f" (status {delivery.status})" if delivery.status in (401, 403) else ""
        return f"the key was refused{status}: check ZELTO_API_KEY"

    def _why_due(self, delivery: Delivery) -> str:
        base_url = delivery.base_url
        if not base_url:
            return KEYLESS
        if is_confirming(delivery):
            return "arrived; sent once more, in case an older revision comes late"
        if base_url != self._settings.base_url:
            if self.gate(base_url).away == "base_url":
                return f"{plain(base_url)} is no ingest API: goes to yours with the next drain"
            return waits_for(base_url)
        gate = self.gate(base_url)
        if gate.away == "base_url":
            return f"{base_url} is no ingest API: check ZELTO_BASE_URL"
        seen = self._seen(delivery) or "not tried yet"
        return f"{seen}; its receiver is down" if gate.away == "outage" else seen

    def _seen(self, delivery: Delivery) -> str:
        details = plain(delivery.details)
        if delivery.status is None:
            return details
        status = f"status {delivery.status}"
        return status if details in ("", status) else f"{status}, {details}"

    def closed_gates(self, base_urls: Iterable[str]) -> list[dict[str, Any]]:
        """The closed ones of the gates: why, until when, and for how many seconds."""
        closed = []
        for base_url in sorted({*base_urls, self._settings.base_url or ""} - {""}):
            gate = self.gate(base_url)
            if gate.away is not None:
                left = max(0.0, gate.closed_until - self.now)
                known = {"base_url": base_url, **asdict(gate), "closed_for_s": round(left, 1)}
                closed.append(known | {"why": self._why_closed(base_url, gate, left)})
        return closed

    def _why_closed(self, base_url: str, gate: Gate, left: float) -> str:
        reasons = {
            "outage": "takes no calls now",
            "key": "refuses the key: check ZELTO_API_KEY",
            "base_url": "is no ingest API: check ZELTO_BASE_URL",
        }
        again = f"tried again in {span(left)}" if left else "tried again now"
        return f"{plain(base_url)} {reasons[gate.away or 'outage']}; {again}"


def totals(stats: Stats, now: float) -> dict[str, Any]:
    """Figures of a whole outbox, for scripts."""
    since = stats.waiting_since
    return {
        "counts": {name: stats.counts.get(name, 0) for name in _STATES},  # type: ignore[call-overload]
        "attempts": stats.attempts,
        "oldest_waiting_s": None if since is None else round(max(0.0, now - since), 1),
        "bytes": stats.size,
    }
