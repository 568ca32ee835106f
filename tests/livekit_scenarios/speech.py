"""How turns come about: what is spoken, typed, said, cut short, resumed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from livekit import rtc
from livekit.agents import Agent, AgentSession, LanguageCode, __version__, stt
from livekit.agents.voice.room_io import RoomIO

from agent import Support
from demo_scripts import BILLING, WEATHER
from scripted.livekit import ScriptedCall, ScriptedSTT
from scripted.livekit.audio import is_loud
from scripted.livekit.hearing import FINAL_DELAY

from .stage import (
    CallerLine,
    Play,
    Reply,
    Script,
    Stage,
    Truth,
    UnsupportedError,
    needs_prompts_in_history,
)

KIND = "Be kind."
WEATHER_TOOL = (
    '{"name":"get_weather","arguments":{"city":"Paris"},"result":"sunny, 21 degrees in Paris"}'
)
# What the session waits for after the caller's last word; LiveKit's default.
ENDPOINTING = 0.5
SAID = Script(
    lines=(CallerLine(1.6, 2.6, "Say something."),),
    replies=(Reply(to="something", text="Something."),),
    hang_up=5.0,
)
TALE = (
    "There was a fox who could count to ten. Nobody believed the fox, and so the fox counted "
    "louder every day until the whole forest could count along."
)
STORY = Script(
    lines=(CallerLine(1.0, 2.0, "Tell me a tale."), CallerLine(5.0, 5.8, "Thank you.")),
    replies=(Reply(to="a tale", text=TALE), Reply(to="thank you", text="You are welcome.")),
    hang_up=9.0,
)


class EndpointingSTT(ScriptedSTT):
    """Says where speech starts and ends, as Deepgram's and AssemblyAI's do."""

    def stream(self, **options: Any) -> Any:
        stream: Any = super().stream(**options)
        hear, finish, tell = stream._hear, stream._finish, stream._event_ch.send_nowait
        kinds = stt.SpeechEventType

        def hear_start(frame: rtc.AudioFrame) -> None:
            if is_loud(frame) and stream._line is None:
                tell(stt.SpeechEvent(kinds.START_OF_SPEECH))
            hear(frame)

        def finish_with_end() -> None:
            line = stream._line
            finish()
            if line is not None:
                heard = stt.SpeechData(LanguageCode("en"), line.text, end_time=line.end)
                tell(stt.SpeechEvent(kinds.END_OF_SPEECH, alternatives=[heard]))

        def send_with_end(kind: stt.SpeechEventType) -> None:
            end = stream._line.end if kind == kinds.FINAL_TRANSCRIPT else 0.0
            heard = stt.SpeechData(LanguageCode("en"), stream._text, end_time=end, confidence=0.98)
            tell(stt.SpeechEvent(kind, alternatives=[heard]))

        stream._hear, stream._finish, stream._send = hear_start, finish_with_end, send_with_end
        return stream


def weather_tool(stage: Stage) -> None:
    """Note the tool of ``WEATHER``, which starts with the turn and takes half a second."""
    asked = next(turn for turn in stage.truth if turn.text == "What is the weather in Paris?")
    start = (asked.end or 0) + ENDPOINTING
    stage.truth.append(Truth("tool", WEATHER_TOOL, start, start + 0.5))


async def weather(stage: Stage) -> None:
    """VAD and STT, a tool, and an interruption that cuts the text to what was heard."""
    await stage.voice(WEATHER, Support())
    weather_tool(stage)


async def pausing(stage: Stage) -> None:
    """The same over audio that can be paused, as in a room."""
    await stage.voice(WEATHER, Support(), pauses=True)
    weather_tool(stage)


async def billing(stage: Stage) -> None:
    """A handoff between two agents."""
    await stage.voice(BILLING, Support())
    billing_tool(stage)


def billing_tool(stage: Stage) -> None:
    """Note the tool of ``BILLING``, which takes no time."""
    bill = '{"name":"transfer_to_billing","arguments":{},"result":"transferred to billing"}'
    asked = next(turn for turn in stage.truth if "my bill" in turn.text)
    start = (asked.end or 0) + ENDPOINTING
    stage.truth.append(Truth("tool", bill, start, start))


async def late(stage: Stage) -> None:
    """Attached in the middle of the call, and twice."""
    call = ScriptedCall(WEATHER)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    call.connect(session)
    await session.start(agent=Support(), room=call.room)
    await asyncio.sleep(8)
    first = stage.attach(session)
    stage.notes["same"] = stage.attach(session, agent_id="other") is first
    await stage.heard(call)
    weather_tool(stage)


async def hearing_alone(stage: Stage) -> None:
    """Speech-to-text decides where turns end; there is no voice detection."""
    await stage.voice(
        STORY,
        Agent(instructions=KIND),
        stt=EndpointingSTT(),
        vad=None,
        turn_handling={"turn_detection": "stt"},
    )
    if __version__ < "1.6":  # the first versions end such a turn with its transcript
        stage.tolerance += FINAL_DELAY + 0.05


async def said(stage: Stage) -> None:
    """``say`` before the caller's first word."""

    async def welcome(session: AgentSession[Any]) -> None:
        await session.say("Welcome.")

    await stage.voice(SAID, Agent(instructions=KIND), during=welcome)


