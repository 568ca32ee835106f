"""What a scripted call is made of: who says what, and when. Plain data, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class CallerLine:
    """One thing that the caller says.

    Attributes:
        start: Seconds from the start of the call to the first sound.
        end: Seconds from the start of the call to the last sound.
        text: The words, as a perfect speech-to-text would hear them; empty for a noise.
    """

    start: float
    end: float
    text: str

    def heard(self, seconds: float) -> str:
        """Return the words that `seconds` of this line are enough for."""
        words = self.text.split()
        share = seconds / (self.end - self.start) + 1e-6
        return " ".join(words[: int(len(words) * min(share, 1.0))])


@dataclass(frozen=True)
class Reply:
    """What the language model answers: a text, or a tool call.

    Attributes:
        to: Matches when the newest input (user text, tool result or instructions) has it in it,
            in any case of letters. The first reply that matches is taken.
        text: The answer; may stay empty beside a tool call.
        tool: The name of the function tool to call.
        arguments: The arguments of that call.
    """

    to: str
    text: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """The participant on the other end; by default someone on the telephone."""

    identity: str = "sip_+15550100"
    name: str = "Ada Example"
    phone: str | None = "+15550100"
    trunk: str = "+15550199"

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes that LiveKit gives a SIP participant; none without a phone."""
        if self.phone is None:
            return {}
        return {
            "sip.phoneNumber": self.phone,
            "sip.trunkPhoneNumber": self.trunk,
            "sip.callID": "SCL_scripted",
            "sip.callStatus": "active",
            "sip.ruleID": "SDR_scripted",
        }


@dataclass(frozen=True)
class Script:
    """A call from the first word to the hang-up; all times are seconds from its start.

    Attributes:
        lines: What the caller says, in order and without overlap.
        replies: What the language model answers.
        hang_up: When the caller hangs up; None when the agent is the one to end the call.
        caller: Who calls.
        otherwise: What the model says when no reply matches.
    """

    lines: tuple[CallerLine, ...] = ()
    replies: tuple[Reply, ...] = ()
    hang_up: float | None = None
    caller: Caller = field(default_factory=Caller)
    otherwise: str = "Sorry, I did not get that."

    def reply_to(self, newest: str) -> Reply:
        """Return the first reply that matches the newest input of the model."""
        for reply in self.replies:
            if reply.to.lower() in newest.lower():
                return reply
        return Reply(to="", text=self.otherwise)


@dataclass(frozen=True)
class Spoken:
    """What really sounded on the line: the truth that a record of the call is held against.

    Attributes:
        role: Who spoke.
        text: The words; of an interrupted agent only those that were played, the one that was
            being spoken included (LiveKit leaves that one out).
        started: When the first sound was heard, epoch seconds.
        stopped: When the last sound was heard, epoch seconds.
        interrupted: Whether the other side cut it short.
    """

    role: Literal["user", "assistant"]
    text: str
    started: float
    stopped: float
    interrupted: bool = False
