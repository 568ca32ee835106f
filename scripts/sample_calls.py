"""Calls that look like real ones, for the screenshots: voices with figures, chats, problems."""

from __future__ import annotations

import io
import json
import math
import random
import wave
from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]
RATE = 8000
PROMPT = """You are the voice of Harbour Parcels. Callers ask where their parcel is, or want it \
brought at another time.

- Be brief: one thing at a time, no lists.
- Look up the parcel before you say anything about it.
- Never promise a time that the depot has not confirmed."""

# Who says what, how long it takes, and how long the answer took to begin (seconds).
_STORY: list[tuple[str, str, float, float]] = [
    ("assistant", "Harbour Parcels, good morning. What can I do for you?", 3.1, 0.4),
    ("user", "Hi, I was told my parcel would be here yesterday, and it still isn't.", 4.2, 0.9),
    ("assistant", "I'm sorry about that. May I have the number of the parcel?", 3.0, 0.86),
    ("user", "Sure, it's four two seven, one nine.", 2.9, 1.3),
    ("find_parcel", "", 0.7, 0.5),
    ("assistant", "Thank you. It reached the depot in Leith this morning at six, and", 4.4, 1.54),
    ("user", "So when does it come to me?", 1.7, -0.9),
    ("depot_slots", "", 2.1, 0.4),
    (
        "assistant",
        "The van can be with you between four and six today, or tomorrow before noon.",
        4.9,
        3.1,
    ),
    ("user", "Today is fine. But nobody hears the bell, could they ring my phone?", 4.0, 2.6),
    ("assistant", "Of course. Shall they ring the number that you are calling from?", 3.4, 0.79),
    ("user", "Yes please.", 0.8, 0.7),
    ("book_slot", "", 0.9, 0.4),
    (
        "assistant",
        "Done: today between four and six, and the driver rings you. Anything else?",
        4.3,
        1.62,
    ),
    ("user", "No, that's lovely. Thank you!", 1.7, 0.8),
    ("assistant", "You're welcome. Have a good day, Mrs Keane.", 2.4, 0.68),
]
_TOOLS: dict[str, Body] = {
    "find_parcel": {
        "arguments": {"number": "42719"},
        "result": {"at": "Leith depot", "since": "06:04", "weightKg": 2.4},
    },
    "depot_slots": {
        "arguments": {"depot": "Leith", "day": "today"},
        "error": "the depot's calendar answered after 2 s, tried once more",
    },
    "book_slot": {
        "arguments": {"parcel": "42719", "from": "16:00", "to": "18:00", "ring": True},
        "result": {"booked": True, "reference": "L-8831"},
    },
}


def parcel_call(started: datetime, recording_url: str | None = None) -> Body:
    """A voice call with figures of its latency, an interruption, tools, silences."""
    turns, marks, at = [], [], 0.0
    for who, text, seconds, wait in _STORY:
        start = round(at + wait, 2)
        end = round(start + seconds, 2)
        index = len(turns)
        if who in _TOOLS:
            content = json.dumps({"name": who, **_TOOLS[who]}, separators=(",", ":"))
            turns.append(_turn("tool", content, start, end))
            continue  # the answer is timed from the words before it
        turns.append(_turn(who, text, start, end))
        if who == "assistant" and index:
            first, sound = round((wait - 0.31) * 0.68, 3), round((wait - 0.31) * 0.32, 3)
            latency = {"timeToFirstToken": first, "timeToFirstByte": sound, "endToEnd": wait}
            marks.append({"index": index, "latency": latency})
            if text.endswith("and"):
                marks[-1]["interrupted"] = True
        elif who == "user":
            latency = {"endOfTurn": 0.31, "transcription": 0.14}
            marks.append({"index": index, "confidence": 0.97, "latency": latency})
        at = end
    call: Body = {
        "externalId": "AJ_7hT2mWq9xKpc",
        "startedAt": _text(started),
        "durationSeconds": round(at + 0.9, 1),
        "endedReason": "customer-ended-call",
        "cost": 0.0871,
        "customer": {"number": "+441315550142", "name": "Moira Keane"},
    }
    if recording_url:
        call["recordingUrl"] = recording_url
    return {
        "call": call,
        "agent": {"externalId": "parcels", "name": "Harbour Parcels"},
        "version": "2026.11.3",
        "systemPrompt": PROMPT,
        "transcript": {"turns": turns},
        "metadata": {
            "livekit": {"room": "parcels-7f3a", "sip": {"direction": "inbound"}},
            "zelto": {"turns": marks},
        },
    }


def chat(number: int, started: datetime) -> Body:
    """A text conversation: no times at all."""
    said = [
        ("user", "Do you ship to Iceland?"),
        ("assistant", "We do, within six working days. Shall I send you the prices?"),
        ("user", "Yes please, for something of about three kilos."),
        ("assistant", "Up to five kilos it is 18.40, with tracking. You can pay at any depot."),
        ("user", "Perfect, thanks."),
    ]
    return {
        "call": {
            "externalId": f"chat-{number:04d}",
            "startedAt": _text(started),
            "endedReason": "customer-ended-call",
            "cost": 0.0034,
            "customer": {"name": "Jonas Lindqvist"},
        },
        "agent": {"externalId": "web-chat", "name": "Web chat"},
        "version": "chat-12",
        "transcript": {"turns": [{"role": role, "content": text} for role, text in said]},
        "metadata": {"channel": "text"},
    }