async def said_unlisted(stage: Stage) -> None:
    """``say(add_to_chat_ctx=False)``: heard, but in no history and no event."""

    async def welcome(session: AgentSession[Any]) -> None:
        await session.say("Please hold the line.", add_to_chat_ctx=False)

    await stage.voice(SAID, Agent(instructions=KIND), during=welcome)
    (unlisted,) = [turn for turn in stage.truth if turn.text == "Please hold the line."]
    stage.truth.remove(unlisted)
    stage.untranscribed.append(unlisted)


async def typed_chat(stage: Stage) -> None:
    """A text conversation: no audio in, no audio out."""
    call = ScriptedCall(WEATHER)
    session: AgentSession[None] = AgentSession(llm=call.session_kwargs()["llm"])
    stage.attach(session, agent_id=None)
    greeted = asyncio.Event()
    session.on(
        "conversation_item_added",
        lambda event: greeted.set() if event.item.type == "message" else None,
    )
    await session.start(agent=Support())
    await greeted.wait()
    await session.run(user_input="What is the weather in Paris?")
    await session.aclose()
    stage.truth = [
        Truth("assistant", "Hello, Acme support here. How can I help you?"),
        Truth("user", "What is the weather in Paris?"),
        Truth("tool", WEATHER_TOOL),
        Truth("assistant", "It is sunny in Paris, 21 degrees."),
    ]


async def typed_in_a_call(stage: Stage) -> None:
    """``generate_reply(user_input=)`` in the middle of speech."""

    async def type_something(session: AgentSession[Any]) -> None:
        await asyncio.sleep(5)
        await session.generate_reply(user_input=stage.typed("I am at gate 12."))

    script = Script(
        lines=(CallerLine(1.0, 2.0, "Say something."),),
        replies=(
            Reply(to="something", text="Something."),
            Reply(to="gate", text="Gate twelve it is."),
        ),
        hang_up=9.0,
    )
    await stage.voice(script, Agent(instructions=KIND), during=type_something)


async def text_stream(stage: Stage) -> None:
    """The caller types into the room's chat; the agent answers by voice."""
    if not hasattr(RoomIO, "register_text_input"):
        raise UnsupportedError("rooms have no chat")

    class Reader:
        """What ``rtc`` hands to the handler of a text stream."""

        info = None

        def __init__(self, text: str) -> None:
            self._text = text

        async def read_all(self) -> str:
            return self._text

    handlers: dict[str, Any] = {}
    script = Script(replies=(Reply(to="gate", text="Gate twelve it is."),), hang_up=5.0)
    call = ScriptedCall(script)
    cast("Any", call.room).register_text_stream_handler = handlers.__setitem__
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    stage.attach(session)
    call.connect(session)
    await session.start(agent=Agent(instructions=KIND), room=call.room)
    await asyncio.sleep(1)
    handlers["lk.chat"](Reader(stage.typed("Which gate?")), script.caller.identity)
    await stage.heard(call)


