"""Webhook bodies in the shape that Vapi and Retell publish, written for these tests."""

from __future__ import annotations

import json
from typing import Any

Body = dict[str, Any]

START = 1772359200000  # 2026-03-01T10:00:00Z, in milliseconds


def vapi_report() -> Body:
    """An ``end-of-call-report`` with every kind of message."""

    def spoken(role: str, words: str, start: float, length: float) -> Body:
        begun = START + int(start * 1000)
        return {
            "role": role,
            "message": words,
            "time": begun,
            "endTime": begun + int(length * 1000),
            "secondsFromStart": start,
            "duration": length * 1000,
        }

    call_tool = {
        "role": "tool_calls",
        "message": "",
        "time": START + 6000,
        "secondsFromStart": 6.0,
        "toolCalls": [
            {
                "id": "call_9",
                "type": "function",
                "function": {"name": "find_table", "arguments": '{"people": 2}'},
            }
        ],
    }
    tool_result = {
        "role": "tool_call_result",
        "name": "find_table",
        "toolCallId": "call_9",
        "result": '{"table": 4}',
        "time": START + 6750,
        "secondsFromStart": 6.75,
    }
    message = {
        "type": "end-of-call-report",
        "timestamp": START + 21000,
        "endedReason": "customer-ended-call",
        "assistantVersion": "v3",
        "call": {
            "id": "7e1c9a4e-3f5b-4f0e-8e3f-3a1f8a2b9c10",
            "orgId": "org-1",
            "type": "inboundPhoneCall",
            "assistantId": "asst-booking",
            "metadata": {"tenant": "north"},
        },
        "assistant": {
            "name": "Booking",
            "model": {
                "provider": "openai",
                "messages": [{"role": "system", "content": "You book tables for {{place}}."}],
            },
        },
        "customer": {"number": "+15550100", "name": "Ann"},
        "artifact": {
            "recordingUrl": "https://storage.example/call.wav",
            "recording": {"mono": {"combinedUrl": "https://storage.example/mono.wav"}},
            "transcript": "AI: Good evening.\nUser: A table for two.\n",
            "messages": [
                {
                    "role": "system",
                    "message": "You book tables for Luigi.",
                    "time": START,
                    "secondsFromStart": 0,
                },
                spoken("bot", "Good evening.", 0.5, 1.25),
                spoken("user", "A table for two.", 3.0, 1.5),
                call_tool,
                tool_result,
                spoken("bot", "Table four is yours.", 8.0, 2.0),
            ],
        },
        "analysis": {"summary": "A table was booked."},
        "startedAt": "2026-03-01T10:00:00.000Z",
        "endedAt": "2026-03-01T10:00:20.500Z",
        "durationSeconds": 20.5,
        "cost": 0.0421,
        "costBreakdown": {"llm": 0.01, "total": 0.0421},
    }
    return {"message": message}


VAPI_TURNS = [
    {"index": 0, "role": "assistant", "content": "Good evening.", "startSeconds": 0.5,
     "endSeconds": 1.75},
    {"index": 1, "role": "user", "content": "A table for two.", "startSeconds": 3.0,
     "endSeconds": 4.5},
    {"index": 2, "role": "tool",
     "content": '{"name":"find_table","arguments":{"people":2},"result":{"table":4}}',
     "startSeconds": 6.0, "endSeconds": 6.75},
    {"index": 3, "role": "assistant", "content": "Table four is yours.", "startSeconds": 8.0,
     "endSeconds": 10.0},
]  # fmt: skip


def retell_event(event: str = "call_ended") -> Body:
    """A ``call_ended``, or the ``call_analyzed`` that follows it."""

    def spoken(role: str, words: str, *times: float) -> Body:
        parts = [
            {"word": word, "start": start, "end": start + 0.25}
            for word, start in zip(words.split(), times, strict=True)
        ]
        return {"role": role, "content": words, "words": parts}

    utterances = [
        spoken("agent", "Good morning", 0.5, 0.75),
        spoken("user", "My parcel", 2.0, 2.5),
        {
            "role": "tool_call_invocation",
            "tool_call_id": "tool-1",
            "name": "find_parcel",
            "arguments": '{"number":7}',
        },
        {
            "role": "tool_call_result",
            "tool_call_id": "tool-1",
            "content": "not found",
            "successful": False,
        },
        {"role": "node_transition", "former_node_name": "a", "new_node_name": "b"},
        {"role": "dtmf", "digit": "7"},
        spoken("agent", "Sorry", 6.0),
    ]
    call: Body = {
        "call_type": "phone_call",
        "call_id": "Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6",
        "agent_id": "agent-parcels",
        "agent_name": "Parcels",
        "agent_version": 4,
        "call_status": "ended",
        "direction": "inbound",
        "from_number": "+15550123",
        "to_number": "+15550199",
        "metadata": {"tenant": "south"},
        "retell_llm_dynamic_variables": {"customer_name": "John"},
        "start_timestamp": START,
        "end_timestamp": START + 15_750,
        "duration_ms": 15_750,
        "disconnection_reason": "user_hangup",
        "transcript": "Agent: Good morning\nUser: My parcel\nAgent: Sorry\n",
        "transcript_object": [each for each in utterances if each.get("words")],
        "transcript_with_tool_calls": utterances,
        "recording_url": "https://storage.example/call.mp3",
        "call_cost": {
            "product_costs": [{"product": "elevenlabs_tts", "unitPrice": 0.1, "cost": 7}],
            "total_duration_seconds": 16,
            "combined_cost": 7.5,
        },
    }
    if event == "call_analyzed":
        call["call_analysis"] = {"call_summary": "A parcel was not found.", "in_voicemail": False}
    return {"event": event, "call": call}


RETELL_TURNS = [
    {"index": 0, "role": "assistant", "content": "Good morning", "startSeconds": 0.5,
     "endSeconds": 1.0},
    {"index": 1, "role": "user", "content": "My parcel", "startSeconds": 2.0, "endSeconds": 2.75},
    {"index": 2, "role": "tool",
     "content": '{"name":"find_parcel","arguments":{"number":7},"error":"not found"}',
     "startSeconds": None, "endSeconds": None},
    {"index": 3, "role": "user", "content": "[pressed 7]", "startSeconds": None,
     "endSeconds": None},
    {"index": 4, "role": "assistant", "content": "Sorry", "startSeconds": 6.0, "endSeconds": 6.25},
]  # fmt: skip


def as_bytes(body: Body) -> bytes:
    return json.dumps(body).encode()
