"""The calls of this process on their way to Zelto, and those who wait until they were tried."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError

import anyio
from anyio.abc import TaskGroup

from zelto_agents._drain import Drainer
from zelto_agents._house import guarded
from zelto_agents._trouble import Trouble
from zelto_agents.outbox import Claim
from zelto_agents.policy import Verdict

__all__ = ["Sending"]

UNSENT_NOTED = 10_000


class Sending:
    """Attempts each call at once, and knows which have not arrived.

    Args:
        drainer: makes the attempts.
        trouble: says what goes wrong.
        is_busy: whether something else is under way that a flush waits for.
        on_retry: is told of each attempt that failed, and in how many seconds the next is due.
    """

    def __init__(
        self,
        drainer: Drainer,
        trouble: Trouble,
        is_busy: Callable[[], bool],
        on_retry: Callable[[float], None],
    ) -> None:
        self.group: TaskGroup
        self._drainer = drainer
        self._trouble = trouble
        self._is_busy = is_busy
        self._on_retry = on_retry
        self._flushes: list[Future[bool]] = []
        self._under_way: dict[str, anyio.Event] = {}
        self._unsent: dict[str, int] = {}
        self._buried: set[str] = set()

    def changed(self, external_id: str, revision: int) -> None:
        """This revision is durable, and has not arrived."""
        self._unsent[external_id] = revision
        if len(self._unsent) > UNSENT_NOTED:
            # Others may have delivered the oldest long since; only flushes ask for this.
            del self._unsent[next(iter(self._unsent))]

    def moved(self, external_id: str, revision: int) -> None:
        """The same has another number now."""
        if external_id in self._unsent:
            self._unsent[external_id] = revision

    def soon(self, external_id: str, delay: float = 0.0) -> None:
        """One direct attempt in so many seconds; what comes meanwhile goes out right after."""
        if external_id in self._under_way:
            if not delay:
                self._under_way[external_id].set()
            return
        self._under_way[external_id] = anyio.Event()
        self.group.start_soon(self._attempt, external_id, delay)

    async def _attempt(self, external_id: str, delay: float) -> None:
        try:
            if delay:
                with anyio.move_on_after(delay):
                    await self._under_way[external_id].wait()
            with guarded(self._trouble, "sending"):
                while (verdict := await self._drainer.deliver(external_id)) is not None:
                    if verdict.action == "retry":
                        self._on_retry(verdict.delay)
                    if verdict.action != "sent" or external_id not in self._unsent:
                        break
        finally:
            del self._under_way[external_id]
            self.answer()

    def settled(self, claim: Claim, verdict: Verdict) -> None:
        """What became of an attempt, ours or a sweep's."""
        if claim.revision >= self._unsent.get(claim.external_id, 0):
            if verdict.action == "sent":
                self._unsent.pop(claim.external_id, None)
            elif verdict.action == "dead":
                self._buried.add(claim.external_id)
        self.answer()

    def flush(self, done: Future[bool]) -> None:
        """Attempt all of it now; done when each was tried, True if all has arrived."""
        for hurry in self._under_way.values():
            hurry.set()
        self._flushes.append(done)
        self.answer()

    def answer(self) -> None:
        """Answer those who wait, if nothing is under way any more."""
        under_way = (
            self._under_way
            or self._is_busy()
            or not self._unsent.keys().isdisjoint(self._drainer.flying)
        )
        if self._flushes and not under_way:
            for done in self._flushes:
                # Whoever waited may have given up in this very moment.
                with contextlib.suppress(InvalidStateError):
                    done.set_result(not self._unsent)
            self._flushes.clear()
            # What is dead was told of now; it must not cloud what comes after it.
            for external_id in self._buried:
                self._unsent.pop(external_id, None)
            self._buried.clear()
