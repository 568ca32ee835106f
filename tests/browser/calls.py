"""Bodies of calls, for the tests of the page."""

from __future__ import annotations

import json
from typing import Any

Body = dict[str, Any]


def said(role: str, content: str, start: float | None = None, end: float | None = None) -> Body:
    turn: Body = {"role": role, "content": content}
    return turn if start is None else turn | {"startSeconds": start, "endSeconds": end}


def tool(start: float, end: float, **content: Any) -> Body:
    return said("tool", json.dumps(content), start, end)


def a_call(
    external_id: str = "conv-1", turns: Any = (), name: str = "Ann Lee", **fields: Any
) -> Body:
    return {
        "call": {
            "externalId": external_id,
            "startedAt": "2026-03-01T10:00:00Z",
            "durationSeconds": 20,
            "endedReason": "customer-ended-call",
            "cost": 0.0482,
            "customer": {"name": name, "number": "+15550100"},
        },
        "agent": {"externalId": "support", "name": "Support line"},
        "version": "v7",
        "transcript": {"turns": list(turns) or [said("user", "Hi", 1, 2)]},
        **fields,
    }


WHOLE = a_call(
    turns=[
        said("system", "Be kind."),
        said("assistant", "Hello, how can I help?", 0.5, 2.5),
        said("user", "Where is my parcel?", 3, 4.5),
        tool(4.6, 5.1, name="find_parcel", arguments={"id": 7}, result={"at": "the depot"}),
        tool(5.2, 5.3, name="call_depot", arguments={}, error="nobody answers"),
        said("assistant", "It is at the depot, and", 6, 8),
        said("user", "Thanks!", 7.5, 8.5),
        said("assistant", "Goodbye then.", 12, 13),
    ],
    metadata={
        "room": "r1",
        "zelto": {
            "turns": [
                {"index": 2, "latency": {"endOfTurn": 0.4}},
                {
                    "index": 5,
                    "interrupted": True,
                    "latency": {
                        "endToEnd": 1.5,
                        "timeToFirstToken": 0.6,
                        "timeToFirstByte": 0.25,
                    },
                },
            ]
        },
    },
)


def with_recording(url: str, body: Body = WHOLE) -> Body:
    return body | {"call": body["call"] | {"recordingUrl": url}}
