"""What the demo's conversations have to look like, from the scripts that were played."""

from __future__ import annotations

from typing import Any

from demo_scripts import STORY, WEATHER
from text_chat import VISITOR

TOLERANCE = 0.15
"""Seconds that a recorded time may be off the script's."""

ANSWERS = (
    "Hello, Acme support here. How can I help you?",
    "It is sunny in Paris, 21 degrees.",
    "Goodbye, have a nice day!",
)


def faults(conversations: list[dict[str, Any]], *, recording: str, cost: float) -> list[str]:
    """Everything that is not as it should be, a sentence each; empty when all is well."""
    voices = [c for c in conversations if c["source"] == "livekit"]
    chats = [c for c in conversations if c["source"] != "livekit"]
    found: list[str] = []
    if (len(voices), len(chats)) != (1, 2):
        found.append(f"{len(voices)} voice calls and {len(chats)} chats, not 1 and 2")
    for voice in voices:
        found += _voice_faults(voice, recording, cost)
    for chat in chats:
        found += _chat_faults(chat)
    return found


def _voice_faults(voice: dict[str, Any], recording: str, cost: float) -> list[str]:
    transcript = voice["transcript"]
    turns = transcript["content"]
    found: list[str] = []
    roles = [turn["role"] for turn in turns]
    wanted = ["assistant", "user", "tool", "assistant", "user", "assistant", "user", "assistant"]
    if roles != wanted:
        return [f"the voice call's turns are {roles}"]
    for turn, line in zip([t for t in turns if t["role"] == "user"], WEATHER.lines, strict=True):
        off = max(abs(turn["startSeconds"] - line.start), abs(turn["endSeconds"] - line.end))
        if turn["content"] != line.text or off > TOLERANCE:
            found.append(f"the caller's {line.text!r} was recorded {off:.3f} s off")
    said = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    story = said.pop(2)
    if tuple(said) != ANSWERS or not (story and STORY.startswith(story) and story != STORY):
        found.append("the agent's answers differ")
    if '"name":"get_weather"' not in turns[2]["content"] or "sunny" not in turns[2]["content"]:
        found.append("the tool's turn differs")
    if voice["endedReason"] != "customer-ended-call":
        found.append(f"the call ended by {voice['endedReason']}")
    if not (transcript["systemPrompt"] or "").startswith("You are the support agent of Acme."):
        found.append("the prompt differs")
    if (transcript["recordingUrl"], float(voice["cost"] or 0)) != (recording, cost):
        found.append("recording or cost were not enriched")
    return found


def _chat_faults(chat: dict[str, Any]) -> list[str]:
    turns = chat["transcript"]["content"]
    asked = tuple(turn["content"] for turn in turns if turn["role"] == "user")
    timed = [turn for turn in turns if turn.get("startSeconds") is not None]
    if asked != VISITOR or timed or len(turns) != 7:
        return [f"the chat {chat['referenceId']} differs"]
    return []
