"""How a realtime model's server hears the caller: when, in which order, and whether at all."""

from __future__ import annotations

from typing import Any

from livekit.agents import NOT_GIVEN, Agent, llm

from demo_scripts import GREETING
from scripted.livekit import ScriptedVAD

from .realtime_answer import FIRST_SOUND
from .realtime_model import ScriptedRealtimeModel, Server
from .stage import CallerLine, Play, Reply, Script, Stage, Truth

__all__ = ["CALL", "HEARING", "KIND", "Greeter", "converse", "without_words"]

KIND = "Be kind."
CALL = Script(
    lines=(CallerLine(4.2, 5.4, "Where is the station?"), CallerLine(9.0, 9.8, "Thank you.")),
    replies=(
        GREETING,
        Reply(to="station", text="The station is behind the market."),
        Reply(to="thank you", text="You are very welcome."),
    ),
    hang_up=13.0,
)
# What this version of livekit-agents lets a provider say.
TELLS_START = "turn_started_at" in llm.InputTranscriptionCompleted.__dataclass_fields__
OVERLAPS = "supports_overlapping_speech" in llm.RealtimeCapabilities.__dataclass_fields__


class Greeter(Agent):
    """Speaks first, as a realtime agent is asked to."""

    def __init__(self) -> None:
        super().__init__(instructions=KIND)

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the caller.")


async def converse(
    stage: Stage,
    script: Script,
    agent: Agent,
    server: Server | None = None,
    during: Any = None,
    **session: Any,
) -> ScriptedRealtimeModel:
    """Play a call with one realtime model in place of the three others."""
    model = ScriptedRealtimeModel(script, server)
    models = {"llm": model, "stt": None, "tts": None, "vad": NOT_GIVEN}
    turns = {"turn_handling": {"turn_detection": "realtime_llm"}}
    await stage.voice(script, agent, during=during, **(models | turns | session))
    return model


def without_words(stage: Stage, *lines: CallerLine) -> None:
    """These lines were heard, but nobody wrote them down: they are no turns."""
    texts = {line.text for line in lines}
    heard = [turn for turn in stage.truth if turn.role == "user" and turn.text in texts]
    stage.truth = [turn for turn in stage.truth if turn not in heard]
    stage.untranscribed = [Truth(turn.role, "", turn.start, turn.end) for turn in heard]


async def realtime_turn_started_at(stage: Stage) -> None:
    """The provider says when the turn of a transcript began (OpenAI)."""
    await converse(stage, CALL, Greeter(), Server(tells_start=True))


async def realtime_final_first(stage: Stage) -> None:
    """The words come before the end of the speech is told (GPT Live)."""
    server = Server(transcript_after=0.01, final_first=True, tells_start=True)
    await converse(stage, CALL, Greeter(), server)


async def realtime_slow_ear(stage: Stage) -> None:
    """The server waits half a second of silence before it says that a turn is over."""
    await converse(stage, CALL, Greeter(), Server(silence=0.5))
    stage.tolerance += 0.5


async def realtime_as_generations(stage: Stage) -> None:
    """The caller's turn is told as part of the answer, and over when that is (Gemini)."""
    await converse(stage, CALL, Greeter(), Server(generations=True, tells_start=True))
    for turn in stage.truth:
        if turn.role == "user" and turn.end is not None:
            # nobody tells when the caller really spoke: all that is known is the pause behind it
            turn.start = turn.end + 0.08
            turn.end = turn.start + FIRST_SOUND


HASTY = Script(
    lines=(
        CallerLine(1.0, 1.8, "Where is the station?"),
        CallerLine(2.1, 2.9, "Sorry, the airport?"),
    ),
    replies=(Reply(to="airport", text="The airport is behind the hill."), *CALL.replies),
    hang_up=8.0,
)


async def realtime_hasty(stage: Stage) -> None:
    """The caller goes on before the words of the first sentence are there."""
    await converse(stage, HASTY, Agent(instructions=KIND), Server(transcript_after=1.6))


