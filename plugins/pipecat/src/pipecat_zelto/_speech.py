"""When the caller spoke: from the frames of whoever listens for speech to facts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from zelto_agents.facts import Fact, SpeechHeard, TurnSaid, WordsHeard

__all__ = ["CallerSpeech"]

# Seconds: what was over for longer when a turn began is no part of it.
BEFORE_A_TURN = 1.0
# Seconds of silence after which a sound that no words came of was a noise.
PAUSE = 2.0


class CallerSpeech:
    """Follows the caller's voice and words.

    The best ear of the pipeline counts: voice detection, else what a service proposes, else the
    decisions about turns, which come later than the speech itself.

    Args:
        add: where facts go.
        answering_since: since when the bot speaks, at a time; None if it does not.
    """

    def __init__(
        self,
        add: Callable[[Fact], None],
        answering_since: Callable[[float], float | None] = lambda _: None,
    ) -> None:
        self._add = add
        self._answering_since = answering_since
        self._ear = 0
        self._heard = False
        self._since: float | None = None
        self._over: list[tuple[float, float]] = []
        self._interim = ""
        self._finals: deque[tuple[str, str, str]] = deque(maxlen=20)
        self._worded: deque[float] = deque(maxlen=200)

    def vad_started(self, frame: Any, at: float) -> None:
        """Voice detection dates the start back by what it waited to be sure."""
        self._start(2, frame.timestamp - frame.start_secs)

    def vad_stopped(self, frame: Any, at: float) -> None:
        """The end, dated back likewise."""
        self._stop(2, frame.timestamp - frame.stop_secs)

    def proposed_start(self, frame: Any, at: float) -> None:
        """A service that listens by itself heard a start."""
        self._start(1, at)

    def proposed_stop(self, frame: Any, at: float) -> None:
        """It heard the end."""
        self._stop(1, at)

    def turn_started(self, frame: Any, at: float) -> None:
        """The pipeline decided that it is the caller's turn."""
        if any(end < at - BEFORE_A_TURN for _, end in self._over):
            self._tell([span for span in self._over if span[1] < at - BEFORE_A_TURN])
            self._over = [span for span in self._over if span[1] >= at - BEFORE_A_TURN]
        self._start(0, at)

    def turn_stopped(self, frame: Any, at: float) -> None:
        """The caller's turn is over: what was heard in it is one stretch, but for noises."""
        self._stop(0, at)
        self._tell_turn()

    def interim(self, frame: Any, at: float) -> None:
        """Words that may still change."""
        self._interim = frame.text
        self._worded.append(at)

    def final(self, frame: Any, at: float) -> None:
        """A final transcript, once however often it is passed on as a new frame."""
        known = (frame.text, frame.timestamp, frame.user_id)
        if known not in self._finals:
            self._finals.append(known)
            self._interim = ""
            self._worded.append(at)
            self._add_words(frame.text, at)

    def said(self, turn: str, text: str, at: float) -> None:
        """The aggregator has the text of a turn, or more of it.

        Args:
            turn: its id.
            text: all of it so far.
            at: seconds since the epoch.
        """
        self._add(TurnSaid(at=self._dated(at), id=turn, role="user", text=text))

    def _dated(self, at: float) -> float:
        """A service that tells of words alone does so after it has begun to answer them."""
        since = None if self._heard else self._answering_since(at)
        return at if since is None else min(at, since)

    def finish(self, at: float) -> None:
        """The call is over: what is open ends here, and nobody will finish the last words."""
        if self._interim:
            self._add_words(self._interim, at)
            self._interim = ""
        if self._since is not None:
            self._over.append((self._since, max(self._since, at)))
            self._since = None
        self._tell_turn()

    def _start(self, ear: int, at: float) -> None:
        if ear > self._ear:  # what worse ears heard before is the same speech
            self._ear, self._since, self._over = ear, None, []
        if ear == self._ear and self._since is None:
            self._heard, self._since = True, at

    def _stop(self, ear: int, at: float) -> None:
        if ear == self._ear and self._since is not None:
            self._over.append((self._since, max(self._since, at)))
            self._since = None

    def _tell_turn(self) -> None:
        turn: list[tuple[float, float]] = []
        for span in self._over:
            quiet = turn and span[0] - turn[-1][1] > PAUSE
            if quiet and not any(turn[0][0] <= at < span[0] for at in self._worded):
                self._tell(turn)
                turn = []
            turn.append(span)
        self._tell(turn)
        self._over = []
        self._worded.clear()

    def _tell(self, spans: list[tuple[float, float]]) -> None:
        if spans:
            start, end = spans[0][0], spans[-1][1]
            self._add(SpeechHeard(at=end, role="user", start=start, end=end, whole=True))

    def _add_words(self, text: str, at: float) -> None:
        start = self._over[0][0] if self._over else self._since
        if self._since is not None:
            end: float | None = at
        else:
            end = self._over[-1][1] if self._over else None
        self._add(WordsHeard(at=self._dated(at), text=text, start=start, end=end))
