"""Section 1, key and provider; section 2, the table of answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zelto_agents.contract import UPLOAD_PATH
from zelto_agents.verify.checks import Differs, check, expect
from zelto_agents.verify.http import answer_json, post

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__: list[str] = []

_UNAUTHORIZED = (401, {"error": "Unauthorized"})
_RECEIVED = (200, {"received": True})
_INVALID = (400, {"error": "Invalid JSON"})


@check("1.1", "no key", quote='401 {"error": "Unauthorized"}: missing key')
def _no_key(target: Target) -> None:
    answer = post(target.stranger, json.dumps(target.body("no-key")).encode(), "zelto")
    expect((answer.status_code, answer_json(answer)), _UNAUTHORIZED, "without a key")


@check("1.2", "a wrong key", quote='401 {"error": "Unauthorized"}: invalid key')
def _wrong_key(target: Target) -> None:
    content = json.dumps(target.body("wrong-key")).encode()
    headers = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    answer = target.stranger.post(UPLOAD_PATH, content=content, headers=headers)
    expect((answer.status_code, answer_json(answer)), _UNAUTHORIZED, "with a wrong key")


@check("1.3", "without X-Zelto-Provider it is zelto", quote="zelto (default when absent)")
def _default_provider(target: Target) -> None:
    absent = target.landed(target.accept(target.body("no-provider")))
    named = target.landed(target.accept(target.body("zelto"), "zelto"))
    expect(absent["source"], named["source"], "source without the header")


@check("1.4", "livekit is tagged so", quote="livekit: the conversation is tagged LiveKit")
def _livekit(target: Target) -> None:
    found = target.landed(target.accept(target.body("livekit"), "livekit"))
    expect(found["source"], "livekit", "source")


@check(
    "1.5",
    "an unknown provider",
    quote='400 {"error": "Unsupported provider", "details": ...}: unknown X-Zelto-Provider',
)
def _unknown_provider(target: Target) -> None:
    status, answer = target.upload(target.body("unknown-provider"), "zelto-verify")
    expect((status, answer.get("error")), (400, "Unsupported provider"), "answer")
    if not answer.get("details"):
        raise Differs(f"the answer has no details: {answer!r}")


@check("1.6", "zelto is an upload", quote="source is ..., upload", assumed=True)
def _upload(target: Target) -> None:
    found = target.landed(target.accept(target.body("upload"), "zelto"))
    expect(found["source"], "upload", "source")


@check("2.1", "a valid body", quote='200 {"received": true}: accepted')
def _valid(target: Target) -> None:
    expect(target.upload(target.body("valid")), _RECEIVED, "answer")


@check("2.2", "a duplicate", quote='200 {"received": true}: also for duplicates')
def _duplicate(target: Target) -> None:
    body = target.body("duplicate")
    target.accept(body)
    expect(target.upload(body), _RECEIVED, "answer to the same body again")


@check("2.3", "a body that is not JSON", quote='400 {"error": "Invalid JSON"}')
def _not_json(target: Target) -> None:
    expect(target.upload(b'{"call": '), _INVALID, "answer")


@check("2.4", "NaN is not JSON", quote="NaN and Infinity, which are not JSON")
def _nan(target: Target) -> None:
    for number in (float("nan"), float("inf"), -float("inf")):
        body = target.body("nan", metadata={"number": number})
        expect(target.upload(json.dumps(body).encode()), _INVALID, f"answer with {number}")


@check(
    "2.5",
    "each offending field is listed",
    quote='400 {"error": "Validation failed", "details": ...}: details lists each offending field',
)
def _each_field(target: Target) -> None:
    body = target.body("fields", call={"endedReason": 7}, version=7, metadata=7)
    status, answer = target.upload(body)
    expect((status, answer.get("error")), (400, "Validation failed"), "answer")
    text = json.dumps(answer.get("details"))
    missing = [name for name in ("endedReason", "version", "metadata") if name not in text]
    expect(missing, [], f"fields that details does not name, of {text}")


@check("2.6", "details are paths", quote="details: its exact shape", assumed=True)
def _details(target: Target) -> None:
    _, answer = target.upload(target.body("details", call={"endedReason": 7}))
    paths = [each["path"] for each in answer["details"] if each["message"]]
    expect(paths, ["call.endedReason"], "paths in details")
