"""The calls of this process that live: whether two have one id, and in which nobody spoke."""

from __future__ import annotations

import time
from weakref import WeakValueDictionary

from zelto_agents._items import CallFacts
from zelto_agents._trouble import Trouble
from zelto_agents.facts import CallEnded, SpeechHeard, ToolStarted, TurnSaid, WordsHeard

__all__ = ["Living"]

_SPOKEN = (SpeechHeard, ToolStarted, TurnSaid, WordsHeard)
SILENT_NOTED = 1000


class Living:
    """Knows the last call of each id while its host holds it, and the silent ones until they end.

    Args:
        trouble: says what goes wrong.
    """

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._calls: WeakValueDictionary[str, CallFacts] = WeakValueDictionary()
        self._silent: dict[int, CallFacts] = {}

    def started(self, call: CallFacts) -> None:
        """A call has begun."""
        other = self._calls.setdefault(call.external_id, call)
        if other is not call:
            self._calls[call.external_id] = call
            if not other.ended:
                self.complain(call.external_id)
        self._silent[id(call)] = call
        if len(self._silent) > SILENT_NOTED:  # of calls that their hosts never end
            del self._silent[next(iter(self._silent))]

    def look(self, call: CallFacts) -> None:
        """A call has something new."""
        if id(call) in self._silent and (
            call.ended or any(isinstance(fact, _SPOKEN) for fact in call.facts)
        ):
            del self._silent[id(call)]

    def complain(self, external_id: str) -> None:
        """Say that the document of another call is lost."""
        self._trouble.problem(
            "namesake",
            "external_id %s is another call's too, whose document is replaced: "
            "pass an id that is unique for each call",
            external_id,
        )

    def ends_of_silent(self) -> list[tuple[CallFacts, CallEnded]]:
        """For each call that nobody has ended or said anything in, its end."""
        for call in list(self._silent.values()):
            self.look(call)
        now = time.time()
        return [(c, CallEnded(at=now, seq=c.facts[-1].seq + 1)) for c in self._silent.values()]
