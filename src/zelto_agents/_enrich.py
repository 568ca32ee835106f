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
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread

from zelto_agents._audio import is_being_written, mend
from zelto_agents._items import EgressOver
from zelto_agents._trouble import Trouble
from zelto_agents.facts import CallEnded, Fact, RecordingAwaited, RecordingSource
from zelto_agents.outbox import Outbox, Pending
from zelto_agents.outbox.steady import LOCAL
from zelto_agents.policy import backoff
from zelto_agents.settings import Settings

if TYPE_CHECKING:
    from zelto_agents.recording import Found, Hopeless, Kind, NotYet, Resolver

__all__ = ["Enricher", "awaited_of", "pending_of", "recordings_of"]

logger = logging.getLogger("zelto_agents")

AT_ONCE = 4
# Freed at once when the process that has it is gone; uploads take minutes.
LEASE = 3600.0
TIDY_EVERY = 600.0
# So long (seconds) after ``ZELTO_MAX_AGE`` nobody awaits a file any more, whatever becomes of the
# outbox that knew of it.
UNNAMED_KEPT = 7200.0
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
    awaited = [(f.where, f.reference) for f in facts if isinstance(f, RecordingAwaited)]
    found = [pending_of(base_url, external_id, one) for one in awaited]
    return [_until(one, min(ends)) if ends else one for one in found]


def _until(one: Pending, end: float) -> Pending:
    """A room's name is used again: what began after the call's end is another's."""
    if one.kind != "livekit-egress":
        return one
    return replace(one, reference=json.dumps({**json.loads(one.reference), "until": end}))


def _kind(one: Pending) -> Kind:
    return cast("Kind", one.kind)


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
        self._looking = self._again = False
        self._tidied_at = float("-inf")

    async def look(self) -> int:
        """Look for everything that is due now, a few at once; how much that was.

        While one runs, another has nothing to do: it goes on until nothing is due.
        """
        looked, self._again = 0, True
        if self._looking:
            return looked
        self._looking = True
        try:
            while self._again:
                self._again = False
                while claims := self._claim():
                    looked += len(claims)
                    async with anyio.create_task_group() as group:
                        for one in claims:
                            group.start_soon(self._look_for, one)
        finally:
            self._looking = False
        self.tidy()
        return looked

    def hurry(self, over: EgressOver | None = None) -> int:
        """Make all that is awaited, or what awaits this egress, due now; how much that is."""
        now, hurried = time.time(), 0
        for one in self._outbox.pending():
            if one.state != "waiting" or not (over is None or _awaits(one, over)):
                continue
            hurried += 1
            # Whoever is asking for that egress may have asked before it was over: the answer does
            # not count any more. A live call's is looked for at its end.
            free_at = one.lease_until if over is None else one.lease_until - LEASE
            if free_at <= now:
                self._outbox.settle_pending(replace(one, due_at=now), now=now)
        return hurried

    def _claim(self) -> list[Pending]:
        base_url = self._settings.base_url
        if base_url is None or self._settings.api_key is None:
            return []
        return self._outbox.claim_pending(base_url, now=time.time(), lease=LEASE, limit=AT_ONCE)

    async def _look_for(self, one: Pending) -> None:
        outcome = replace(one, due_at=time.time())  # given back, if this is cancelled
        settled = False
        try:
            outcome = self._outcome(one, self._going_on(one) or await self._answer(one))
        finally:
            settled = self._outbox.settle_pending(outcome, now=time.time())
        if settled and outcome.state == "failed":  # and nobody else has found it meanwhile
            self._give_up(one, outcome.details)

    def _going_on(self, one: Pending) -> NotYet | None:
        """Whoever took a process that slept for dead leaves it the file that it writes."""
        from zelto_agents.recording import NotYet

        if one.kind == "audio" and is_being_written(self._folder / one.reference):
            return NotYet("the process that records it lives")
        return None

    async def _answer(self, one: Pending) -> Found | NotYet | Hopeless:
        from zelto_agents.recording import Found, NotYet, Resolver

        try:
            if self._resolver is None:
                self._resolver = Resolver(
                    store=self._settings.recordings,
                    public_url=self._settings.recordings_url,
                    folder=self._folder,
                    url_life=LONGEST_URL,
                )
            if one.kind not in LOCAL:
                return await self._resolver.resolve(_kind(one), one.reference, one.external_id)
            path = await anyio.to_thread.run_sync(self.keep, one)
            answer = await self._resolver.resolve("file", str(path), one.external_id)
            if not isinstance(answer, Found):  # its name may hold what nobody is to read
                for name in {path.name, Path(one.reference).name} - {""}:
                    answer = replace(answer, why=answer.why.replace(name, "its file"))
            return answer
        except Exception as fault:  # noqa: BLE001 - our own faults stay ours
            return NotYet(f"looking for it failed ({type(fault).__name__})")

    def keep(self, one: Pending) -> Path:
        """Have a file where nobody else deletes or changes it; where that is."""
        from zelto_agents.recording import keep_file

        kept = self._folder / self._kept_name(one)
        if one.kind == "audio":
            with contextlib.suppress(OSError):
                mend(kept)
            return kept
        try:
            return kept if kept.exists() else keep_file(Path(one.reference), kept)
        except FileNotFoundError:
            return kept  # uploaded before, perhaps, under this name

    def _kept_name(self, one: Pending) -> str:
        """Two calls may use one file after another, and each has its own."""
        if one.kind == "audio":
            return one.reference
        mark = hashlib.sha256(f"{one.external_id}\0{one.reference}".encode()).hexdigest()
        return f"{mark[:32]}{Path(one.reference).suffix}"

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
        return replace(one, state="failed", details=answer.why)

    def _give_up(self, one: Pending, why: str) -> None:
        self._trouble.problem(
            f"no recording {one.kind}",
            "call %s stays without its recording: %s",
            one.external_id,
            why,
        )
        if one.state == "waiting":
            self._enrich(one, {"state": "failed", "why": why}, {})

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
        """Delete files that nothing awaits any more, now and then."""
        now = time.time()
        if now - self._tidied_at < TIDY_EVERY:
            return
        self._tidied_at = now
        old = now - self._settings.max_age - UNNAMED_KEPT
        awaited = {self._kept_name(p) for p in self._outbox.pending() if p.state == "waiting"}
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name not in awaited and path.stat().st_ctime < old:
                    path.unlink(missing_ok=True)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._resolver is not None:
            await self._resolver.aclose()
            self._resolver = None
