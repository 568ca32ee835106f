"""From facts about speech to turns: who said what, from when to when.

Frameworks time most turns themselves. The others claim the stretches of speech that were heard
and that nobody claimed before; words that no turn claims were said all the same, and are kept.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from zelto_agents.contract import Role, plain_json
from zelto_agents.facts import Fact, SpeechHeard, ToolEnded, ToolStarted, TurnSaid, WordsHeard

# Voice detection dates a start back by less than this (LiveKit: at most 0.25 s seen).
BACKDATING = 0.25
# A pause within one turn; endpointing in both frameworks gives up sooner.
PAUSE = 2.0
# Words that are told before the end of their speech are told this much before at the most.
AT_ONCE = 0.1
# A transcript comes this much later than the speech at the most.
LATEST = 30.0


@dataclass(slots=True)
class Turn:
    """A turn on absolute time; ``marks`` go to ``metadata.zelto.turns``."""

    role: Role
    content: str
    at: float
    seq: int
    start: float | None = None
    end: float | None = None
    marks: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def order(self) -> tuple[float, int]:
        """Where the turn stands in the conversation: by its start, where one is known."""
        known = self.start is not None and math.isfinite(self.start)
        return (self.start if known and self.start is not None else self.at, self.seq)


def compose(facts: Sequence[Fact]) -> tuple[list[Turn], list[SpeechHeard]]:
    """The turns in the order of the conversation, and the agent's speech that has no text.

    Args:
        facts: in the order in which they were observed.
    """
    said = list({fact.id: fact for fact in facts if isinstance(fact, TurnSaid)}.values())
    words = [fact for fact in facts if isinstance(fact, WordsHeard) and fact.text.strip()]
    turns: list[Turn] = []
    untranscribed: list[SpeechHeard] = []
    for role in ("user", "assistant"):
        mine = sorted((s for s in said if s.role == role), key=lambda s: (s.at, s.seq))
        speech = _Speech(f for f in facts if isinstance(f, SpeechHeard) and f.role == role)
        claims = _Claims(speech, words if role == "user" else [])
        turns += claims.turns(mine)
        untranscribed += speech.left()
    turns += [_as_turn(fact) for fact in said if fact.role not in ("user", "assistant")]
    turns += _tools(facts)
    kept = [turn for turn in turns if turn.content.strip()]
    return sorted(kept, key=lambda turn: turn.order), untranscribed


def _as_turn(fact: TurnSaid) -> Turn:
    marks = dict(fact.details)
    if fact.interrupted:
        marks["interrupted"] = True
    return Turn(fact.role, fact.text, fact.at, fact.seq, fact.start, fact.end, marks)


class _Speech:
    """The stretches in which one role was heard, each of which one turn may take."""

    def __init__(self, stretches: Iterable[SpeechHeard]) -> None:
        finite = (s for s in stretches if -math.inf < s.start < s.end < math.inf)
        self._all = sorted(finite, key=lambda s: (s.start, s.seq))
        self._starts = [s.start for s in self._all]
        # How far the speech up to each stretch reaches: behind that, no search needs to look.
        self._reach = list(accumulate((s.end for s in self._all), max))
        self._taken = [False] * len(self._all)

    def take_between(self, start: float, end: float) -> list[SpeechHeard]:
        """Every free stretch that overlaps the time."""
        return [self._take(i) for i in self._back_from(end, start) if self._all[i].end >= start]

    def take_in_order(self, moments: Sequence[tuple[float, float]]) -> list[list[SpeechHeard]]:
        """For each moment, in their order, what was said of late; nothing twice.

        From the last moment back, each takes the latest free stretch that was over by then: a
        transcript comes late, perhaps not before the next speech, but in its turn. The second of
        each pair is since when, unless the stretch is whole.
        """
        taken = [self._take_latest(*moment) for moment in reversed(moments)]
        return [[] if i is None else self._with_parts(i) for i in reversed(taken)]

    def _take_latest(self, moment: float, since: float) -> int | None:
        found = self._back_from(moment, moment - LATEST)
        near = [i for i in found if self._all[i].whole or self._all[i].end >= since]
        over = (i for i in near if self._all[i].end <= moment + AT_ONCE)
        i = next(over, near[0] if near else None)
        if i is not None:
            self._taken[i] = True
        return i

    def _with_parts(self, i: int) -> list[SpeechHeard]:
        """The stretch, and the free ones right before it, back to a pause too long for a turn."""
        run = [self._all[i]]
        while i and not self._taken[i - 1] and not run[0].whole:
            i -= 1
            if self._all[i].whole or run[0].start - self._all[i].end > PAUSE:
                break
            run.insert(0, self._take(i))
        return run

    def within(self, start: float, end: float) -> list[SpeechHeard]:
        """Every stretch in a time, taken or not."""
        low = bisect_left(self._starts, start - BACKDATING)
        high = bisect_right(self._starts, end)
        return [s for s in self._all[low:high] if s.end <= end + BACKDATING]

    def left(self) -> list[SpeechHeard]:
        """What nobody took."""
        return [s for s, taken in zip(self._all, self._taken, strict=True) if not taken]

    def _back_from(self, end: float, start: float) -> Iterator[int]:
        for i in range(bisect_right(self._starts, end) - 1, -1, -1):
            if self._reach[i] < start:
                return
            if not self._taken[i]:
                yield i

    def _take(self, i: int) -> SpeechHeard:
        self._taken[i] = True
        return self._all[i]


class _Claims:
    """Gives the turns of one role, in the order of their commitment, what was heard of it."""

    def __init__(self, speech: _Speech, words: Iterable[WordsHeard]) -> None:
        self._speech = speech
        self._words = sorted(words, key=lambda w: (w.at, w.seq))
        self._times = [w.at for w in self._words]
        self._plain = [_plain(w.text) for w in self._words]
        self._taken = [False] * len(self._words)
        self._last_at = -math.inf

    def turns(self, said: Sequence[TurnSaid]) -> list[Turn]:
        """The turns, with times claimed from what was heard where they have none of their own."""
        pairs = [(fact, self._timed(fact)) for fact in said]
        self._split(pairs)
        late = [(turn, heard) for fact, (turn, heard) in pairs if heard is not None]
        self._time([one for one in late if one[0].content.strip()])
        left = [(_uncommitted(words), [words]) for words in self._words_left()]
        self._time(left)
        # A message without text takes its noise, but never the speech of a turn.
        self._time([one for one in late if not one[0].content.strip()])
        return [turn for _, (turn, _) in pairs] + [turn for turn, _ in left]

    def _timed(self, fact: TurnSaid) -> tuple[Turn, list[WordsHeard] | None]:
        """The turn, and its words if it still needs a time."""
        turn = _as_turn(fact)
        if fact.typed:
            return turn, None
        since, self._last_at = self._last_at, fact.at
        if turn.start is None:
            return turn, self._take_words(since, fact.at, _plain(fact.text))
        began = turn.start - BACKDATING
        own = self._take_words(began, fact.at)
        if earlier := self._take_missing(since, began, fact.text, own):
            first = min((w.start for w in earlier if w.start is not None), default=began)
            stretches = self._speech.take_between(first, began)
            turn.start = min(turn.start, first, *(s.start for s in stretches))
        taken = self._speech.take_between(began, (turn.end or turn.start) + BACKDATING)
        if taken and turn.end is None:
            turn.end = max(turn.start, *(s.end for s in taken))
        elif taken and turn.end is not None and fact.interrupted:
            # LiveKit ends an interrupted turn with the caller's transcript, a second late.
            turn.end = max(turn.start, min(turn.end, max(s.end for s in taken)))
        return turn, None

    def _split(self, pairs: Sequence[tuple[TurnSaid, tuple[Turn, object]]]) -> None:
        """Messages of one answer share its start and end: each has its own stretch in it."""
        same: dict[tuple[float, float], list[Turn]] = {}
        for fact, (turn, _) in pairs:
            if fact.start is not None and fact.end is not None and not fact.typed:
                same.setdefault((fact.start, fact.end), []).append(turn)
        for (start, end), turns in same.items():
            stretches = self._speech.within(start, end)
            if len(turns) > 1 and len(stretches) == len(turns):
                for turn, stretch in zip(turns, stretches, strict=True):
                    turn.start, turn.end = stretch.start, stretch.end

    def _words_left(self) -> list[WordsHeard]:
        return [w for w, taken in zip(self._words, self._taken, strict=True) if not taken]

    def _time(self, late: Sequence[tuple[Turn, list[WordsHeard]]]) -> None:
        starts = [[w.start - PAUSE for w in words if w.start is not None] for _, words in late]
        moments = [
            (turn.at, min(since, default=-math.inf))
            for (turn, _), since in zip(late, starts, strict=True)
        ]
        heard = self._speech.take_in_order(moments)
        for (turn, words), stretches in zip(late, heard, strict=True):
            if stretches:
                turn.start = stretches[0].start
                turn.end = max(stretch.end for stretch in stretches)
            else:
                turn.start = min((w.start for w in words if w.start is not None), default=None)
                turn.end = max((w.end for w in words if w.end is not None), default=None)

    def _take_words(self, since: float, at: float, within: str | None = None) -> list[WordsHeard]:
        """Free words heard from ``since`` to ``at``; with ``within``, only those of that text."""
        low, high = bisect_left(self._times, since), bisect_right(self._times, at + BACKDATING)
        # Words that say all of it come first: some of them may have been said, and lost, before.
        taken = [] if within is None else self._take_run(low, high, within)
        if taken:
            return taken
        for i in range(low, high):
            if not self._taken[i] and (within is None or self._plain[i] in within):
                self._taken[i] = True
                taken.append(self._words[i])
        return taken

    def _take_missing(
        self, since: float, began: float, text: str, own: Sequence[WordsHeard]
    ) -> list[WordsHeard]:
        """Words of a turn that were heard before its start.

        LiveKit up to 1.5 lets a turn begin with the last stretch of its speech. They must be just
        what is missing: the same words may have been said before, and lost.
        """
        whole, heard = _plain(text), _plain(" ".join(words.text for words in own))
        if not own or whole == heard or not whole.endswith(heard):
            return []
        missing = whole[: len(whole) - len(heard) + 1]
        low, high = bisect_left(self._times, since), bisect_left(self._times, began)
        return self._take_run(low, high, missing)

    def _take_run(self, low: int, high: int, text: str) -> list[WordsHeard]:
        """The free words right before ``high`` that say just this, or nothing."""
        said = " "
        for first in range(high - 1, low - 1, -1):
            said = self._plain[first][:-1] + said
            if self._taken[first] or len(said) > len(text):
                break
            if said == text:
                self._taken[first:high] = [True] * (high - first)
                return self._words[first:high]
        return []


def _uncommitted(words: WordsHeard) -> Turn:
    """Words that the framework made no turn of."""
    return Turn("user", words.text, words.at, words.seq, marks={"committed": False})


def _plain(text: str) -> str:
    """The words alone, with spaces around each, so that none is found inside another."""
    return " " + re.sub(r"\W+", " ", text).strip().casefold() + " "


def _tools(facts: Sequence[Fact]) -> Iterable[Turn]:
    ended = {fact.id: fact for fact in facts if isinstance(fact, ToolEnded)}
    started = {fact.id: fact for fact in facts if isinstance(fact, ToolStarted)}
    first = {fact.id: fact.seq for fact in reversed(facts) if isinstance(fact, ToolStarted)}
    for call_id, start in started.items():
        end = ended.get(call_id)
        content: dict[str, Any] = {"name": start.name}
        if start.arguments is not None:
            content["arguments"] = _parsed(start.arguments)
        if end is not None:
            content["error" if end.failed else "result"] = end.result
        yield Turn(
            "tool",
            json.dumps(plain_json(content), ensure_ascii=False, separators=(",", ":")),
            start.at,
            first[call_id],
            start.at,
            None if end is None else end.at,
            {} if end is None else dict(end.details),
        )


def _parsed(arguments: object) -> object:
    """Models give arguments as JSON text; a reader wants them as values."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
