"""Enriching: what was awaited of a call is looked for, and sent with its document."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from zelto_agents._audio import mend
from zelto_agents._items import EgressOver
from zelto_agents._trouble import Trouble
from zelto_agents.facts import CallEnded, Fact, RecordingAwaited, RecordingSource
from zelto_agents.outbox import Outbox, Pending
from zelto_agents.policy import backoff
from zelto_agents.settings import Settings

if TYPE_CHECKING:
    from zelto_agents.recording import Found, Hopeless, NotYet, Resolver

__all__ = ["Enricher", "awaited_of", "pending_of", "recordings_of"]

logger = logging.getLogger("zelto_agents")

AT_ONCE = 4
# Freed at once when the process that has it is gone; uploads take minutes.
LEASE = 3600.0
# As long as the stores allow.
LONGEST_URL = 7 * 86_400.0


def recordings_of(settings: Settings) -> Path:
    """The folder in which recordings wait, next to the outbox."""
    return settings.outbox / "recordings"


def pending_of(base_url: str, external_id: str, awaited: tuple[RecordingSource, str]) -> Pending:
    """What is to be remembered of a recording that is awaited."""
    where, reference = awaited
    return Pending(base_url, external_id, f"{where}:{reference}", where, reference)


def awaited_of(facts: Sequence[Fact], base_url: str, external_id: str) -> list[Pending]:
    """All that is awaited by a call's facts."""
    ends = [fact.at for fact in facts if isinstance(fact, CallEnded)]
    found = [f for f in facts if isinstance(f, RecordingAwaited)]
    return [
        replace(
            pending_of(base_url, external_id, (f.where, f.reference)),
            reference=_until(f.reference, min(ends, default=None))
            if f.where == "livekit-egress"
            else f.reference,
        )
        for f in found
    ]


def _until(reference: str, end: float | None) -> str:
    """A room's name is used again: what began after the call's end is another's."""
    wanted = json.loads(reference)
    return reference if end is None else json.dumps({**wanted, "until": end})


def _awaits(one: Pending, over: EgressOver) -> bool:
    if one.kind != "livekit-egress":
        return False
    wanted = json.loads(one.reference)
    egress = wanted.get("egress")
    return bool(egress == over.egress_id if egress else wanted.get("room") == over.room)


class Enricher:
    """Looks for what is due, and merges what it finds.

    Args:
        outbox: where it is remembered.
        settings: where recordings go, and for whom this process sends.
        trouble: says what goes wrong.
        on_enriched: is told of each call that has something new, with its revision.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: Settings,
        trouble: Trouble,
        on_enriched: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._trouble = trouble
        self._on_enriched = on_enriched
        self._folder = recordings_of(settings)
        self._resolver: Resolver | None = None

    async def look(self) -> int:
        """Look for everything that is due now; how much that was."""
        looked = 0
        while claims := self._claim():
            looked += len(claims)
            async with anyio.create_task_group() as group:
                for one in claims:
                    group.start_soon(self._look_for, one)
        return looked

    def hurry(self, over: EgressOver | None = None) -> int:
        """Make all that is awaited, or what awaits this egress, due now; how much that is."""
        now, hurried = time.time(), 0
        for one in self._outbox.pending():
            free = one.state == "waiting" and one.lease_until <= now
            if free and (over is None or _awaits(one, over)):
                hurried += self._outbox.settle_pending(replace(one, due_at=now), now=now)
        return hurried

    def _claim(self) -> list[Pending]:
        base_url = self._settings.base_url
        if base_url is None or self._settings.api_key is None:
            return []
        return self._outbox.claim_pending(base_url, now=time.time(), lease=LEASE, limit=AT_ONCE)

    async def _look_for(self, one: Pending) -> None:
        outcome = replace(one, due_at=time.time())  # given back, if this is cancelled
        try:
            answer = await self._answer(one)
            outcome = self._outcome(one, answer)
        finally:
            self._outbox.settle_pending(outcome, now=time.time())

    async def _answer(self, one: Pending) -> Found | NotYet | Hopeless:
        from zelto_agents.recording import Hopeless, NotYet, Resolver

        try:
            if self._resolver is None:
                self._resolver = Resolver(
                    store=self._settings.recordings,
                    public_url=self._settings.recordings_url,
                    folder=self._folder,
                    url_life=LONGEST_URL,
                )
            reference = one.reference
            if one.kind == "file":
                reference = str(await anyio.to_thread.run_sync(self.keep, reference))
            kind: Any = one.kind
            answer = await self._resolver.resolve(kind, reference, one.external_id)
            if one.kind == "file" and isinstance(answer, Hopeless):  # in its owner's words
                return Hopeless(answer.why.replace(Path(reference).name, Path(one.reference).name))
            return answer
        except Exception as fault:  # noqa: BLE001 - our own faults stay ours
            return NotYet(f"looking for it failed ({type(fault).__name__})")

    def keep(self, reference: str) -> Path:
        """Have a file where nobody else deletes it, which may take a copy; where that is."""
        from zelto_agents.recording import keep_file

        path = self._folder / reference  # an absolute one stays as it is
        if path.parent == self._folder:
            with contextlib.suppress(OSError):
                mend(path)
            return path
        kept = self._folder / f"{hashlib.sha256(reference.encode()).hexdigest()[:32]}{path.suffix}"
        try:
            return kept if kept.exists() else keep_file(path, kept)
        except FileNotFoundError:
            return kept  # uploaded before, perhaps, under this name

    def _outcome(self, one: Pending, answer: Found | NotYet | Hopeless) -> Pending:
        from zelto_agents.recording import Found, NotYet

        now = time.time()
        if isinstance(answer, Found):
            self._enrich(one, {"state": "found", "why": None}, {"recordingUrl": answer.url})
            kind, reference = answer.becomes or (one.kind, one.reference)
            # Found again before it expires, should the document still wait by then.
            again = now + (answer.expires_at - now) / 2 if answer.expires_at else float("inf")
            due_at = min(again, now + LONGEST_URL)
            return replace(
                one, kind=kind, reference=reference, state="found", due_at=due_at, details=""
            )
        if isinstance(answer, NotYet) and now < one.created_at + self._settings.max_age:
            wait = answer.wait if answer.wait is not None else backoff(one.attempts)
            if one.attempts > 1:
                self._trouble.say(
                    logging.WARNING,
                    f"recording {one.kind}",
                    "the recording of call %s is not there yet: %s",
                    one.external_id,
                    answer.why,
                )
            return replace(one, due_at=now + wait, details=answer.why)
        self._trouble.problem(
            f"no recording {one.kind}",
            "call %s stays without its recording: %s",
            one.external_id,
            answer.why,
        )
        if one.state == "waiting":
            self._enrich(one, {"state": "failed", "why": answer.why}, {})
        return replace(one, state="failed", details=answer.why)

    def _enrich(self, one: Pending, told: Mapping[str, Any], call: Mapping[str, Any]) -> None:
        note = {"from": one.name.partition(":")[0], **told}
        changes = {
            "call": call,
            "metadata": {"zelto": {"recording": {k: v for k, v in note.items() if v is not None}}},
        }
        plain = json.loads(json.dumps(changes))
        base_url = one.base_url or self._settings.base_url or ""
        revision = self._outbox.enrich(base_url, one.external_id, plain, now=time.time())
        if revision:
            self._on_enriched(one.external_id, revision)

    def tidy(self) -> None:
        """Delete files that are older than anything may wait."""
        before = time.time() - self._settings.max_age
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._resolver is not None:
            await self._resolver.aclose()
            self._resolver = None