async def preempted(stage: Stage) -> None:
    """The caller goes on after a first final transcript: the answer to it is thrown away."""
    script = Script(
        lines=(
            CallerLine(1.0, 1.8, "I would like"),
            CallerLine(2.05, 3.0, "to say something."),
        ),
        replies=(Reply(to="something", text="Something."), Reply(to="like", text="What, please?")),
        hang_up=6.0,
    )
    await stage.voice(script, Agent(instructions=KIND))
    stage.join()


async def cut_whole_text(stage: Stage) -> None:
    """Interrupted without a synchroniser: LiveKit keeps the whole text."""
    await stage.voice(STORY, Agent(instructions=KIND), synchronised=False)
    first, last = [turn for turn in stage.truth if turn.role == "assistant"]
    first.text, last.text = TALE, "You are welcome."


async def cut_resumed(stage: Stage) -> None:
    """A noise pauses the agent, nobody says a word, and it goes on."""
    script = Script(
        lines=(CallerLine(1.0, 2.0, "Tell me a tale."), CallerLine(5.0, 5.8, "")),
        replies=(Reply(to="a tale", text=TALE),),
        hang_up=18.0,
    )
    await stage.voice(script, Agent(instructions=KIND), pauses=True)


async def two_sentences(stage: Stage) -> None:
    """The caller breathes, longer than the voice detection waits, shorter than a turn's end."""
    script = Script(
        lines=(
            CallerLine(1.0, 1.8, "I have a question."),
            CallerLine(2.4, 3.4, "Say something."),
        ),
        replies=(Reply(to="something", text="Something."),),
        hang_up=7.0,
    )
    await stage.voice(
        script,
        Agent(instructions=KIND),
        turn_handling={"turn_detection": "vad", "endpointing": {"min_delay": 1.5}},
    )
    stage.join()


async def hung_up_on_the_agent(stage: Stage) -> None:
    """The caller hangs up while the agent speaks."""
    lines = STORY.lines[:1]
    await stage.voice(Script(lines, STORY.replies, hang_up=5.0), Agent(instructions=KIND))


async def hung_up_in_mid_word(stage: Stage) -> None:
    """The caller is cut off while they speak: what was heard of it counts.

    LiveKit closes speech with a silence of its own, so that it ends earlier by what the voice
    detection waits for.
    """
    stage.tolerance += 0.4
    script = Script(
        lines=(CallerLine(1.0, 5.0, "One two three four five six seven eight"),), hang_up=3.5
    )
    await stage.voice(script, Agent(instructions=KIND))


async def late_after_handoff(stage: Stage) -> None:
    """Attached when the second agent speaks already: each agent keeps its own prompt."""
    call = ScriptedCall(BILLING)
    session: AgentSession[None] = AgentSession(**call.session_kwargs())
    call.connect(session)
    await session.start(agent=Support(), room=call.room)
    await asyncio.sleep(10)
    needs_prompts_in_history(session)
    stage.attach(session)
    await stage.heard(call)
    billing_tool(stage)


async def silent(stage: Stage) -> None:
    """A voice call in which nobody says a word."""
    await stage.voice(Script(hang_up=1.0), Agent(instructions=KIND))


async def noise_alone(stage: Stage) -> None:
    """The voice detection fires, and no word follows."""
    await stage.voice(
        Script(lines=(CallerLine(1.0, 2.0, ""),), hang_up=4.0), Agent(instructions=KIND)
    )


async def unheard_by_vad(stage: Stage) -> None:
    """Words that the voice detection missed: their times are those of the transcripts."""
    stage.tolerance += 0.4
    from scripted.livekit import ScriptedVAD

    class Deaf(ScriptedVAD):
        def stream(self) -> Any:
            stream = super().stream()
            stream._hear = lambda _: None  # type: ignore[attr-defined]
            return stream

    await stage.voice(STORY, Agent(instructions=KIND), vad=Deaf())


SPEECH: dict[str, Play] = {
    play.__name__: play
    for play in (
        weather,
        pausing,
        billing,
        late,
        hearing_alone,
        said,
        said_unlisted,
        typed_chat,
        typed_in_a_call,
        text_stream,
        preempted,
        cut_whole_text,
        cut_resumed,
        two_sentences,
        hung_up_on_the_agent,
        hung_up_in_mid_word,
        late_after_handoff,
        silent,
        noise_alone,
        unheard_by_vad,
    )
}
