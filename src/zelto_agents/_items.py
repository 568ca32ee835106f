"""What the host hands over to the delivery thread."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from pydantic import ValidationError

from zelto_agents._frozen import frozen
from zelto_agents.contract import CANONICAL_PROVIDERS, CallIngest, describe, plain_json
from zelto_agents.facts import CallStarted, Fact, RecordingSource, encoded

__all__ = [
    "CallFacts",
    "EgressOver",
    "EncodedFacts",
    "Enrichment",
    "Flush",
    "Item",
    "Leaving",
    "Sound",
    "Upload",
]

if TYPE_CHECKING:
    from zelto_agents.cost import Prices

logger = logging.getLogger("zelto_agents")


@dataclass(slots=True, eq=False, weakref_slot=True)
class CallFacts:
    """The facts of one call so far; but for ``heard``, only the delivery thread looks inside.

    ``journal`` names its journal while it is live.
    """

    redact: Callable[[str], str] | None = None
    wanted: Callable[[CallIngest], bool] | None = None
    """Whether the document is to be sent; None when all are, or once that is decided."""
    prices: Prices | None = None
    skipped: bool = False
    facts: list[Fact] = field(default_factory=list[Fact])
    dropped: int = 0
    ended: bool = False
    written: int | None = None
    """A hash of the document that was made of them last."""
    heard: str = ""
    """Words of the caller's that were handed over before a turn was made of them."""
    journal: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def external_id(self) -> str:
        """The call's id."""
        return next((f.external_id for f in self.facts if isinstance(f, CallStarted)), "")

    @property
    def provider(self) -> str:
        """The value of ``X-Zelto-Provider``."""
        return next((f.provider for f in self.facts if isinstance(f, CallStarted)), "zelto")


class EncodedFacts(Sequence[bytes]):
    """Facts as a journal holds them; only those are encoded that are asked for."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._facts = facts

    def __len__(self) -> int:
        return len(self._facts)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [encoded(fact) for fact in self._facts[index]]
        return encoded(self._facts[index])


@frozen
class Enrichment:
    """Changes to a document, as wire JSON, for a call that may be long over.

    ``awaited`` is where its recording will come from, as in ``RecordingAwaited``.
    """

    external_id: str
    changes: Mapping[str, Any]
    awaited: tuple[RecordingSource, str] | None = None


@frozen
class EgressOver:
    """LiveKit's webhook told that an egress ended: what awaits it need not ask in vain."""

    room: str
    egress_id: str


@frozen
class Sound:
    """A stretch of a call's audio, for the file ``name``: 16-bit samples, channels interleaved."""

    name: str
    samples: bytes
    rate: int
    channels: int


@frozen
class Upload:
    """A body of the host's own, for ``X-Zelto-Provider``."""

    body: Mapping[str, Any] | bytes | CallIngest
    provider: str

    def encoded(self) -> tuple[str, bytes]:
        """The delivery's id and the body as JSON; a native body is known by its content."""
        if isinstance(self.body, CallIngest):
            return self.body.call.external_id, self.body.wire()
        body = self.body
        if not isinstance(body, bytes):
            body = json.dumps(plain_json(body), separators=(",", ":")).encode()
        if self.provider in CANONICAL_PROVIDERS:
            try:
                document = CallIngest.model_validate_json(body, context={"agent": "later"})
            except ValidationError as fault:
                faults = "; ".join(f"{f['path']}: {f['message']}" for f in describe(fault))
                logger.error("an uploaded body does not keep to the contract: %s", faults)
            else:
                return document.call.external_id, body
        return f"{self.provider}-{hashlib.sha256(body).hexdigest()[:32]}", body


@frozen
class Flush:
    """Somebody waits until what came before is durable and was tried once."""

    done: Future[bool]


@frozen
class Leaving:
    """The process is about to end, and hands nothing over any more."""


Item = tuple[CallFacts, Fact] | EgressOver | Enrichment | Sound | Upload | Leaving | Flush
