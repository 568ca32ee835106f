"""The wire contract of Zelto's ingest API: the canonical body of ``POST /webhooks/calls``.

Names are camelCase on the wire and snake_case here. Unknown fields are refused with their path,
so that a typing error shows up at our door and not as a conversation that lacks a field.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

__all__ = [
    "CANONICAL_PROVIDERS",
    "NATIVE_PROVIDERS",
    "PROVIDERS",
    "UPLOAD_PATH",
    "VERSION_MAX",
    "Agent",
    "AgentUuid",
    "CallDetails",
    "CallIngest",
    "Customer",
    "NonNegative",
    "Reference",
    "Role",
    "Transcript",
    "TurnIngest",
    "Url",
    "Version",
    "clean_text",
    "describe",
    "plain_json",
]

UPLOAD_PATH = "/webhooks/calls"
CANONICAL_PROVIDERS = ("zelto", "livekit")
NATIVE_PROVIDERS = ("vapi", "retell")
PROVIDERS = CANONICAL_PROVIDERS + NATIVE_PROVIDERS
VERSION_MAX = 255

Role = Literal["user", "assistant", "system", "tool"]

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

# Assumed, not stated by the guide: amounts and times are finite and not negative.
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Reference = Annotated[str, StringConstraints(min_length=1)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=VERSION_MAX)]
AgentUuid = Annotated[UUID, Field(strict=False)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]


class _Wire(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )


class Customer(_Wire):
    """The person at the other end."""

    number: str | None = None
    name: str | None = None


class CallDetails(_Wire):
    """The conversation as a whole: ids, times, how it ended, what it cost in US dollars."""

    external_id: Reference
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    duration_seconds: NonNegative | None = None
    ended_reason: str | None = None
    cost: NonNegative | None = None
    recording_url: Url | None = None
    customer: Customer | None = None


class Agent(_Wire):
    """The agent by the caller's own id; Zelto finds it, or creates it under this name."""

    external_id: Reference
    name: str | None = None


class TurnIngest(_Wire):
    """One speaker's stretch, or one tool run; seconds count from the start of the call."""

    role: Role
    content: str
    start_seconds: NonNegative | None = None
    end_seconds: NonNegative | None = None


class Transcript(_Wire):
    """The turns, in the order of the conversation."""

    turns: list[TurnIngest] = Field(default_factory=list[TurnIngest])


class CallIngest(_Wire):
    """One conversation, as it goes over the wire.

    Validation asks for an agent reference (``agent.externalId`` or ``agentId``), except with the
    context ``{"agent": "later"}``: a call whose agent is not known yet is kept, not refused.
    """

    call: CallDetails
    agent: Agent | None = None
    agent_id: AgentUuid | None = None
    version: Version | None = None
    transcript: Transcript | None = None
    system_prompt: str | None = None
    metadata: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _names_its_agent(self, info: ValidationInfo) -> Self:
        context: dict[str, Any] = info.context or {}
        if not self.has_agent and context.get("agent") != "later":
            raise ValueError("agent.externalId is required unless agentId is given")
        return self

    @property
    def has_agent(self) -> bool:
        """Whether the body says which agent the call belongs to."""
        return self.agent is not None or self.agent_id is not None

    def wire(self) -> bytes:
        """The body as JSON: absent fields left out, never NaN or Infinity."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


def describe(error: ValidationError) -> list[dict[str, str]]:
    """Each fault of a refused body as ``{"path", "message"}``, without the offending values."""
    return [
        {"path": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def plain_json(value: object, *, depth: int = 32) -> JsonValue:
    """Any Python value as one that JSON can hold, losing as little as possible.

    NaN and infinities become null, lone surrogates and NUL become U+FFFD, unknown objects their
    ``str``; what is nested deeper than ``depth`` is cut.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        # JSON readers in other languages hold numbers as doubles.
        return value if abs(value) < 2**63 else float(value) if abs(value) < 2**1000 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth <= 0:
        return "..."
    if isinstance(value, dict):
        return {str(plain_json(k)): plain_json(v, depth=depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item, depth=depth - 1) for item in value]
    try:
        return clean_text(str(value))
    except Exception:  # noqa: BLE001 - the host's own class
        return f"[unreadable {type(value).__name__}]"


def clean_text(text: str) -> str:
    """Text that UTF-8 and any database can hold: lone surrogates and NUL become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)
