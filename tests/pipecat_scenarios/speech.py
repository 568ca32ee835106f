"""How turns come about: what is spoken, cut short, said late, said past the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields

from pipecat.frames.frames import EndFrame, LLMRunFrame, TTSSpeakFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregatorParams
from pipecat.turns.user_mute import AlwaysUserMuteStrategy

from scripted.pipecat import ScriptedCall, ScriptedSTT

from .stage import CallerLine, Play, Reply, Script, Stage, Truth, UnsupportedError, after

TALE = (
    "There was a fox who could count to ten. Nobody believed the fox, and so the fox counted "
    "louder every day until the whole forest could count along."
)
CHAT = Script(
    lines=(CallerLine(1.0, 2.0, "Who are you?"), CallerLine(5.0, 6.0, "Thank you, goodbye.")),
    replies=(
        Reply(to="who are you", text="I am a scripted voice."),
        Reply(to="thank you", text="You are welcome. Goodbye."),
    ),
    hang_up=10.0,
)
STORY = Script(
    lines=(CallerLine(1.0, 2.0, "Tell me a tale."), CallerLine(7.0, 7.8, "Thank you.")),
    replies=(Reply(to="a tale", text=TALE), Reply(to="thank you", text="You are welcome.")),
    hang_up=11.0,
)
# Since 1.12 a turn without words may be answered.
_RECOVERS = "empty_user_turn" in {known.name for known in fields(LLMUserAggregatorParams)}
WITHOUT_RECOVERY = {"empty_user_turn": None} if _RECOVERS else {}
CUT_SHORT = Script(lines=STORY.lines[:1], replies=STORY.replies, hang_up=4.6)


async def sentences(stage: Stage) -> None:
    """Two turns each, from a voice that tells whole sentences."""
    await stage.voice(CHAT)


async def words(stage: Stage) -> None:
    """The same from a voice that tells words."""
    await stage.voice(CHAT, words=True)


async def greeting(stage: Stage) -> None:
    """The bot's own code asks the model to begin."""

    async def greet(call: ScriptedCall, worker: PipelineWorker) -> None:
        call.context.add_message({"role": "developer", "content": "Say hello."})
        stage.truth.append(Truth("system", "Say hello.", *2 * [call.transport.started_at]))
        await worker.queue_frames([LLMRunFrame()])

    script = Script(
        lines=(CallerLine(4.0, 5.0, "Bye."),),
        replies=(
            Reply(to="say hello", text="Hello. I am listening."),
            Reply(to="bye", text="Bye."),
        ),
        hang_up=8.0,
    )
    await stage.voice(script, during=greet)


async def interrupted(stage: Stage) -> None:
    """The caller cuts in while a later sentence is spoken."""
    await stage.voice(STORY)


async def interrupted_words(stage: Stage) -> None:
    """The same where words are told: all that were heard are there."""
    await stage.voice(STORY, words=True)


async def interrupted_first(stage: Stage) -> None:
    """The caller cuts in while the first sentence is spoken."""
    lines = (STORY.lines[0], CallerLine(4.5, 5.3, "Thank you."))
    await stage.voice(Script(lines=lines, replies=STORY.replies, hang_up=9.0))


async def hung_up_on(stage: Stage) -> None:
    """The caller hangs up while the bot says its first sentence."""
    await stage.voice(CUT_SHORT)


async def hung_up_on_words(stage: Stage) -> None:
    """The same where words are told."""
    await stage.voice(CUT_SHORT, words=True)


async def hung_up_speaking(stage: Stage) -> None:
    """The caller hangs up in the middle of their own words."""
    lines = (*CHAT.lines[:1], CallerLine(5.0, 8.0, "And then I wanted to ask you about my bill."))
    await stage.voice(Script(lines=lines, replies=CHAT.replies, hang_up=7.0))


async def pause(stage: Stage) -> None:
    """One turn of two stretches, with a pause that is no end."""
    lines = (CallerLine(1.0, 1.8, "Who are"), CallerLine(2.2, 2.8, "you?"))
    await stage.voice(Script(lines=lines, replies=CHAT.replies, hang_up=6.5))
    stage.join(0, 1)


async def late(stage: Stage) -> None:
    """The transcript of the first turn comes seconds after the turn was given up."""
    script = Script(lines=CHAT.lines[:1], replies=CHAT.replies, hang_up=13.0)
    stt = ScriptedSTT(script, final_delay=6.5, interims=False)
    await stage.voice(script, stt=stt, user=WITHOUT_RECOVERY)