_NAMES = [
    *("Priya Nair", "Tom Ashworth", "Lena Fischer", "Ray Okafor", "Sofia Marino", "Greta Holm"),
    *("Will Chen", "Aoife Byrne", "Marcus Webb", "Hana Suzuki", "Dee Laurent", "Nils Berg"),
    *("Carla Reyes", "Ivan Petrov", "Ruth Abara", "Theo Klein"),
]
_AGENTS = {"livekit": ("parcels", "Harbour Parcels"), "zelto": ("dental", "Dental desk")}
_ENDINGS = ["customer-ended-call"] * 7 + ["agent-ended-call"] * 3 + ["silence-timed-out"]
_VERSIONS = [("2026.10.9", 74.0, 0.094), ("2026.11.1", 66.0, 0.088), ("2026.11.3", 52.0, 0.079)]


def many(count: int, now: datetime, *, seed: int = 7) -> list[tuple[str, Body]]:
    """Short calls of several agents and versions, oldest first, as (provider, body)."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    made = []
    for number in range(count):
        started = now - timedelta(minutes=7 * (count - number))
        version, seconds, cost = _VERSIONS[min(2, 3 * number // count)]
        provider = chance.choice(["livekit", "livekit", "zelto"])
        agent = (
            ("parcels", "Harbour Parcels") if provider == "livekit" else ("dental", "Dental desk")
        )
        length = round(chance.lognormvariate(math.log(seconds), 0.5), 1)
        turns = [
            _turn("assistant", "Good morning, what can I do for you?", 0.4, 2.6),
            _turn("user", "I would like to change my appointment.", 3.4, 5.9),
            _turn("assistant", "Certainly. Which day suits you?", 6.9, 8.8),
        ]
        name = chance.choice(_NAMES)
        call = {
            "externalId": f"AJ_{chance.getrandbits(48):012x}",
            "startedAt": _text(started),
            "durationSeconds": length,
            "endedReason": chance.choice(_ENDINGS),
            "cost": round(cost * length / seconds, 4),
            "customer": {"name": name, "number": f"+4420755501{chance.randrange(100):02d}"},
        }
        body = {
            "call": call,
            "agent": {"externalId": agent[0], "name": agent[1]},
            "version": version if agent[0] == "parcels" else f"desk-{8 + 2 * number // count}",
            "transcript": {"turns": turns * chance.randrange(1, 4)},
        }
        made.append((provider, body))
    return made


PROBLEMS: list[tuple[str, bytes]] = [
    (
        "zelto",
        json.dumps(
            {
                "call": {"externalId": "dial-2210", "endedReason": "customer-did-not-answer"},
                "agent": {"externalId": "dental", "name": "Dental desk"},
            }
        ).encode(),
    ),
    (
        "livekit",
        json.dumps(
            {
                "call": {"externalId": "AJ_negative", "durationSeconds": -4, "cost": "0.02"},
                "agent": {"name": "Harbour Parcels"},
                "transcript": {"turns": [{"role": "caller", "content": "Hello?"}]},
            }
        ).encode(),
    ),
    (
        "zelto",
        json.dumps(
            {
                "call": {"externalId": "conv-9917"},
                "agentId": "0b9e7a52-6f0e-4a7c-9a53-2f4f1f6f0d11",
                "transcript": {"turns": [{"role": "user", "content": "Is anybody there?"}]},
            }
        ).encode(),
    ),
    ("livekit", b'{"call": {"externalId": "AJ_cut", "cost": NaN'),
]


def sound(body: Body) -> bytes:
    """A WAV of what two voices might sound like, at the times of the turns."""
    chance = random.Random(3)  # noqa: S311 - nothing secret
    length = body["call"]["durationSeconds"]
    samples = [0.0] * int(length * RATE)
    for turn in body["transcript"]["turns"]:
        if turn["role"] not in ("user", "assistant"):
            continue
        pitch = 190.0 if turn["role"] == "user" else 120.0
        at, end = int(turn["startSeconds"] * RATE), int(turn["endSeconds"] * RATE)
        while at < end:
            syllable = int(chance.uniform(0.09, 0.24) * RATE)
            loud, tone = chance.uniform(0.25, 0.95), pitch * chance.uniform(0.85, 1.2)
            for step in range(min(syllable, end - at, len(samples) - at)):
                shape = math.sin(math.pi * step / syllable) ** 1.5
                phase = 2 * math.pi * tone * step / RATE
                voice = math.sin(phase) + 0.5 * math.sin(2 * phase) + 0.25 * math.sin(3 * phase)
                samples[at + step] += 0.4 * loud * shape * voice
            at += syllable + int(chance.choice([0.01, 0.02, 0.02, 0.16]) * RATE)
    quiet = b"".join(
        int(max(-1.0, min(1.0, each)) * 30_000).to_bytes(2, "little", signed=True)
        for each in samples
    )
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(quiet)
    return out.getvalue()


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def _turn(role: str, content: str, start: float, end: float) -> Body:
    return {"role": role, "content": content, "startSeconds": start, "endSeconds": end}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