async def realtime_hasty_lost(stage: Stage) -> None:
    """The words of the first sentence come within the second, whose own never come."""
    second = HASTY.lines[1]
    await converse(stage, HASTY, Agent(instructions=KIND), Server(lost=(second.text,)))
    without_words(stage, second)


async def realtime_with_vad(stage: Stage) -> None:
    """A voice detection of one's own beside the server's: it hears a turn in two parts."""
    first, last = CALL.lines
    breath = CallerLine(3.2, 3.7, "Excuse me,")
    script = Script((breath, first, last), CALL.replies, hang_up=13.0)
    server = Server(silence=0.6)
    await converse(stage, script, Agent(instructions=KIND), server, vad=ScriptedVAD())
    stage.join()


async def realtime_nodded_to(stage: Stage) -> None:
    """A model that speaks over the caller, whose turn goes on (GPT Live)."""
    line = CallerLine(1.0, 4.5, "I would like to know where the station is, please.")
    script = Script(lines=(line,), replies=CALL.replies, hang_up=9.0)
    await converse(stage, script, Agent(instructions=KIND), Server(nods="Yes."))


async def realtime_untranscribed(stage: Stage) -> None:
    """Transcription is off: only that the caller spoke is known."""
    await converse(stage, CALL, Greeter(), Server(transcript_after=None))
    without_words(stage, *CALL.lines)


async def realtime_transcript_lost(stage: Stage) -> None:
    """The words of the first of two turns never come; the second keeps its own time."""
    await converse(stage, CALL, Greeter(), Server(lost=(CALL.lines[0].text,)))
    without_words(stage, CALL.lines[0])


async def realtime_noise(stage: Stage) -> None:
    """A noise is a turn to the server, with an empty transcript; the turns around it are right."""
    first, last = CALL.lines
    noise = CallerLine(7.9, 8.3, "")
    script = Script(lines=(first, noise, last), replies=CALL.replies, hang_up=CALL.hang_up)
    await converse(stage, script, Greeter())
    stage.untranscribed.clear()


async def realtime_cough(stage: Stage) -> None:
    """A noise of which the server says nothing more: it is no part of the turn right after it."""
    first, last = CALL.lines
    cough = CallerLine(8.3, 8.5, "")
    script = Script(lines=(first, cough, last), replies=CALL.replies, hang_up=CALL.hang_up)
    await converse(stage, script, Greeter(), Server(lost=("",)))


async def realtime_late_transcript_after_close(stage: Stage) -> None:
    """The caller hangs up before their words are there: the framework never tells them."""
    script = Script(lines=(CallerLine(1.0, 2.0, "Where is the station?"),), hang_up=2.4)
    await converse(stage, script, Agent(instructions=KIND))
    without_words(stage, *script.lines)


async def realtime_hung_up_in_mid_word(stage: Stage) -> None:
    """The caller is cut off while they speak; the server has not even found a turn."""
    line = CallerLine(1.0, 4.0, "Where is the station?")
    await converse(stage, Script(lines=(line,), hang_up=2.5), Agent(instructions=KIND))
    heard = [Truth(turn.role, line.text, turn.start, turn.end) for turn in stage.truth]
    stage.truth = heard
    without_words(stage, line)


HEARING: dict[str, Play] = {
    play.__name__: play
    for play in (
        *([realtime_turn_started_at] if TELLS_START else []),
        realtime_final_first,
        realtime_slow_ear,
        realtime_as_generations,
        realtime_hasty,
        realtime_hasty_lost,
        realtime_with_vad,
        realtime_untranscribed,
        realtime_transcript_lost,
        realtime_noise,
        realtime_cough,
        realtime_late_transcript_after_close,
        realtime_hung_up_in_mid_word,
        *([realtime_nodded_to] if OVERLAPS else []),
    )
}
