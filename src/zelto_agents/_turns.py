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
        turns += [claims.turn(fact) for fact in mine]
        turns += [claims.uncommitted(fact) for fact in claims.words_left()]
        if role == "assistant":
            untranscribed = speech.left()
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
        finite = (s for s in stretches if math.isfinite(s.start) and math.isfinite(s.end))
        self._all = sorted(finite, key=lambda s: (s.start, s.seq))
        self._starts = [s.start for s in self._all]
        # How far the speech up to each stretch reaches: behind that, no search needs to look.
        self._reach = list(accumulate((s.end for s in self._all), max))
        self._taken = [False] * len(self._all)

    def take_between(self, start: float, end: float) -> list[SpeechHeard]:
        """Every free stretch that overlaps the time."""
        return [self._take(i) for i in self._back_from(end, start) if self._all[i].end >= start]

    def take_last_run(self, until: float) -> list[SpeechHeard]:
        """The latest free stretches begun by ``until``, back to a pause too long for one turn."""
        run: list[SpeechHeard] = []
        for i in self._back_from(until, until - LATEST):
            if run and run[0].start - self._all[i].end > PAUSE:
                break
            run.insert(0, self._take(i))
        return run

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

    def turn(self, fact: TurnSaid) -> Turn:
        """The turn, with times claimed from what was heard if it has none of its own."""
        turn = _as_turn(fact)
        if fact.typed:
            return turn
        since, self._last_at = self._last_at, fact.at
        if turn.start is not None:
            began = turn.start - BACKDATING
            self._take_words(began, fact.at)
            taken = self._speech.take_between(began, (turn.end or turn.start) + BACKDATING)
            if turn.end is None and taken:
                turn.end = max(turn.start, *(s.end for s in taken))
            elif turn.end is not None and fact.interrupted and taken:
                # LiveKit ends an interrupted turn with the caller's transcript, a second late.
                turn.end = max(turn.start, min(turn.end, max(s.end for s in taken)))
            return turn
        self._time(turn, self._take_words(since, fact.at, _plain(fact.text)), until=fact.at)
        return turn

    def words_left(self) -> list[WordsHeard]:
        """Words that no turn claimed."""
        return [w for w, taken in zip(self._words, self._taken, strict=True) if not taken]

    def uncommitted(self, words: WordsHeard) -> Turn:
        """Words that the framework made no turn of."""
        turn = Turn("user", words.text, words.at, words.seq, marks={"committed": False})
        self._time(turn, [words], until=words.at)
        return turn

    def _time(self, turn: Turn, words: list[WordsHeard], until: float) -> None:
        stretches = self._speech.take_last_run(until)
        if stretches:
            turn.start = stretches[0].start
            turn.end = max(stretch.end for stretch in stretches)
        else:
            turn.start = min((w.start for w in words if w.start is not None), default=None)
            turn.end = max((w.end for w in words if w.end is not None), default=None)

    def _take_words(self, since: float, at: float, within: str | None = None) -> list[WordsHeard]:
        """Free words heard from ``since`` to ``at``; with ``within``, only those of that text."""
        taken: list[WordsHeard] = []
        low, high = bisect_left(self._times, since), bisect_right(self._times, at + BACKDATING)
        for i in range(low, high):
            if not self._taken[i] and (within is None or self._plain[i] in within):
                self._taken[i] = True
                taken.append(self._words[i])
        return taken


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
