"""From facts about speech to turns: who said what, from when to when.

Frameworks time most turns themselves. The others claim the stretches of speech that were heard
and that nobody claimed before; words that no turn claims were said all the same, and are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from zelto_agents.contract import Role, plain_json
from zelto_agents.facts import Fact, SpeechHeard, ToolEnded, ToolStarted, TurnSaid, WordsHeard

# Voice detection dates a start back by less than this (LiveKit: at most 0.25 s seen).
BACKDATING = 0.25
# A pause within one turn; endpointing in both frameworks gives up sooner.
PAUSE = 2.0


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
        return (self.at if self.start is None else self.start, self.seq)


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
        heard = [f for f in facts if isinstance(f, SpeechHeard) and f.role == role]
        speech = _Claims(heard, words if role == "user" else [])
        turns += [speech.turn(fact) for fact in mine]
        if role == "user":
            turns += [speech.uncommitted(fact) for fact in list(speech.words)]
        else:
            untranscribed = speech.stretches
    turns += [_as_turn(fact) for fact in said if fact.role not in ("user", "assistant")]
    turns += _tools(facts)
    kept = [turn for turn in turns if turn.content.strip()]
    return sorted(kept, key=lambda turn: turn.order), untranscribed


def _as_turn(fact: TurnSaid) -> Turn:
    marks = dict(fact.details)
    if fact.interrupted:
        marks["interrupted"] = True
    return Turn(fact.role, fact.text, fact.at, fact.seq, fact.start, fact.end, marks)


class _Claims:
    """What was heard of one role and not yet claimed by a turn."""

    def __init__(self, stretches: Iterable[SpeechHeard], words: Iterable[WordsHeard]) -> None:
        self.stretches = sorted(stretches, key=lambda s: (s.start, s.seq))
        self.words = list(words)

    def turn(self, fact: TurnSaid) -> Turn:
        """The turn, with times claimed from what was heard if it has none of its own."""
        turn = _as_turn(fact)
        if fact.typed:
            return turn
        if turn.start is not None:
            began = turn.start - BACKDATING
            taken = self._take_stretches(began, (turn.end or turn.start) + BACKDATING)
            if turn.end is not None and fact.interrupted and taken:
                # LiveKit ends an interrupted turn with the caller's transcript, a second late.
                turn.end = max(turn.start, min(turn.end, max(s.end for s in taken)))
            self._take_words(lambda w: began <= w.at <= fact.at + BACKDATING)
            return turn
        claimed = self._take_words(
            lambda w: w.at <= fact.at + BACKDATING and _plain(w.text) in _plain(fact.text)
        )
        self._time(turn, claimed, until=fact.at)
        return turn

    def uncommitted(self, words: WordsHeard) -> Turn:
        """Words that the framework made no turn of."""
        turn = Turn("user", words.text, words.at, words.seq, marks={"committed": False})
        self._time(turn, [words], until=words.at)
        return turn

    def _time(self, turn: Turn, words: list[WordsHeard], until: float) -> None:
        stretches = self._take_last_run(until)
        if stretches:
            turn.start = stretches[0].start
            turn.end = max(stretch.end for stretch in stretches)
        else:
            turn.start = min((w.start for w in words if w.start is not None), default=None)
            turn.end = max((w.end for w in words if w.end is not None), default=None)

    def _take_last_run(self, until: float) -> list[SpeechHeard]:
        """The latest stretches that began by ``until``, back to a pause too long for one turn."""
        run: list[SpeechHeard] = []
        for stretch in reversed([s for s in self.stretches if s.start <= until]):
            if run and run[0].start - stretch.end > PAUSE:
                break
            run.insert(0, stretch)
        self.stretches = [s for s in self.stretches if s not in run]
        return run

    def _take_stretches(self, start: float, end: float) -> list[SpeechHeard]:
        taken = [s for s in self.stretches if start <= s.end and s.start <= end]
        self.stretches = [s for s in self.stretches if s not in taken]
        return taken

    def _take_words(self, claims: Callable[[WordsHeard], bool]) -> list[WordsHeard]:
        taken = [w for w in self.words if claims(w)]
        self.words = [w for w in self.words if w not in taken]
        return taken


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


def _tools(facts: Sequence[Fact]) -> Iterable[Turn]:
    ended = {fact.id: fact for fact in facts if isinstance(fact, ToolEnded)}
    started = {fact.id: fact for fact in facts if isinstance(fact, ToolStarted)}
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
            start.seq,
            start.at,
            None if end is None else end.at,
        )


def _parsed(arguments: object) -> object:
    """Models give arguments as JSON text; a reader wants them as values."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
