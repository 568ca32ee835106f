"""The OpenAPI document of what the receiver answers for Zelto: ``/openapi.json``.

Written out rather than derived from the routes, because an upload is kept as it came before it is
looked at; tests hold it against the running receiver.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from zelto_agents.contract import PROVIDERS, UPLOAD_PATH, CallIngest
from zelto_agents.receiver._openapi_schemas import SCHEMAS

__all__ = ["PATH", "document", "router"]

PATH = "/openapi.json"

Spec = dict[str, Any]

_SECURED: list[Spec] = [{"key": []}]


def router() -> APIRouter:
    """The route of the document."""
    api = APIRouter()

    @api.get(PATH)
    def openapi() -> Response:
        return Response(_content(), media_type="application/json")

    return api


@functools.cache
def _content() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


def document() -> Spec:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zelto's ingest API and reads, as the local receiver has them",
            "version": "1",
            "description": (
                "A stand-in for Zelto: it takes finished conversations and shows what became of"
                " them. What Zelto's own guide does not state is marked as assumed."
            ),
        },
        "paths": {
            UPLOAD_PATH: {"post": _upload()},
            "/readyz": {"get": _ready()},
            "/v1/agents": {"get": _list("agents", "AgentPage")},
            "/v1/conversations": {"get": _list("conversations", "ConversationPage")},
            "/v1/conversations/{conversationId}": {"get": _read("conversation", "Conversation")},
            "/v1/conversations/{conversationId}/transcript": {
                "get": _read("transcript", "Transcript")
            },
            "/recordings/{recordingId}": {"get": _recording()},
        },
        "components": {
            "schemas": {**_call_ingest(), **SCHEMAS},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What `zelto-agents receiver` or `keys mint` printed.",
                }
            },
        },
    }


def _upload() -> Spec:
    return {
        "operationId": "upload",
        "summary": "Hand over a finished conversation",
        "description": (
            "The body is kept as it came, then answered, then worked in. The same `call.externalId`"
            " again updates the conversation in place."
        ),
        "security": _SECURED,
        "parameters": [
            {
                "name": "X-Zelto-Provider",
                "in": "header",
                "required": False,
                "description": (
                    "Whose body it is. `zelto` and `livekit` take the canonical body `CallIngest`,"
                    " `vapi` a `VapiMessage`, `retell` a `RetellEvent`; a body of another"
                    " provider's shape is refused."
                ),
                "schema": {"type": "string", "enum": list(PROVIDERS), "default": "zelto"},
            }
        ],
        "requestBody": {
            "required": True,
            "description": "At most 33,554,432 bytes of UTF-8.",
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            _ref("CallIngest"),
                            _ref("VapiMessage"),
                            _ref("RetellEvent"),
                        ]
                    }
                }
            },
        },
        "responses": {
            "200": _answer("Accepted; it is worked in after the answer.", "Received"),
            "400": _answer(
                "Not JSON, an unknown provider, or fields that are missing or wrong.",
                "UploadRefused",
            ),
            "401": _unauthorized(),
            "413": _answer("The body is too large; nothing of it is kept.", "Error"),
            "503": _answer("The database does not answer; send it again later.", "Error"),
        },
    }


def _ready() -> Spec:
    return {
        "operationId": "ready",
        "summary": "Whether it takes conversations",
        "security": [],
        "responses": {
            "200": _answer("It does.", "Ready"),
            "503": _answer("The database does not answer.", "Error"),
        },
    }


def _list(what: str, schema: str) -> Spec:
    page = _answer("One page.", schema)
    if what == "conversations":
        page["links"] = {
            what: {
                "operationId": f"read_{what}",
                "parameters": {"conversationId": "$response.body#/data/0/id"},
            }
            for what in ("conversation", "transcript")
        }
    return {
        "operationId": f"list_{what}",
        "summary": f"The {what} of the key's organisation, newest first",
        "security": _SECURED,
        "parameters": [
            {
                "name": "limit",
                "in": "query",
                "description": "How many on one page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "A `nextCursor` of an earlier answer, as it was.",
                "schema": {"type": "string", "pattern": "^before-[0-9]{1,18}$"},
            },
        ],
        "responses": {
            "200": page,
            "400": _answer("A parameter is not valid.", "ValidationFailed"),
            "401": _unauthorized(),
            "503": _answer("The database does not answer.", "Error"),
        },
    }


def _read(what: str, schema: str) -> Spec:
    return {
        "operationId": f"read_{what}",
        "summary": f"One {what}",
        "security": _SECURED,
        "parameters": [_path_id("conversationId", "The `id` of a conversation.")],
        "responses": {
            "200": _answer("It.", schema),
            "401": _unauthorized(),
            "404": _answer("The organisation of the key has none of this id.", "NotFound"),
            "503": _answer("The database does not answer.", "Error"),
        },
    }


def _recording() -> Spec:
    audio = {"schema": {"type": "string", "format": "binary"}}
    ranges = {"audio/*": audio, "video/*": audio}
    plain = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "recording",
        "summary": "The re-hosted recording of a conversation",
        "description": "With the key of its organisation, or from a page at its loopback address.",
        "security": [*_SECURED, {}],
        "parameters": [
            _path_id("recordingId", "The last part of a transcript's `recordingUrl`."),
            {
                "name": "Range",
                "in": "header",
                "description": "Bytes wanted, e.g. `bytes=0-1023`; malformed ones are a 400.",
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            "200": {"description": "The whole file.", "content": ranges},
            "206": {
                "description": "The bytes that were asked for.",
                "content": {**ranges, "multipart/byteranges": audio},
            },
            "400": {"description": "The range cannot be read.", "content": plain},
            "401": _unauthorized(),
            "403": _answer("Asked for without a key, under a foreign name.", "Error"),
            "404": _answer("There is none of this id.", "NotFound"),
            "416": {"description": "The range is not in the file.", "content": plain},
            "503": _answer("The database does not answer.", "Error"),
        },
    }


def _path_id(name: str, description: str) -> Spec:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
    }


def _unauthorized() -> Spec:
    return _answer("No key, or one that is not accepted.", "Unauthorized")


def _answer(description: str, schema: str) -> Spec:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"description": description, "content": content}


def _ref(schema: str) -> Spec:
    return {"$ref": f"#/components/schemas/{schema}"}


def _call_ingest() -> Spec:
    """The canonical body and its parts, as they are taken: unknown fields are ignored."""
    whole = CallIngest.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: Spec = whole.pop("$defs")
    whole["anyOf"] = [
        {"required": ["agent"], "properties": {"agent": _ref("Agent")}},
        {
            "required": ["agentId"],
            "properties": {"agentId": {"type": "string", "format": "uuid"}},
        },
    ]
    parts["CallIngest"] = whole
    for part in parts.values():
        part.pop("additionalProperties", None)
        # Python's description of the class is not the reader's.
        for field in part.get("properties", {}).values():
            field.pop("title", None)
    whole["properties"]["metadata"].setdefault(
        "description", "Free-form; the place for the channel of a text conversation."
    )
    # Its name is taken by the transcript that is read back.
    return _renamed(parts, "Transcript", "TranscriptIngest")


def _renamed(parts: Spec, old: str, new: str) -> Spec:
    text = json.dumps(parts).replace(
        f'"#/components/schemas/{old}"', f'"#/components/schemas/{new}"'
    )
    renamed: Spec = json.loads(text)
    renamed[new] = renamed.pop(old)
    renamed[new]["title"] = new
    return renamed
