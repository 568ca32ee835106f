"""What the bot was heard to say, and when.

The text of a turn comes from the assistant aggregator, which takes what the output transport has
released; the times come from the transport. What no aggregator tells, such as the first sentence
of a bot whose caller hangs up, is estimated from the audio that was played.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zelto_agents.facts import Fact, SpeechHeard, TurnSaid

__all__ = ["Answers"]

# Seconds between two looks at how far a turn that goes on has got.
LOOK_EVERY = 1.0
# Seconds of audio that may be missing at the end of speech that was not cut.
NEARLY_ALL = 0.25
WAITING = 100
A_MOMENT = 1.0


@dataclass(slots=True, eq=False)
class Stretch:
    """From the first to the last sound; ``end`` is None while it goes on."""

    start: float
    end: float | None = None
    answer: Answer | None = None

    def seconds(self, now: float) -> float:
        """How long it sounded until now."""
        return max(0.0, (now if self.end is None else self.end) - self.start)


@dataclass(slots=True, eq=False)
class Utterance:
    """What a text-to-speech service made in one context."""

    in_context: bool
    firm: bool = False
    """Whether it is played to its end, whoever cuts in."""
    words: list[str] = field(default_factory=list[str])
    audio: float = 0.0
    stretches: list[Stretch] = field(default_factory=list[Stretch])
    turn: str = ""

    @property
    def text(self) -> str:
        """All of its words."""
        return " ".join("".join(self.words).split())

    def heard(self, now: float) -> str:
        """The words that were whole by now, if all letters take the same time."""
        text = self.text
        share = self.played(now) / self.audio if self.audio else 0.0
        letters = len(text) * min(share, 1.0) + 0.5
        return " ".join(word.group() for word in re.finditer(r"\S+", text) if word.end() <= letters)

    def played(self, now: float) -> float:
        """Seconds of it that were heard."""
        return sum(stretch.seconds(now) for stretch in self.stretches)


@dataclass(slots=True, eq=False)
class Answer:
    """A turn of the aggregator's."""

    id: str
    at: float
    text: str
    interrupted: bool
    estimated: bool = False
    stretches: list[Stretch] = field(default_factory=list[Stretch])


