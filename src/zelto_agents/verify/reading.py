"""Section 6, reading back: REST v1, with the same key."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from zelto_agents.verify.checks import Differs, Skipped, check, expect
from zelto_agents.verify.http import answer_json

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__: list[str] = []

_LISTS = ("/v1/agents", "/v1/conversations")
_DEFAULT = 50
_PAGES = 200
_AGENT = {"id", "name", "description", "externalId", "provider", "createdAt", "updatedAt"}
_CONVERSATION = {
    "id", "agentId", "name", "source", "createdAt", "updatedAt", "receiverId", "referenceId",
    "endedReason", "cost",
}  # fmt: skip
_TRANSCRIPT = {
    "conversationId", "createdAt", "recordingUrl", "durationSeconds", "content", "systemPrompt",
}  # fmt: skip


def _fields(found: dict[str, Any], wanted: set[str], what: str) -> None:
    missing = sorted(wanted - set(found))
    if missing:
        raise Differs(f"{what} has no {', '.join(missing)}")


def _own(target: Target) -> dict[str, Any]:
    return target.landed(target.accept(target.body("read")))


@check("6.1", "reading needs the key", quote="without a key: 401")
def _key(target: Target) -> None:
    found = _own(target)
    one = f"/v1/conversations/{found['id']}"
    for path in (*_LISTS, one, f"{one}/transcript"):
        expect(target.stranger.get(path).status_code, 401, f"status of GET {path} without a key")


@check("6.2", "agents", quote="GET /v1/agents: {data: [{id, name, ...}], nextCursor}")
def _agents(target: Target) -> None:
    _own(target)
    page = target.read("/v1/agents", limit=1)
    _fields(page, {"data", "nextCursor"}, "the page")
    _fields(page["data"][0], _AGENT, "an agent")


@check("6.3", "limit", quote="limit 1..200")
def _limit(target: Target) -> None:
    for _ in range(2):
        _own(target)
    for limit in (1, 200):
        data = target.read("/v1/conversations", limit=limit)["data"]
        if len(data) > limit:
            raise Differs(f"limit={limit} gave {len(data)}")


@check("6.4", "a limit beyond", quote="limit 1..200; what else is refused", assumed=True)
def _limit_beyond(target: Target) -> None:
    for limit in (0, 201, "many"):
        status = target.get("/v1/conversations", limit=limit).status_code
        expect(status, 400, f"status with limit={limit}")


@check("6.5", "fifty without a limit", quote="default 50")
def _default_limit(target: Target) -> None:
    have = len(target.read("/v1/conversations", limit=_DEFAULT + 1)["data"])
    if have <= _DEFAULT and target.real:
        raise Skipped(f"there are only {have} conversations")
    for _ in range(have, _DEFAULT + 1):
        last = target.accept(target.body("fill"))
    if have <= _DEFAULT:
        target.landed(last)
    expect(len(target.read("/v1/conversations")["data"]), _DEFAULT, "conversations without a limit")


@check("6.6", "pages follow each other", quote="limit&cursor, nextCursor; cursor opaque")
def _paging(target: Target) -> None:
    made = {target.landed(target.accept(target.body("page")))["id"] for _ in range(3)}
    for path in _LISTS:
        seen = [each["id"] for page in target.pages(path, limit=2, most=_PAGES) for each in page]
        expect(len(seen), len(set(seen)), f"{path}: ids seen, and different ones")
        if path == "/v1/conversations" and not made <= set(seen) and len(seen) < 2 * _PAGES:
            raise Differs(f"{path}: the pages leave out conversations")
        if len(seen) < 2 and len(target.read(path, limit=_DEFAULT)["data"]) > len(seen):
            raise Differs(f"{path}: the pages end too early")


@check(
    "6.7",
    "conversations",
    quote="GET /v1/conversations: {data: [conversation], nextCursor} (path assumed)",
    assumed=True,
)
def _conversations(target: Target) -> None:
    found = _own(target)
    page = target.read("/v1/conversations", limit=1)
    _fields(page, {"data", "nextCursor"}, "the page")
    _fields(found, _CONVERSATION, "a conversation in the list")


@check("6.8", "one conversation", quote="GET /v1/conversations/{id}: {id, agentId, name, ...}")
def _conversation(target: Target) -> None:
    about = target.accept(target.body("one"))
    found = target.landed(about)
    one = target.read(f"/v1/conversations/{found['id']}")
    _fields(one, _CONVERSATION, "a conversation")
    expect((one["id"], one["referenceId"]), (found["id"], about), "id and referenceId")


@check("6.9", "ids are UUIDs", quote="ids are UUIDs")
def _ids(target: Target) -> None:
    found = _own(target)
    for name in ("id", "agentId"):
        expect(str(uuid.UUID(found[name])), found[name].lower(), name)


@check("6.10", "a transcript", quote="GET /v1/conversations/{id}/transcript: {conversationId, ...}")
def _transcript(target: Target) -> None:
    found = _own(target)
    transcript = target.read(f"/v1/conversations/{found['id']}/transcript")
    _fields(transcript, _TRANSCRIPT, "the transcript")
    expect(transcript["conversationId"], found["id"], "conversationId")


@check("6.11", "an unknown id", quote="unknown id: 404", assumed=True)
def _unknown(target: Target) -> None:
    for rest in ("", "/transcript"):
        answer = target.get(f"/v1/conversations/{uuid.uuid4()}{rest}")
        expect(answer.status_code, 404, f"status of the answer {answer_json(answer)!r}")
