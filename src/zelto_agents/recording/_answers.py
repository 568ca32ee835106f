"""What a look for a recording comes to."""

from __future__ import annotations

from typing import Literal

from zelto_agents._frozen import frozen

__all__ = ["Found", "Hopeless", "Kind", "NotYet", "Unresolved"]

Kind = Literal["file", "object", "livekit-egress", "twilio", "daily"]


@frozen
class Found:
    """A URL that can be fetched now.

    Attributes:
        url: where; a secret, if it is signed.
        expires_at: seconds since the epoch; None: never.
        becomes: what to resolve when the URL must be renewed; None: the same again.
    """

    url: str
    expires_at: float | None = None
    becomes: tuple[Kind, str] | None = None


@frozen
class NotYet:
    """Nothing now; ask again.

    Attributes:
        why: what is missing, where, and what to do about it.
        wait: in how many seconds; None: whatever the caller's backoff says.
    """

    why: str
    wait: float | None = None


@frozen
class Hopeless:
    """No further look will help; ``why`` says what happened."""

    why: str


class Unresolved(Exception):  # noqa: N818 - an answer, not an error
    """Carries an answer without a URL to whoever asked."""

    def __init__(self, answer: NotYet | Hopeless) -> None:
        super().__init__(answer.why)
        self.answer = answer