class Answers:
    """Follows the bot's voice and words.

    Args:
        add: where facts go.
    """

    def __init__(self, add: Callable[[Fact], None]) -> None:
        self._add = add
        self.aggregated = False
        """Whether an assistant aggregator tells the turns."""
        self._turns = self._alone = self._unnamed = 0
        self._utterances: dict[str, Utterance] = {}
        self._waiting: deque[str] = deque()
        self._gone: deque[str] = deque(maxlen=WAITING)
        self._playing: Utterance | None = None
        self._stretch: Stretch | None = None
        self._free: list[Stretch] = []
        self._last: Answer | None = None
        self._latest: Stretch | None = None
        self._looked_at = float("-inf")

    @property
    def speaking(self) -> bool:
        """Whether the bot is heard now."""
        return self._stretch is not None

    def answering_since(self, at: float) -> float | None:
        """Since when the bot speaks; what ended a moment ago counts."""
        latest = self._latest
        if latest is None or (latest.end is not None and at - latest.end > A_MOMENT):
            return None
        return latest.start

    def utterance_started(self, frame: Any, at: float) -> None:
        """A service begins to speak, in a context of its own; realtime ones do not name it."""
        if not frame.context_id:
            self._unnamed += 1
        utterance = self._utterance(frame)
        if not frame.append_to_context:
            utterance.in_context = False
        utterance.firm = getattr(frame, "interruptible", True) is False  # since 1.11

    def words(self, frame: Any, at: float) -> None:
        """Text that a service speaks."""
        spaced = getattr(frame, "includes_inter_frame_spaces", False)
        self._utterance(frame).words.append(frame.text if spaced else f" {frame.text}")

    def audio(self, frame: Any, at: float) -> None:
        """Sound that a service made, faster than it is played."""
        bytes_a_second = frame.sample_rate * frame.num_channels * 2
        if bytes_a_second:
            self._utterance(frame).audio += len(frame.audio) / bytes_a_second

    def _utterance(self, frame: Any) -> Utterance:
        context = frame.context_id or f"unnamed-{self._unnamed}"
        known = self._utterances.get(context)
        if known is None:
            known = Utterance(in_context=self.aggregated)
            if context not in self._gone:
                self._utterances[context] = known
                self._waiting.append(context)
                if len(self._waiting) > WAITING:  # nobody plays them
                    self._forget([self._waiting.popleft()])
        return known

    def _forget(self, contexts: list[str]) -> None:
        for context in contexts:
            self._utterances.pop(context, None)
        self._gone.extend(contexts)

    def bot_started(self, frame: Any, at: float) -> None:
        """The transport plays the first sound."""
        if self._stretch is not None:
            return
        self._stretch = self._latest = stretch = Stretch(at)
        self._play_next(at)
        playing, last = self._playing, self._last
        if playing is not None:
            playing.stretches.append(stretch)
        if playing is None or playing.in_context:
            if last is not None and last.text and not last.stretches:
                self._voice(last, [stretch])  # the text came before the sound
            else:
                self._free.append(stretch)

    def _play_next(self, at: float) -> None:
        """What sounds now: the next that has a sound, for one that failed has none."""
        playing = self._playing
        played = [context for context, one in self._utterances.items() if one is playing]
        silent = []
        while len(self._waiting) > 1 and not self._utterances[self._waiting[0]].audio:
            silent.append(self._waiting.popleft())
        if self._waiting:
            self._playing = self._utterances[self._waiting.popleft()]
            self._forget(played)
        elif playing is not None and playing.played(at) >= playing.audio - NEARLY_ALL:
            self._playing = None  # a sound that no text was made into
        self._forget(silent)

    def bot_speaking(self, frame: Any, at: float) -> None:
        """The bot goes on speaking; should the process die now, this much was heard."""
        playing = self._playing
        if self._stretch is None or playing is None or at - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = at
        text = playing.heard(at)
        if not text or (playing.in_context and self._stretch not in self._free):
            return
        start = playing.stretches[0].start
        details = {"estimated": True}
        self._add(
            TurnSaid(
                at=at,
                id=self._id_of(playing),
                role="assistant",
                text=text,
                start=start,
                end=at,
                details=details,
            )
        )

    def _id_of(self, utterance: Utterance) -> str:
        """The turn that it is going to be: the aggregator's next one, or one of its own."""
        if utterance.in_context:
            return f"assistant-{self._turns + 1}"
        if not utterance.turn:
            self._alone += 1
            utterance.turn = f"alone-{self._alone}"
        return utterance.turn

    def interrupted(self, frame: Any, at: float) -> None:
        """The caller cut in: what waits is never heard, but for what must be."""
        firm = [context for context in self._waiting if self._utterances[context].firm]
        self._forget([context for context in self._waiting if context not in firm])
        self._waiting = deque(firm)

    def bot_stopped(self, frame: Any, at: float) -> None:
        """The transport has played the last sound, or was told to be silent."""
        stretch, playing = self._stretch, self._playing
        if stretch is None:
            return
        stretch.end, self._stretch = max(stretch.start, at), None
        if stretch.answer is not None:
            self._tell(stretch.answer)
        if playing is not None and not playing.in_context:
            self._tell_alone(playing, at)

    def _tell_alone(self, utterance: Utterance, at: float) -> None:
        """What is spoken past the aggregator, or without one."""
        cut = utterance.played(at) < utterance.audio - NEARLY_ALL
        self._add(
            TurnSaid(
                at=at,
                id=self._id_of(utterance),
                role="assistant",
                text=utterance.heard(at) if cut else utterance.text,
                start=utterance.stretches[0].start,
                end=utterance.stretches[-1].end,
                interrupted=cut,
                details={"estimated": True} if cut else {},
            )
        )

    def turn_started(self, at: float) -> None:
        """The aggregator began a turn: what sounds from now on is its own, and no other's."""
        self._last = None
        for stretch in self._free:
            if stretch.end is not None:
                self._tell_sound(stretch, stretch.end)
        self._free = [stretch for stretch in self._free if stretch.end is None]

    def turn_stopped(self, text: str, at: float, *, interrupted: bool) -> None:
        """The aggregator has the text of a turn, which may be no text at all."""
        self._turns += 1
        self._last = answer = Answer(f"assistant-{self._turns}", at, text, interrupted)
        heard, self._free = self._free, []
        if not text and heard and self._playing is not None:
            answer.text, answer.estimated = self._playing.heard(at), True
        self._voice(answer, heard)

    def _voice(self, answer: Answer, heard: list[Stretch]) -> None:
        answer.stretches += heard
        for stretch in heard:
            stretch.answer = answer
        self._tell(answer)

    def _tell(self, answer: Answer) -> None:
        heard = answer.stretches
        end = heard[-1].end if heard else None
        if heard and end is not None and not answer.text:
            start = heard[0].start
            self._add(SpeechHeard(at=end, role="assistant", start=start, end=end))
        self._add(
            TurnSaid(
                at=answer.at,
                id=answer.id,
                role="assistant",
                text=answer.text,
                start=heard[0].start if heard else None,
                end=end,
                interrupted=answer.interrupted,
                details={"estimated": True} if answer.estimated else {},
            )
        )

    def finish(self, at: float) -> None:
        """The call is over: who spoke is cut short, and sound without words is kept as such."""
        self.bot_stopped(None, at)
        for stretch in self._free:
            self._tell_sound(stretch, at if stretch.end is None else stretch.end)
        self._free = []

    def _tell_sound(self, stretch: Stretch, end: float) -> None:
        self._add(SpeechHeard(at=end, role="assistant", start=stretch.start, end=end))
