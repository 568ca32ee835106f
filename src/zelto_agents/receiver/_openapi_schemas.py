"""The schemas of the OpenAPI document, beside those of the canonical body."""

from __future__ import annotations

from typing import Any

from zelto_agents.receiver.native import retell, vapi

__all__ = ["SCHEMAS"]

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_SECONDS_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0}
_UUID: Schema = {"type": "string", "format": "uuid"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FILLED: Schema = {"type": "string", "pattern": "\\S"}


def _object(properties: Schema, *, description: str | None = None) -> Schema:
    """An answer: all its fields are there, and no others."""
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return schema if description is None else {"description": description, **schema}


def _page(of: str) -> Schema:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}, "maxItems": 200}
    return _object({"data": items, "nextCursor": _TEXT_OR_NULL})


def _error(text: str) -> Schema:
    return _object({"error": {"type": "string", "const": text}})


_FAULTS: Schema = {
    "type": "array",
    "minItems": 1,
    "items": _object({"path": _TEXT, "message": _TEXT}),
    "description": "Each offending field: its path, and what is wrong with it.",
}
_VALIDATION_FAILED = _object(
    {"error": {"type": "string", "const": "Validation failed"}, "details": _FAULTS}
)

_ANSWERS: Schema = {
    "Received": _object({"received": {"type": "boolean", "const": True}}),
    "Ready": _object({"ready": {"type": "boolean", "const": True}}),
    "Unauthorized": _error("Unauthorized"),
    "NotFound": _error("Not Found"),
    "Error": _object({"error": _TEXT}),
    "ValidationFailed": _VALIDATION_FAILED,
    "UploadRefused": {
        "oneOf": [
            _error("Invalid JSON"),
            _error("Incomplete body"),
            _object(
                {
                    "error": {"type": "string", "const": "Unsupported provider"},
                    "details": _TEXT,
                }
            ),
            _VALIDATION_FAILED,
        ]
    },
}

_READS: Schema = {
    "AgentPage": _page("AgentRead"),
    "ConversationPage": _page("Conversation"),
    "AgentRead": _object(
        {
            "id": _UUID,
            "name": _TEXT,
            "description": _TEXT_OR_NULL,
            "externalId": _TEXT,
            "provider": _TEXT,
            "createdAt": _TIME,
            "updatedAt": _TIME,
        }
    ),
    "Conversation": _object(
        {
            "id": _UUID,
            "agentId": _UUID,
            "name": _TEXT_OR_NULL,
            "source": {"type": "string", "enum": ["upload", "livekit", "vapi", "retell"]},
            "createdAt": _TIME,
            "updatedAt": _TIME,
            "receiverId": {"type": "null"},
            "referenceId": {"type": "string", "description": "The `call.externalId`."},
            "endedReason": _TEXT_OR_NULL,
            "cost": {
                "type": ["string", "null"],
                "pattern": "^[0-9]+(\\.[0-9]+)?$",
                "description": "US dollars, as a string for precision.",
            },
        }
    ),
    "Transcript": _object(
        {
            "conversationId": _UUID,
            "createdAt": _TIME,
            "recordingUrl": {
                "type": ["string", "null"],
                "format": "uri",
                "description": "The re-hosted recording, once it is there.",
            },
            "durationSeconds": _SECONDS_OR_NULL,
            "content": {"type": "array", "items": {"$ref": "#/components/schemas/Turn"}},
            "systemPrompt": _TEXT_OR_NULL,
        }
    ),
    "Turn": _object(
        {
            "role": {"type": "string", "enum": ["user", "assistant", "system", "tool"]},
            "content": _TEXT,
            "startSeconds": _SECONDS_OR_NULL,
            "endSeconds": _SECONDS_OR_NULL,
        },
        description="One speaker's stretch, or one tool run; seconds from the start of the call.",
    ),
}


def _native(
    description: str, name: Schema, terminal: list[str], needed: Schema, *, at: str
) -> Schema:
    """A provider's body: what names it, and what it needs when it ends a call."""
    if_terminal = {"properties": {at: {"enum": terminal}}, "required": [at]}
    return {
        "description": description,
        "type": "object",
        "properties": {at: name},
        "required": [at],
        "if": if_terminal,
        "then": needed,
    }


_VAPI_MESSAGE = _native(
    "A server message; only the report of an ended call becomes a conversation.",
    _FILLED,
    [vapi.TERMINAL],
    {
        "required": ["call"],
        "properties": {
            "call": {"type": "object", "required": ["id"], "properties": {"id": _FILLED}}
        },
    },
    at="type",
)

_NATIVE: Schema = {
    "VapiMessage": {
        "description": "Vapi's own webhook body, unchanged.",
        "type": "object",
        "properties": {"message": _VAPI_MESSAGE},
        "required": ["message"],
    },
    "RetellEvent": _native(
        "Retell's own webhook body, unchanged; only ended calls become conversations.",
        _FILLED,
        list(retell.TERMINAL),
        {
            "required": ["call"],
            "properties": {
                "call": {
                    "type": "object",
                    "required": ["call_id"],
                    "properties": {"call_id": _FILLED},
                }
            },
        },
        at="event",
    ),
}

SCHEMAS: Schema = {**_ANSWERS, **_READS, **_NATIVE}
