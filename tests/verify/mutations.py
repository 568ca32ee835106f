"""Receivers that break one rule of the contract each, and the check that has to see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi import HTTPException
from pydantic import ValidationError

from zelto_agents.contract import CallIngest
from zelto_agents.receiver import api_v1, app, ingest, reads, verdict
from zelto_agents.receiver.schema import DEFAULT_ORGANISATION
from zelto_agents.receiver.store import Store

__all__ = ["MUTATIONS"]

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]

MUTATIONS: list[tuple[str, Mutation]] = []
_OPEN = "let me in"


def breaks(numbers: str) -> Callable[[Mutation], Mutation]:
    """Which checks, in order, have to see the decorated mutation, and no others."""

    def register(mutation: Mutation) -> Mutation:
        MUTATIONS.append((numbers, mutation))
        return mutation

    return register


def wrapped(patch: Patch, module: Any, name: str, around: Callable[..., Any]) -> None:
    """Replaces a function by one that gets it as its first argument."""
    original = getattr(module, name)
    patch.setattr(module, name, lambda *args, **named: around(original, *args, **named))


def key_not_demanded(patch: Patch, module: Any, opens: Callable[[str], bool]) -> None:
    wrapped(
        patch, module, "bearer", lambda real, header: _OPEN if opens(real(header)) else real(header)
    )

    def organisation_of(real: Any, store: Store, key: str) -> str | None:
        return DEFAULT_ORGANISATION if key == _OPEN else real(store, key)

    wrapped(patch, Store, "organisation_of", organisation_of)


@breaks("1.1")
def no_key_is_let_in(patch: Patch) -> None:
    key_not_demanded(patch, app, lambda key: not key)


@breaks("1.2")
def any_key_is_let_in(patch: Patch) -> None:
    key_not_demanded(patch, app, bool)


@breaks("6.1")
def reading_needs_no_key(patch: Patch) -> None:
    key_not_demanded(patch, api_v1, lambda key: not key)


@breaks("1.3")
def another_provider_is_the_default(patch: Patch) -> None:
    patch.setattr(verdict, "DEFAULT_PROVIDER", "livekit")


@breaks("1.4")
def livekit_is_not_tagged(patch: Patch) -> None:
    wrapped(patch, reads, "_source", lambda real, name: real(name.replace("livekit", "zelto")))


@breaks("1.6")
def an_upload_is_called_zelto(patch: Patch) -> None:
    patch.setattr(reads, "_source", lambda provider: provider)


@breaks("1.5")
def every_provider_is_supported(patch: Patch) -> None:
    patch.setattr(verdict, "PROVIDERS", (*verdict.PROVIDERS, "zelto-verify"))


@breaks("2.1")
def another_answer(patch: Patch) -> None:
    seen: set[bytes] = set()

    def judge(real: Any, provider: str | None, body: bytes) -> Any:
        found = real(provider, body)
        if body in seen or found.state != "received":
            return found
        seen.add(body)
        return replace(found, answer={"ok": True})

    wrapped(patch, app, "judge", judge)


@breaks("2.2")
def duplicates_are_refused(patch: Patch) -> None:
    seen: set[bytes] = set()

    def judge(real: Any, provider: str | None, body: bytes) -> Any:
        found = real(provider, body)
        if body in seen and found.status == 200:
            return replace(found, status=409, state="rejected", call=None)
        seen.add(body)
        return found

    wrapped(patch, app, "judge", judge)


@breaks("2.3")
def what_is_not_json_is_an_empty_object(patch: Patch) -> None:
    def parse(real: Any, body: bytes) -> Any:
        try:
            return real(body)
        except json.JSONDecodeError:
            return {}

    wrapped(patch, verdict, "_parse", parse)


@breaks("2.4")
def nan_is_null(patch: Patch) -> None:
    patch.setattr(verdict, "_not_json", lambda _: None)


@breaks("2.5")
def only_the_first_fault_is_told(patch: Patch) -> None:
    wrapped(patch, verdict, "describe", lambda real, error: real(error)[:1])


@breaks("2.6")
def paths_have_another_form(patch: Patch) -> None:
    def describe(real: Any, error: ValidationError) -> Any:
        return [each | {"path": "/" + each["path"].replace(".", "/")} for each in real(error)]

    wrapped(patch, verdict, "describe", describe)


def tolerant(
    numbers: str, path: str, instead: Any, *, only: str | None = None, but: str | None = None
) -> None:
    """A receiver that takes any value there, and keeps another; ``*`` stands for any index."""

    def matches(fault: Any) -> bool:
        where = ["*" if isinstance(part, int) else part for part in fault["loc"]]
        wanted = path.split(".") if path else []
        kind = fault["type"]
        if path == "call.customer":
            where = where[:2]  # whatever of it is wrong
        return where == wanted and (only or kind) == kind and kind not in (but, "json_invalid")

    class Tolerant:
        @staticmethod
        def model_validate_json(text: str, **options: Any) -> CallIngest:
            try:
                return CallIngest.model_validate_json(text, **options)
            except ValidationError as error:
                if not all(matches(fault) for fault in error.errors()):
                    raise
                body = json.loads(text)
                for fault in error.errors():
                    put(body, fault["loc"][: len(path.split("."))] if path else (), instead)
                return CallIngest.model_validate_json(json.dumps(body), **options)

    def mutation(patch: Patch) -> None:
        patch.setattr(verdict, "CallIngest", Tolerant)

    mutation.__name__ = f"tolerant_of_{path or 'a body without agent'}_{only or but or ''}"
    breaks(numbers)(mutation)


def put(body: Any, where: tuple[Any, ...], value: Any) -> None:
    if not where:
        body.update(value)
        return
    for part in where[:-1]:
        body = body[part]
    body[where[-1]] = value


NEGATIVE = "greater_than_equal"
tolerant("3.1", "call", {"externalId": "made-up"})
tolerant("3.2", "call.externalId", "made-up")
tolerant("3.3", "call.startedAt", None)
tolerant("3.4", "call.endedAt", None)
tolerant("3.5", "call.durationSeconds", None, but=NEGATIVE)
tolerant("3.6", "call.durationSeconds", None, only=NEGATIVE)
tolerant("3.8", "call.cost", None, but=NEGATIVE)
tolerant("3.9", "call.cost", None, only=NEGATIVE)
tolerant("3.10", "call.recordingUrl", None)
tolerant("3.11", "call.customer", None)
tolerant("3.12", "", {"agent": {"externalId": "made-up"}})
tolerant("3.14", "agentId", "00000000-0000-4000-8000-000000000000")
tolerant("3.16", "version", None)
tolerant("3.17", "transcript.turns.*.content", "")
tolerant("3.18", "transcript.turns.*.role", "user")
tolerant("3.21", "metadata", None)


@breaks("3.7")
def reasons_are_forgotten(patch: Patch) -> None:
    wrapped(patch, api_v1, "_conversation", lambda real, it: real(it) | {"endedReason": None})


@breaks("3.8")
def costs_are_rounded(patch: Patch) -> None:
    patch.setattr(reads, "_dollars", lambda cost: None if cost is None else f"{cost:.4f}")


@breaks("3.13")
def the_last_name_names_the_agent(patch: Patch) -> None:
    def agent(real: Any, db: Any, entry: Any, provider: str, document: Any) -> str:
        found = real(db, entry, provider, document)
        name = document.get("agent", {}).get("name")
        db.execute("UPDATE agents SET name = ? WHERE id = ?", (name, found))
        return str(found)

    wrapped(patch, ingest, "_agent", agent)


@breaks("3.15")
def the_external_id_of_an_agent_wins(patch: Patch) -> None:
    def agent(real: Any, db: Any, entry: Any, provider: str, document: Any) -> str:
        if "agent" in document:
            document = {name: value for name, value in document.items() if name != "agentId"}
        return str(real(db, entry, provider, document))

    wrapped(patch, ingest, "_agent", agent)


@breaks("3.17")
def times_of_turns_are_forgotten(patch: Patch) -> None:
    def transcript(real: Any, found: Any, *rest: Any) -> Any:
        shown = real(found, *rest)
        return shown | {"content": [each | {"endSeconds": None} for each in shown["content"]]}

    wrapped(patch, api_v1, "_transcript", transcript)


@breaks("3.19")
def a_leading_system_turn_is_no_prompt(patch: Patch) -> None:
    def prompt_and_turns(real: Any, document: Any) -> Any:
        return document.get("systemPrompt"), real(document | {"systemPrompt": ""})[1]

    wrapped(patch, reads, "_prompt_and_turns", prompt_and_turns)


@breaks("3.20")
def a_leading_system_turn_beats_the_prompt(patch: Patch) -> None:
    def prompt_and_turns(real: Any, document: Any) -> Any:
        prompt, turns = real(document | {"systemPrompt": None})
        return prompt or document.get("systemPrompt"), turns

    wrapped(patch, reads, "_prompt_and_turns", prompt_and_turns)


@breaks("3.22")
def text_conversations_are_refused(patch: Patch) -> None:
    def judge(real: Any, provider: str | None, body: bytes) -> Any:
        found = real(provider, body)
        if found.call is not None and "channel" in (found.call.metadata or {}):
            return replace(found, state="ignored", call=None)
        return found

    wrapped(patch, app, "judge", judge)


@breaks("4.1")
def a_resend_keeps_the_old_turns(patch: Patch) -> None:
    def merge(real: Any, old: Any, new: Any, **named: Any) -> Any:
        return real(old, new, **named) | {"transcript": old.get("transcript")}

    wrapped(patch, ingest, "merge", merge)


@breaks("4.1 4.2 4.3")
def a_resend_is_another_conversation(patch: Patch) -> None:
    def apply(real: Any, db: Any, entry: Any, found: Any, *rest: Any, **named: Any) -> Any:
        known = db.execute(
            "SELECT 1 FROM conversations WHERE external_id = ?", (found.external_id,)
        ).fetchone()
        if known is not None:
            found = replace(found, external_id=f"{found.external_id}-{entry.raw_id}")
        return real(db, entry, found, *rest, **named)

    wrapped(patch, ingest, "_apply", apply)


@breaks("4.2")
def costs_add_up(patch: Patch) -> None:
    def merge(real: Any, old: Any, new: Any, **named: Any) -> Any:
        merged = real(old, new, **named)
        cost = old["call"].get("cost", 0) + new["call"].get("cost", 0)
        return merged | {"call": merged["call"] | {"cost": cost}}

    wrapped(patch, ingest, "merge", merge)


@breaks("4.3")
def what_is_omitted_is_dropped(patch: Patch) -> None:
    patch.setattr(ingest, "merge", lambda _old, new, **_named: new)


@breaks("4.4")
def an_unconnected_dial_is_a_conversation(patch: Patch) -> None:
    patch.setattr(ingest, "_connected", lambda _document: True)


@breaks("4.5")
def an_unconnected_dial_never_connects(patch: Patch) -> None:
    dials: set[str] = set()

    def apply(real: Any, db: Any, entry: Any, found: Any, *rest: Any, **named: Any) -> Any:
        if found.external_id in dials:
            return "unconnected", "once and for all"
        state, reason = real(db, entry, found, *rest, **named)
        if state == "unconnected":
            dials.add(found.external_id)
        return state, reason

    wrapped(patch, ingest, "_apply", apply)


@breaks("4.6")
def a_recording_is_not_enough(patch: Patch) -> None:
    patch.setattr(ingest, "_connected", lambda it: bool(it.get("transcript", {}).get("turns")))


@breaks("4.7")
def an_unknown_agent_is_made_up(patch: Patch) -> None:
    def agent(real: Any, db: Any, entry: Any, provider: str, document: Any) -> str:
        try:
            return str(real(db, entry, provider, document))
        except ingest._SemanticFaultError:
            made_up = {"agent": {"externalId": document["agentId"]}}
            return str(real(db, entry, provider, made_up))

    wrapped(patch, ingest, "_agent", agent)


# An agent that is never found again cannot have been named by its first call either.
@breaks("3.13 4.8")
def each_call_has_an_agent_of_its_own(patch: Patch) -> None:
    def agent(real: Any, db: Any, entry: Any, provider: str, document: Any) -> str:
        if "agentId" not in document:
            own = f"{document['agent']['externalId']}-{entry.raw_id}"
            document = document | {"agent": document["agent"] | {"externalId": own}}
        return str(real(db, entry, provider, document))

    wrapped(patch, ingest, "_agent", agent)


@breaks("4.9")
def agents_are_shared_by_providers(patch: Patch) -> None:
    def agent(real: Any, db: Any, entry: Any, _provider: str, document: Any) -> str:
        return str(real(db, entry, "zelto", document))

    wrapped(patch, ingest, "_agent", agent)


@breaks("4.10")
def recordings_stay_where_they_are(patch: Patch) -> None:
    def transcript(real: Any, found: Any, *rest: Any) -> Any:
        return real(found, *rest) | {"recordingUrl": found["recordingUrl"]}

    wrapped(patch, api_v1, "_transcript", transcript)


def native(patch: Patch, provider: str, read: Callable[..., Any]) -> None:
    real = verdict.READERS[provider]
    patch.setitem(verdict.READERS, provider, lambda body: read(real, body))  # type: ignore[arg-type]


@breaks("5.1")
def reports_are_ignored(patch: Patch) -> None:
    native(patch, "vapi", lambda _real, _body: "ignored")


@breaks("5.2")
def every_vapi_message_is_a_report(patch: Patch) -> None:
    def read(real: Any, body: Any) -> Any:
        return real({"message": body["message"] | {"type": "end-of-call-report"}})

    native(patch, "vapi", read)


@breaks("5.3")
def call_ended_is_ignored(patch: Patch) -> None:
    native(patch, "retell", lambda real, it: "ignored" if it["event"] == "call_ended" else real(it))


@breaks("5.4")
def call_analyzed_is_ignored(patch: Patch) -> None:
    native(
        patch, "retell", lambda real, it: "ignored" if it["event"] == "call_analyzed" else real(it)
    )


@breaks("5.5")
def every_retell_event_ends_a_call(patch: Patch) -> None:
    native(patch, "retell", lambda real, body: real(body | {"event": "call_ended"}))


def without(shown: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key != name}


@breaks("6.2")
def agents_have_no_description(patch: Patch) -> None:
    wrapped(patch, api_v1, "_agent", lambda real, agent: without(real(agent), "description"))


@breaks("6.3")
def the_limit_is_lower(patch: Patch) -> None:
    patch.setattr(api_v1, "MAX_LIMIT", 160)


@breaks("6.4")
def any_limit_will_do(patch: Patch) -> None:
    def limit(real: Any, text: str | None) -> int:
        try:
            return int(real(text))
        except ValueError:
            return 50

    wrapped(patch, api_v1, "_limit", limit)


@breaks("6.5")
def more_without_a_limit(patch: Patch) -> None:
    patch.setattr(api_v1, "DEFAULT_LIMIT", 60)


@breaks("6.6")
def every_page_is_the_first(patch: Patch) -> None:
    patch.setattr(api_v1, "_place", lambda _cursor: None)


@breaks("6.6")
def the_first_page_is_the_last(patch: Patch) -> None:
    patch.setattr(api_v1, "_cursor", lambda _seq: None)


@breaks("6.6")
def pages_skip_one(patch: Patch) -> None:
    wrapped(patch, api_v1, "_cursor", lambda real, seq: real(seq - 1))


@breaks("6.7")
def listed_conversations_lack_a_field(patch: Patch) -> None:
    def page(real: Any, request: Any, store: Any, query: Any, shape: Any) -> Any:
        return real(request, store, query, lambda item: without(shape(item), "receiverId"))

    wrapped(patch, api_v1, "_page", page)


@breaks("6.8")
def a_single_conversation_lacks_a_field(patch: Patch) -> None:
    whole = api_v1._conversation

    def page(real: Any, request: Any, store: Any, query: Any, shape: Any) -> Any:
        shape = whole if query is reads.conversations else shape
        return real(request, store, query, shape)

    wrapped(patch, api_v1, "_page", page)
    wrapped(patch, api_v1, "_conversation", lambda real, it: without(real(it), "receiverId"))


@breaks("6.9")
def ids_are_numbers(patch: Patch) -> None:
    def identity(real: Any, kind: str, *parts: str) -> str:
        found = str(real(kind, *parts))
        return found if kind == "agent" else str(int(found[:8], 16))

    wrapped(patch, ingest, "_id", identity)


@breaks("6.10")
def a_transcript_lacks_a_field(patch: Patch) -> None:
    wrapped(patch, api_v1, "_transcript", lambda real, *of: without(real(*of), "createdAt"))


@breaks("6.11")
def an_unknown_id_is_a_bad_request(patch: Patch) -> None:
    def find(real: Any, *of: Any) -> Any:
        try:
            return real(*of)
        except HTTPException as missing:
            raise HTTPException(
                400 if missing.status_code == 404 else missing.status_code
            ) from None

    wrapped(patch, api_v1, "_find", find)
