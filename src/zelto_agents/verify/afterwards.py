"""Section 4, what happens after the 200."""

from __future__ import annotations

import time
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from zelto_agents.verify.checks import Differs, Skipped, check, expect
from zelto_agents.verify.wav import WAV, serve_wav

if TYPE_CHECKING:
    from zelto_agents.verify.target import Target

__all__: list[str] = []

# Long enough for a receiver on this machine to ask for a file on this machine.
_ASKED = 3.0


def _turns(*words: str) -> dict[str, Any]:
    return {"turns": [{"role": "user", "content": word} for word in words]}


def _again(body: dict[str, Any], *, call: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**body, **fields, "call": {**body["call"], **call}}


def _without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


@check("4.1", "the same id again updates in place", quote="dedup on call.externalId")
def _dedup(target: Target) -> None:
    body = target.body("again", call={"durationSeconds": 1}, transcript=_turns("One."))
    first = target.landed(target.accept(body))
    target.accept(_again(body, call={"durationSeconds": 2}, transcript=_turns("One.", "Two.")))
    about = str(body["call"]["externalId"])
    _, transcript = target.changed(about, lambda _, seen: seen["durationSeconds"] == 2)
    said = [turn["content"] for turn in transcript["content"]]
    expect((transcript["durationSeconds"], said), (2, ["One.", "Two."]), "after the second")
    found = [each["id"] for each in target.conversations(about)]
    expect(found, [first["id"]], "conversations of this id")


@check("4.2", "nothing is charged twice", quote="... and never charges twice")
def _no_second_charge(target: Target) -> None:
    body = target.body("charge", call={"cost": 0.25})
    target.landed(target.accept(body))
    target.accept(_again(body, call={"cost": 0.5}))
    about = str(body["call"]["externalId"])
    found, _ = target.changed(about, lambda seen, _: Decimal(str(seen["cost"])) == Decimal("0.5"))
    expect(Decimal(str(found["cost"])), Decimal("0.5"), "cost after 0.25, then 0.5")


@check(
    "4.3",
    "what a re-send omits is kept",
    quote="whether a field that a re-send omits keeps its earlier value is not stated",
    assumed=True,
)
def _omitted(target: Target) -> None:
    body = target.body("omit", transcript=_turns("Still here."))
    target.landed(target.accept(body))
    target.accept(_without(_again(body, call={"durationSeconds": 3}), "transcript"))
    about = str(body["call"]["externalId"])
    _, transcript = target.changed(about, lambda _, seen: seen["durationSeconds"] == 3)
    said = [turn["content"] for turn in transcript["content"]]
    expect((transcript["durationSeconds"], said), (3, ["Still here."]), "without its transcript")


@check("4.4", "an unconnected dial", quote="neither a transcript nor a recording: no conversation")
def _unconnected(target: Target) -> None:
    target.absent(target.accept(target.body("dial", transcript=None)))


@check("4.5", "a dial that connects later", quote="a later re-send with one of them ingests")
def _connected_later(target: Target) -> None:
    body = target.body("late", transcript=None)
    target.accept(body)
    target.landed(target.accept(_again(body, call={}, transcript=_turns("Hello at last."))))


@check("4.6", "a recording is enough", quote="neither a transcript nor a recording")
def _recording_only(target: Target) -> None:
    url = "https://recordings.invalid/zelto-verify.wav"
    target.landed(target.accept(target.body("heard", call={"recordingUrl": url}, transcript=None)))


@check("4.7", "an agentId that does not exist", quote="200, then it fails quietly, never appears")
def _unknown_agent(target: Target) -> None:
    target.absent(target.accept(target.body("fault", agent=None, agentId=str(uuid.uuid4()))))


@check("4.8", "an agent is found again", quote="found or created by (.., .., externalId)")
def _same_agent(target: Target) -> None:
    agent = {"externalId": target.new_id("agent")}
    called = [target.landed(target.accept(target.body("of", agent=agent))) for _ in range(2)]
    other = {"externalId": target.new_id("agent")}
    foreign = target.landed(target.accept(target.body("of", agent=other)))
    expect(called[0]["agentId"], called[1]["agentId"], "agentId of the second call")
    if foreign["agentId"] == called[0]["agentId"]:
        raise Differs("two agents of different externalId are one")


@check("4.9", "agents belong to a provider", quote="found or created by (.., provider, ..)")
def _provider_of_agent(target: Target) -> None:
    agent = {"externalId": target.new_id("agent")}
    first = target.landed(target.accept(target.body("of", agent=agent), "zelto"))
    second = target.landed(target.accept(target.body("of", agent=agent), "livekit"))
    if first["agentId"] == second["agentId"]:
        raise Differs("one agent of two providers is the same")


@check("4.10", "the recording is re-hosted", quote="the recording is downloaded and re-hosted")
def _rehosted(target: Target) -> None:
    if target.real:
        raise Skipped("a file on this machine cannot be fetched from there")
    with serve_wav() as wav:
        about = target.accept(target.body("wav", call={"recordingUrl": wav.url}))
        url = _hosted_url(target, about, wav.asked)
        if url is None and not wav.asked() and not target.fetches_private:
            raise Skipped("it fetches nothing from this machine (receiver --allow-private does)")
        if url is None or url == wav.url:
            raise Differs(f"recordingUrl is {url!r} after {wav.url!r} was sent")
    answer = target.client.get(url)
    seen = (answer.status_code, answer.content == WAV)
    expect(seen, (200, True), "status of the re-hosted recording, and whether it is the same")


def _hosted_url(target: Target, external_id: str, asked: Any) -> str | None:
    """The address of the recording there, once there is one."""
    start = time.monotonic()
    while True:
        url = target.transcript(external_id)["recordingUrl"]
        passed = time.monotonic() - start
        if url is not None or passed > target.patience:
            return None if url is None else str(url)
        if passed > _ASKED and not asked() and not target.fetches_private:
            return None
        target.pause()
