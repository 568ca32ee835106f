"""Example bodies of every kind, to send and to look at: the JSON files beside this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

__all__ = ["SAMPLES", "Sample"]

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One example: what it shows, and whose body it is.

    Attributes:
        name: what it is asked for by.
        provider: its ``X-Zelto-Provider``.
        about: what it shows.
        files: its bodies, in the order in which they are sent.
    """

    name: str
    provider: str
    about: str
    files: tuple[str, ...]

    def bodies(self, external_id: str, *, now: datetime | None = None) -> list[Body]:
        """Its bodies about a call of this id that has just ended.

        Args:
            external_id: the id of the call, in all of them.
            now: when the call ended; now, by default.
        """
        read = (
            resources.files(__package__).joinpath(file).read_text("utf-8") for file in self.files
        )
        return [
            self._about(json.loads(text), external_id, now or datetime.now(UTC)) for text in read
        ]

    def _about(self, body: Body, external_id: str, now: datetime) -> Body:
        if self.provider == "retell":
            call = body["call"]
            end = int(now.timestamp() * 1000)
            start = end - call["duration_ms"]
            call |= {"call_id": external_id, "start_timestamp": start, "end_timestamp": end}
            return body
        if self.provider == "vapi":
            body["message"]["call"]["id"] = external_id
            _end_at(body["message"], now)
            for turn in body["message"]["artifact"]["messages"]:
                late = timedelta(seconds=turn["secondsFromStart"])
                begun = int((_moment(body["message"]["startedAt"]) + late).timestamp() * 1000)
                if "endTime" in turn:
                    turn["endTime"] += begun - turn["time"]
                turn["time"] = begun
            return body
        body["call"]["externalId"] = external_id
        _end_at(body["call"], now)
        return body


def _end_at(times: Body, now: datetime) -> None:
    length = _moment(times["endedAt"]) - _moment(times["startedAt"])
    times |= {"startedAt": _text(now - length), "endedAt": _text(now)}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_ALL = (
    Sample("voice", "zelto", "a telephone call", ("voice.json",)),
    Sample("text", "zelto", "a chat, without any times in its turns", ("text.json",)),
    Sample("tools", "livekit", "a call with tools, one of which fails", ("tools.json",)),
    Sample("interrupted", "livekit", "a caller who cuts the agent short", ("interrupted.json",)),
    Sample(
        "enrichment",
        "zelto",
        "a call, and again with what became known after its end",
        ("enrichment-1.json", "enrichment-2.json"),
    ),
    Sample("vapi", "vapi", "Vapi's end-of-call-report, as Vapi sends it", ("vapi.json",)),
    Sample("retell", "retell", "Retell's call_ended, as Retell sends it", ("retell.json",)),
)
SAMPLES = {sample.name: sample for sample in _ALL}