async def recovered(stage: Stage) -> None:
    """A turn without words, of which Pipecat itself asks the model to make something."""
    if not WITHOUT_RECOVERY:
        raise UnsupportedError("turns without words are not answered")
    script = Script(lines=(CallerLine(1.0, 2.0, ""),), replies=CHAT.replies, hang_up=10.0)
    call = await stage.voice(script)
    (message,) = [m for m in call.context.get_messages() if m["role"] == "developer"]
    asked = call.transport.started_at + 2.0 + 5.2  # the turn is given up after five seconds
    stage.truth.append(Truth("system", message["content"], asked, asked))


async def noise(stage: Stage) -> None:
    """A sound without words is no turn."""
    lines = (CallerLine(0.6, 1.0, ""), CallerLine(4.0, 5.0, "Who are you?"))
    await stage.voice(Script(lines=lines, replies=CHAT.replies, hang_up=9.0), user=WITHOUT_RECOVERY)


async def spoken_past_the_context(stage: Stage) -> None:
    """What the bot's code has spoken, and keeps from the model, was heard all the same."""

    async def say(call: ScriptedCall, worker: PipelineWorker) -> None:
        hold = TTSSpeakFrame("This call is recorded.", append_to_context=False)
        await worker.queue_frames([hold])

    lines = (CallerLine(3.0, 4.0, "Who are you?"),)
    await stage.voice(Script(lines=lines, replies=CHAT.replies, hang_up=8.0), during=say)


async def spoken(stage: Stage) -> None:
    """What the bot's code has spoken, and the model knows of."""

    async def say(call: ScriptedCall, worker: PipelineWorker) -> None:
        await worker.queue_frames([TTSSpeakFrame("Welcome to Acme.", append_to_context=True)])

    lines = (CallerLine(3.0, 4.0, "Who are you?"),)
    await stage.voice(Script(lines=lines, replies=CHAT.replies, hang_up=8.0), during=say)


async def muted(stage: Stage) -> None:
    """What a caller says to a bot that does not listen was said all the same."""
    lines = (
        CallerLine(1.0, 2.0, "Tell me a tale."),
        CallerLine(4.0, 5.0, "Wait."),
        CallerLine(14.0, 15.0, "Thank you."),
    )
    script = Script(lines=lines, replies=STORY.replies, hang_up=18.5)
    await stage.voice(script, user={"user_mute_strategies": [AlwaysUserMuteStrategy()]})
    for turn in stage.truth:
        if turn.text == "Wait.":
            turn.start = turn.end = None


async def fast(stage: Stage) -> None:
    """The bot ends the call once it has said goodbye."""

    async def end(call: ScriptedCall, worker: PipelineWorker) -> None:
        await after(2.9, worker, TTSSpeakFrame("Goodbye."), EndFrame(reason="said-goodbye"))

    await stage.voice(Script(lines=CHAT.lines[:1], replies=CHAT.replies), during=end)


async def silent(stage: Stage) -> None:
    """A caller who never says a word."""
    await stage.voice(Script(hang_up=2.0))


async def overlapping(stage: Stage) -> None:
    """Two answers to two quick turns; the first is never heard."""
    lines = (CallerLine(1.0, 2.0, "Who are you?"), CallerLine(3.1, 3.9, "Tell me a tale."))
    await stage.voice(Script(lines=lines, replies=(*CHAT.replies, *STORY.replies), hang_up=8.0))


async def cut_off(stage: Stage) -> None:
    """The caller speaks while the model still writes its answer."""
    lines = (CallerLine(1.0, 2.0, "Tell me a tale."), CallerLine(2.85, 3.6, "Who are you?"))
    await stage.voice(Script(lines=lines, replies=(*CHAT.replies, *STORY.replies), hang_up=8.0))


async def metered(stage: Stage) -> None:
    """Usage metrics, which Pipecat does not make by itself."""
    await stage.voice(CHAT, during=_note_params(stage))


async def unmetered(stage: Stage) -> None:
    """Usage metrics that are not wanted."""
    await stage.voice(CHAT, during=_note_params(stage), zelto={"usage_metrics": False})


def _note_params(stage: Stage) -> Callable[[ScriptedCall, PipelineWorker], Awaitable[None]]:
    async def note(call: ScriptedCall, worker: PipelineWorker) -> None:
        stage.notes["params"] = worker.params.enable_usage_metrics

    return note


SPEECH: dict[str, Play] = {
    play.__name__: play
    for play in (
        sentences,
        words,
        greeting,
        interrupted,
        interrupted_words,
        interrupted_first,
        hung_up_on,
        hung_up_on_words,
        hung_up_speaking,
        pause,
        late,
        recovered,
        noise,
        spoken_past_the_context,
        spoken,
        muted,
        fast,
        silent,
        overlapping,
        cut_off,
        metered,
        unmetered,
    )
}
