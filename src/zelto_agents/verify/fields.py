"""Section 3, the canonical body: each field is taken, checked, and read back where it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zelto_agents.contract import VERSION_MAX
from zelto_agents.verify.checks import check, expect

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__: list[str] = []


def _call_wrong(target: Target, name: str, *values: Any) -> None:
    for value in values:
        target.refuse(target.body("wrong", call={name: value}), f"call.{name} is {value!r}")


@check("3.1", "call is required", quote="call: object, required")
def _call(target: Target) -> None:
    target.refuse(target.body("no-call") | {"call": None}, "call is null")
    body = target.body("no-call")
    del body["call"]
    target.refuse(body, "call is missing")


@check("3.2", "call.externalId is required", quote="call.externalId: string, required")
def _external_id(target: Target) -> None:
    _call_wrong(target, "externalId", 7, None)
    body = target.body("no-id")
    del body["call"]["externalId"]
    target.refuse(body, "call.externalId is missing")


@check("3.3", "startedAt is a date-time", quote="call.startedAt: RFC 3339 date-time")
def _started_at(target: Target) -> None:
    target.landed(target.accept(target.body("started", call={"startedAt": "2026-01-01T10:00:00Z"})))
    _call_wrong(target, "startedAt", "yesterday", 7)


@check("3.4", "endedAt is a date-time", quote="call.endedAt: RFC 3339 date-time")
def _ended_at(target: Target) -> None:
    moment = "2026-01-01T12:00:00.250+02:00"
    target.landed(target.accept(target.body("ended", call={"endedAt": moment})))
    _call_wrong(target, "endedAt", "tomorrow", 7)


@check("3.5", "durationSeconds is a number", quote="call.durationSeconds: number")
def _duration(target: Target) -> None:
    found = target.transcript(target.accept(target.body("length", call={"durationSeconds": 61.5})))
    expect(found["durationSeconds"], 61.5, "durationSeconds of the transcript")
    _call_wrong(target, "durationSeconds", "long")


@check("3.6", "durationSeconds is not negative", quote="call.durationSeconds: >= 0", assumed=True)
def _no_negative_duration(target: Target) -> None:
    _call_wrong(target, "durationSeconds", -1)


@check("3.7", "endedReason is kept", quote="call.endedReason: string, what people filter on")
def _ended_reason(target: Target) -> None:
    reason = "customer-ended-call"
    found = target.landed(target.accept(target.body("reason", call={"endedReason": reason})))
    expect(found["endedReason"], reason, "endedReason")


@check("3.8", "cost is kept precisely", quote="call.cost: number; read back as a string in dollars")
def _cost(target: Target) -> None:
    found = target.landed(target.accept(target.body("cost", call={"cost": 0.00000012})))
    expect(found["cost"], "0.00000012", "cost")
    _call_wrong(target, "cost", "free")


@check("3.9", "cost is not negative", quote="call.cost: >= 0", assumed=True)
def _no_negative_cost(target: Target) -> None:
    _call_wrong(target, "cost", -0.01)


@check("3.10", "recordingUrl is a URL", quote="call.recordingUrl: string (URL)")
def _recording_url(target: Target) -> None:
    _call_wrong(target, "recordingUrl", "nowhere", 7)


@check("3.11", "the customer has texts", quote="call.customer.number, .name: string")
def _customer(target: Target) -> None:
    customer = {"number": "+15550100", "name": "Zelto Verify"}
    target.landed(target.accept(target.body("customer", call={"customer": customer})))
    _call_wrong(target, "customer", {"number": 15550100}, {"name": ["Ann"]})


@check("3.12", "an agent is named", quote="agent.externalId: required unless agentId is given")
def _agent(target: Target) -> None:
    target.refuse(target.body("no-agent", agent=None), "the agent is missing")


@check("3.13", "the first name names the agent", quote="the first call's name names the agent")
def _agent_name(target: Target) -> None:
    agent = target.new_id("agent")
    for name in ("First", "Second"):
        called = target.body("name", agent={"externalId": agent, "name": name})
        found = target.landed(target.accept(called))
    expect(_agent_of(target, found["agentId"])["name"], "First", "name of the agent")


@check("3.14", "agentId attaches", quote="agentId: UUID, attaches to an existing agent")
def _agent_id(target: Target) -> None:
    first = target.landed(target.accept(target.body("own")))
    body = target.body("attached", agent=None, agentId=first["agentId"])
    expect(target.landed(target.accept(body))["agentId"], first["agentId"], "agentId")
    target.refuse(target.body("wrong", agent=None, agentId="support"), "agentId")


@check("3.15", "agentId wins", quote="agentId: wins over agent.externalId")
def _agent_id_wins(target: Target) -> None:
    first = target.landed(target.accept(target.body("own")))
    other = {"externalId": target.new_id("other")}
    body = target.body("both", agent=other, agentId=first["agentId"])
    expect(target.landed(target.accept(body))["agentId"], first["agentId"], "agentId")


@check("3.16", "version is short", quote="version: string, 1 to 255 characters")
def _version(target: Target) -> None:
    target.landed(target.accept(target.body("version", version="v" * VERSION_MAX)))
    for version in ("", "v" * (VERSION_MAX + 1), 7):
        target.refuse(target.body("version", version=version), "version")


@check("3.17", "turns are kept", quote="{role, content, startSeconds?, endSeconds?}")
def _turns(target: Target) -> None:
    turns = [
        {
            "role": role,
            "content": f"As {role}: à l'été, 你好",
            "startSeconds": at,
            "endSeconds": at + 1,
        }
        for at, role in enumerate(("user", "assistant", "tool", "system"))
    ]
    found = target.transcript(target.accept(target.body("turns", transcript={"turns": turns})))
    expect(found["content"], turns, "content of the transcript")
    without = [{"role": "user"}], [{"role": "user", "content": 7}]
    for wrong in without:
        target.refuse(target.body("turns", transcript={"turns": wrong}), "content of a turn")


@check("3.18", "there are four roles", quote="role is user, assistant, system or tool")
def _roles(target: Target) -> None:
    turns = [{"role": "robot", "content": "Beep."}]
    target.refuse(target.body("role", transcript={"turns": turns}), "role")


@check("3.19", "a leading system turn", quote="a leading system turn is used as the prompt")
def _leading_system_turn(target: Target) -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    found = target.transcript(target.accept(target.body("system", transcript={"turns": turns})))
    expect(found["systemPrompt"], "Be kind.", "systemPrompt")


@check("3.20", "systemPrompt comes first", quote="when systemPrompt is absent, ...")
def _prompt(target: Target) -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    body = target.body("prompt", transcript={"turns": turns}, systemPrompt="Be brief.")
    expect(target.transcript(target.accept(body))["systemPrompt"], "Be brief.", "systemPrompt")


@check("3.21", "metadata is an object", quote="metadata: object, free-form")
def _metadata(target: Target) -> None:
    free = {"zelto": {"verify": target.run_id}, "list": [1, None, {"deep": True}]}
    target.landed(target.accept(target.body("metadata", metadata=free)))
    target.refuse(target.body("metadata", metadata=["a list"]), "metadata")


@check("3.22", "a text conversation", quote="the same shape without times, duration and recording")
def _text(target: Target) -> None:
    body = target.body("text", metadata={"channel": "sms"})
    found = target.transcript(target.accept(body))
    expect((found["durationSeconds"], found["recordingUrl"]), (None, None), "what it has not")


def _agent_of(target: Target, agent_id: str) -> dict[str, Any]:
    for page in target.pages("/v1/agents", limit=150, most=100):
        for agent in page:
            if agent["id"] == agent_id:
                return agent
    raise LookupError(f"/v1/agents does not list {agent_id}")
