"""Facts: the small frozen things that a plugin observes, and that the fold turns into a document.

Every time in a fact is wall-clock time in seconds since the epoch; the fold makes them relative.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, ClassVar, Literal, TypeVar

from zelto_agents._frozen import frozen_by_name
from zelto_agents.contract import Role, plain_json

__all__ = [
    "FAILED",
    "AgentKnown",
    "CallEnded",
    "CallStarted",
    "ChannelKnown",
    "CostKnown",
    "CustomerKnown",
    "Fact",
    "HandoffMade",
    "MetadataKnown",
    "PromptKnown",
    "RecordingAwaited",
    "RecordingKnown",
    "RecordingSource",
    "Source",
    "SpeechHeard",
    "ToolEnded",
    "ToolStarted",
    "TurnSaid",
    "UsageKnown",
    "WordsHeard",
    "decoded",
    "encoded",
    "is_word",
    "redacted",
    "redacted_value",
]

FAILED = "[redaction failed]"
"""What is sent of a text that could not be redacted."""

Source = Literal["framework", "environment", "argument"]
Channel = Literal["voice", "text"]
RecordingSource = Literal["audio", "file", "livekit-egress", "twilio", "daily"]


@frozen_by_name
class Fact:
    """One thing observed at a time; ``seq`` is its place in the order of observation."""

    SPOKEN: ClassVar[tuple[str, ...]] = ()
    """The fields that may hold personal data, and that a ``redact`` function is given."""

    at: float
    seq: int = 0


@frozen_by_name
class CallStarted(Fact):
    """The call began; ``provider`` is the value of ``X-Zelto-Provider``.

    A second one corrects the first: frameworks tell the true start late.
    """

    external_id: str
    provider: str = "zelto"


@frozen_by_name
class AgentKnown(Fact):
    """Which agent, and which build of it, holds the call; an argument beats the environment."""

    source: Source = "framework"
    external_id: str | None = None
    uuid: str | None = None
    name: str | None = None
    version: str | None = None


@frozen_by_name
class PromptKnown(Fact):
    """The agent's system prompt; of several from one source, the first counts."""

    SPOKEN = ("text",)
    text: str
    source: Source = "framework"


@frozen_by_name
class CustomerKnown(Fact):
    """The person at the other end; of several from one source, the latest counts."""

    SPOKEN = ("number", "name")
    number: str | None = None
    name: str | None = None
    source: Source = "framework"


@frozen_by_name
class ChannelKnown(Fact):
    """Voice or text; a text call carries no times."""

    channel: Channel


@frozen_by_name
class RecordingKnown(Fact):
    """Where the call's audio can be fetched."""

    url: str


@frozen_by_name
class RecordingAwaited(Fact):
    """The call's audio will have a URL later; ``where`` and ``reference`` say how to ask.

    ``audio``: a name in the outbox's folder of recordings. ``file``: an absolute path.
    ``livekit-egress``: JSON with ``egress``, or with ``room``, its ``sid`` and ``after``.
    ``twilio``, ``daily``: the recording's id there.
    """

    where: RecordingSource
    reference: str


@frozen_by_name
class CostKnown(Fact):
    """What the call cost, in US dollars."""

    usd: float


@frozen_by_name
class MetadataKnown(Fact):
    """Free-form values, merged deeply into the document's ``metadata``.

    ``technical`` ones, such as versions, hold nothing that a ``redact`` function should see.
    """

    SPOKEN = ("values",)
    values: Mapping[str, Any]
    technical: bool = False


@frozen_by_name
class SpeechHeard(Fact):
    """Somebody was heard speaking from ``start`` to ``end``; a turn without times may claim it.

    ``whole`` speech is one turn, or none; other speech may be a part of one.
    """

    role: Role
    start: float
    end: float
    whole: bool = False


@frozen_by_name
class WordsHeard(Fact):
    """A final transcript of the caller's, which the framework may or may not make a turn of."""

    SPOKEN = ("text",)
    text: str
    start: float | None = None
    end: float | None = None


