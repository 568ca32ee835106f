"""What the demo's conversations have to look like, from the scripts that were played."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from demo_scripts import BOT_WEATHER, STORY, WEATHER
from scripted import Script
from text_chat import VISITOR

TOLERANCE = 0.15
"""Seconds that a recorded time may be off the script's."""
WANTED = {"livekit": 1, "pipecat": 1, "chat": 2}


@dataclass(frozen=True)
class Expected:
    """What a voice call has to look like, beside what the caller says.

    Attributes:
        script: The call that was played.
        roles: Who each turn is of.
        answers: What the agent says, but for the story, which is its third answer.
        tools: The tools that it uses.
        ended: How the call ended.
    """

    script: Script
    roles: tuple[str, ...]
    answers: tuple[str, ...]
    tools: tuple[str, ...]
    ended: str


ANSWERS = (
    "Hello, Acme support here. How can I help you?",
    "It is sunny in Paris, 21 degrees.",
    "Goodbye, have a nice day!",
)
TALK = ("assistant", "user", "tool", "assistant", "user", "assistant", "user")
VOICE = {
    "livekit": Expected(
        WEATHER, (*TALK, "assistant"), ANSWERS, ("get_weather",), "customer-ended-call"
    ),
    "pipecat": Expected(
        BOT_WEATHER,
        ("system", *TALK, "tool", "assistant"),  # asked to greet; the bot hangs up
        ANSWERS,
        ("get_weather", "end_call"),
        "agent-ended-call",
    ),
}


def kind(conversation: dict[str, Any]) -> str:
    """Return which program of the demo a conversation is of: `livekit`, `pipecat` or `chat`."""
    if conversation["source"] == "livekit":
        return "livekit"
    return "chat" if conversation["referenceId"].startswith("chat-") else "pipecat"


def faults(conversations: list[dict[str, Any]], *, cost: float) -> list[str]:
    """Everything that is not as it should be, a sentence each; empty when all is well."""
    arrived = Counter(kind(conversation) for conversation in conversations)
    found = [
        f"{arrived[name]} conversations of {name}, not {count}"
        for name, count in WANTED.items()
        if arrived[name] != count
    ]
    for conversation in conversations:
        name = kind(conversation)
        if name == "chat":
            found += _chat_faults(conversation)
        else:
            faults = _voice_faults(conversation, VOICE[name], cost)
            found += [f"{name}: {fault}" for fault in faults]
    return found


def _voice_faults(voice: dict[str, Any], expected: Expected, cost: float) -> list[str]:
    transcript = voice["transcript"]
    turns = transcript["content"]
    roles = tuple(turn["role"] for turn in turns)
    if roles != expected.roles:
        return [f"the turns are of {roles}"]
    found = _caller_faults(_of("user", turns), expected.script)
    found += _agent_faults(_of("assistant", turns), expected)
    found += _tool_faults(_of("tool", turns), expected.tools)
    if voice["endedReason"] != expected.ended:
        found.append(f"the call ended by {voice['endedReason']}")
    if not (transcript["systemPrompt"] or "").startswith("You are the support agent of Acme."):
        found.append("the prompt differs")
    if float(voice["cost"] or 0) != cost:
        found.append("the cost was not enriched")
    return found


def _of(role: str, turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [turn for turn in turns if turn["role"] == role]


def _caller_faults(turns: list[dict[str, Any]], script: Script) -> list[str]:
    found: list[str] = []
    for turn, line in zip(turns, script.lines, strict=True):
        off = max(abs(turn["startSeconds"] - line.start), abs(turn["endSeconds"] - line.end))
        if turn["content"] != line.text or off > TOLERANCE:
            found.append(f"the caller's {line.text!r} was recorded {off:.3f} s off")
    return found


def _agent_faults(turns: list[dict[str, Any]], expected: Expected) -> list[str]:
    story = turns[2]
    text, cut_at = story["content"], expected.script.lines[2]
    found: list[str] = []
    if tuple(turn["content"] for turn in turns if turn is not story) != expected.answers:
        found.append("the agent's answers differ")
    if not (text and STORY.startswith(text) and text != STORY):
        found.append("the story is not what was heard of it")
    if not cut_at.start < story["endSeconds"] < cut_at.end:
        found.append(f"the story ended at {story['endSeconds']}, not when the caller cut in")
    return found


def _tool_faults(turns: list[dict[str, Any]], tools: tuple[str, ...]) -> list[str]:
    right = all(
        f'"name":"{name}"' in turn["content"] for turn, name in zip(turns, tools, strict=True)
    )
    return [] if right and "sunny" in turns[0]["content"] else ["the tools' turns differ"]


def _chat_faults(chat: dict[str, Any]) -> list[str]:
    turns = chat["transcript"]["content"]
    asked = tuple(turn["content"] for turn in turns if turn["role"] == "user")
    timed = [turn for turn in turns if turn.get("startSeconds") is not None]
    if asked != VISITOR or timed or len(turns) != 7:
        return [f"the chat {chat['referenceId']} differs"]
    return []
