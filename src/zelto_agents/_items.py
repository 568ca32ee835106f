"""What the host hands over to the delivery thread."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from zelto_agents.contract import CANONICAL_PROVIDERS, CallIngest, describe, plain_json
from zelto_agents.facts import Fact

__all__ = ["CallFacts", "Enrichment", "Flush", "Item", "Upload"]

logger = logging.getLogger("zelto_agents")


@dataclass(slots=True, eq=False)
class CallFacts:
    """The facts of one call so far; only the delivery thread looks inside."""

    redact: Callable[[str], str] | None = None
    facts: list[Fact] = field(default_factory=list[Fact])
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Changes to a document, as wire JSON, for a call that may be long over."""

    external_id: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Flush:
    """Somebody waits until what came before is durable and was tried once."""

    done: Future[bool]


Item = tuple[CallFacts, Fact] | Enrichment | Upload | Flush