@frozen_by_name
class TurnSaid(Fact):
    """One speaker's stretch; a later fact with the same ``id`` replaces it.

    ``typed`` turns were never speech. ``details`` go to ``metadata.zelto.turns``.
    """

    SPOKEN = ("text", "details")
    id: str
    role: Role
    text: str
    start: float | None = None
    end: float | None = None
    interrupted: bool = False
    typed: bool = False
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@frozen_by_name
class ToolStarted(Fact):
    """The agent called a tool; ``arguments`` as the model gave them (JSON text or values)."""

    SPOKEN = ("arguments",)
    id: str
    name: str
    arguments: Any = None


@frozen_by_name
class ToolEnded(Fact):
    """A tool came back with ``result``, or failed with it; ``details`` as of ``TurnSaid``."""

    SPOKEN = ("result", "details")
    id: str
    result: Any = None
    failed: bool = False
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@frozen_by_name
class HandoffMade(Fact):
    """Another agent took over, with its own prompt."""

    SPOKEN = ("prompt",)
    old: str
    new: str
    prompt: str | None = None


@frozen_by_name
class UsageKnown(Fact):
    """What the models consumed so far, a part for each provider and model; of each, the latest."""

    parts: tuple[Mapping[str, Any], ...]


@frozen_by_name
class CallEnded(Fact):
    """The call is over. The earliest ``at`` counts, and the latest reason that is given.

    ``settled`` is False while a better reason may follow within a moment.
    """

    SPOKEN = ("reason",)
    reason: str | None = None
    settled: bool = True


_F = TypeVar("_F", bound=Fact)


def redacted(fact: _F, redact: Callable[[str], str]) -> _F:
    """The fact with every text that may be personal passed through ``redact``.

    A ``redact`` that raises or returns no text costs the words, never the call. Keys of
    metadata are structure, and stay.
    """
    if not fact.SPOKEN or getattr(fact, "technical", False):
        return fact
    if isinstance(fact, CallEnded) and is_word(fact.reason):
        return fact
    changes: dict[str, Any] = {
        name: redacted_value(getattr(fact, name), redact, keys=name in ("arguments", "result"))
        for name in fact.SPOKEN
    }
    return dataclasses.replace(fact, **changes)


def redacted_value(value: Any, redact: Callable[[str], str], *, keys: bool = False) -> Any:
    """A value with every text in it passed through ``redact``, with ``keys`` its keys as well."""
    if isinstance(value, str):
        try:
            changed: object = redact(value)
        except Exception:  # noqa: BLE001 - the user's function; fail closed
            changed = None
        return changed if isinstance(changed, str) else FAILED
    if isinstance(value, Mapping):
        return {
            redacted_value(key, redact) if keys else key: redacted_value(item, redact, keys=keys)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted_value(item, redact, keys=keys) for item in value]
    return value


def is_word(reason: object) -> bool:
    """Whether a reason is one of the vocabulary, such as ``customer-ended-call``."""
    return isinstance(reason, str) and bool(re.fullmatch(r"[a-z]+(-[a-z]+)*", reason))


def encoded(fact: Fact) -> bytes:
    """The fact as a line of a journal."""
    values = {f.name: getattr(fact, f.name) for f in dataclasses.fields(fact)}
    line = {"kind": type(fact).__name__, **{n: v for n, v in values.items() if v is not None}}
    try:
        text = _ENCODER.encode(line)
    except (TypeError, ValueError):  # keys that are no text, or values within themselves
        text = json.dumps(plain_json(line), separators=(",", ":"))
    return text.encode()


def decoded(line: bytes) -> Fact | None:
    """The fact of a line; None if it is not whole, or of a kind that this version does not know."""
    try:
        values: dict[str, Any] = json.loads(line)
        kind = _KINDS[values.pop("kind")]
        names = {f.name for f in dataclasses.fields(kind)}
        if "parts" in values:
            values["parts"] = tuple(values["parts"])
        fact = kind(**{name: value for name, value in values.items() if name in names})
        return fact if isinstance(fact.at, int | float) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=plain_json)
_KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in Fact.__subclasses__()}
