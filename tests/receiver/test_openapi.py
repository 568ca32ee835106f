"""The OpenAPI document is true: what it says, the running receiver does."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest
from starlette.routing import Route

from native_bodies import retell_event, vapi_report
from zelto_agents.receiver import create_app
from zelto_agents.receiver.openapi import document

SPEC = document()
UPLOAD = "/webhooks/calls"
FORMATS = jsonschema.FormatChecker(["uuid"])


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    answer = SPEC["paths"][path][method]["responses"][str(status)]
    return {**answer["content"]["application/json"]["schema"], "components": SPEC["components"]}


def conforms(answer: httpx.Response, path: str, method: str = "get") -> None:
    schema = schema_of(path, method, answer.status_code)
    jsonschema.Draft202012Validator(schema, format_checker=FORMATS).validate(answer.json())


def valid_body(name: str, body: object) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": SPEC["components"]}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(body))


def test_it_is_served_as_json_and_nothing_draws_it(receiver):
    answer = httpx.get(f"{receiver.url}/openapi.json")
    assert (answer.status_code, answer.json()) == (200, SPEC)
    assert SPEC["openapi"] == "3.1.0"
    for path in ("/docs", "/redoc"):
        assert httpx.get(receiver.url + path).status_code == 404


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere():
    for schema in SPEC["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = set(SPEC["components"]["schemas"])

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {str(value["$ref"]).rpartition("/")[2]} if "$ref" in value else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(SPEC) == names


def test_every_public_address_is_described(receiver):
    app = create_app(receiver.store)
    served = {
        route.path
        for route in app.routes
        if isinstance(route, Route) and not route.path.startswith(("/page", "/faults"))
    }
    described = {
        path.replace("conversationId", "conversation_id").replace("recordingId", "recording_id")
        for path in SPEC["paths"]
    }
    assert served - {"/", "/openapi.json"} <= described


def test_every_answer_to_an_upload_is_as_described(receiver, send, body):
    url = receiver.url + UPLOAD
    answers = [
        send(body()),
        send(vapi_report(), "vapi"),
        send(retell_event(), "retell"),
        send(b"{"),
        send(b"{}"),
        send(body(), "bland"),
        send({}, "vapi"),
        httpx.post(url, json=body()),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 200, 400, 400, 400, 400, 401]
    for answer in answers:
        conforms(answer, UPLOAD, "post")


def test_every_answer_to_a_read_is_as_described(receiver, send, http, body):
    turns = [{"role": "user", "content": "Hi", "startSeconds": 0.5}, {"role": "tool", "content": "{}"}]  # fmt: skip
    call = {"cost": 0.25, "durationSeconds": 3, "endedReason": "silence-timed-out"}
    send(body(call=call, transcript={"turns": turns}))
    send(vapi_report(), "vapi")
    for path in ("/v1/agents", "/v1/conversations"):
        for query in ("", "?limit=1", "?limit=0", "?cursor=x"):
            conforms(http.get(path + query), path)
        conforms(httpx.get(receiver.url + path), path)
    listed = http.get("/v1/conversations").json()["data"]
    for rest in ("", "/transcript"):
        described = "/v1/conversations/{conversationId}" + rest
        for each in [*listed, {"id": "unknown"}]:
            conforms(http.get(f"/v1/conversations/{each['id']}{rest}"), described)
        conforms(httpx.get(f"{receiver.url}/v1/conversations/x{rest}"), described)
    conforms(httpx.get(f"{receiver.url}/readyz"), "/readyz")


def test_every_refusal_of_a_recording_is_as_described(receiver, http):
    path = "/recordings/{recordingId}"
    url = f"{receiver.url}/recordings/x"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Host": "evil.example"}):
        conforms(httpx.get(url, headers=headers), path)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("CallIngest", {"call": {"externalId": "a"}, "agent": {"externalId": "b"}}),
        ("CallIngest", {"call": {"externalId": "a", "mood": 1}, "agent": {"externalId": "b"}}),
        ("CallIngest", {"call": {"externalId": "a"}, "agentId": "7796d43e-a3ed-4bf3-a250-c1a245f99859"}),
        ("CallIngest", {"call": {"externalId": "a"}}),
        ("CallIngest", {"call": {"externalId": "a"}, "agent": None, "agentId": None}),
        ("CallIngest", {"call": {"externalId": ""}, "agent": {"externalId": "b"}}),
        ("CallIngest", {"call": {"externalId": "a", "cost": -1}, "agent": {"externalId": "b"}}),
        ("CallIngest", {"call": {"externalId": "a"}, "agent": {"externalId": "b"}, "version": ""}),
        ("VapiMessage", vapi_report()),
        ("VapiMessage", {"message": {"type": "transcript"}}),
        ("VapiMessage", {"message": {"type": "end-of-call-report", "call": {}}}),
        ("VapiMessage", {"message": {"type": ""}}),
        ("RetellEvent", retell_event()),
        ("RetellEvent", {"event": "call_started"}),
        ("RetellEvent", {"event": "call_ended", "call": {"call_id": 7}}),
        ("RetellEvent", {"call": {}}),
    ],
)  # fmt: skip
def test_a_body_is_accepted_when_its_schema_says_so_and_not_otherwise(send, name, sent):
    provider = {"CallIngest": "zelto", "VapiMessage": "vapi", "RetellEvent": "retell"}[name]
    assert (send(sent, provider).status_code == 200) == valid_body(name, sent)
