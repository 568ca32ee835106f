"""Personal data as people say and type it, and where it must not be found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from zelto_agents import Settings, Zelto
from zelto_agents.receiver import RunningReceiver

PHONE = "+1 415 555 2671"
SAID = "(415) 555-2672"
BARE = "+14155552673"
EMAIL = "ada.lovelace@example.com"
SPELT = "ada dot byron at example dot com"
CARD = "4111 1111 1111 1111"
WORDS = (PHONE, SAID, BARE, EMAIL, SPELT, CARD)
# Enough of each to be known by, in whichever form it was kept.
NEEDLES = ("555 267", "555-267", "555267", "lovelace", "dot byron", "1111 1111", "11111111")
EVERYTHING = f"call {PHONE} or {SAID}, {BARE}; write to {EMAIL} or {SPELT}; I pay with {CARD}."


def redacting(settings: Settings, **more: Any) -> Settings:
    """These settings, with everything taken out."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    known: dict[str, Any] = {"redact": "phone,email,card", "api_key": key}
    known |= {"base_url": settings.base_url, "outbox": settings.outbox}
    return Settings.load({}, **(known | more))


def needles_in(*texts: str) -> set[str]:
    """Which of the needles are in these texts."""
    return {needle for needle in NEEDLES for text in texts if needle in text}


def on_disk(folder: Path) -> str:
    """Every file of an outbox, byte for byte, the write-ahead log among them."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files
    return "\n".join(path.read_bytes().decode("latin-1") for path in files)


def received(receiver: RunningReceiver) -> str:
    """Its raw log, and all that its page is told."""
    receiver.wait_until_ingested()
    texts = [(receiver.raw_body(one["id"]) or b"").decode() for one in receiver.deliveries()]
    with httpx.Client(base_url=receiver.url, trust_env=False) as http:
        listed = http.get("/page/conversations").json()["data"]
        assert listed
        paths = ["conversations", "problems", "log", "facets", "agents", "counts"]
        paths += [f"conversations/{one['id']}" for one in listed]
        paths += [f"deliveries/{one['id']}" for one in receiver.deliveries()]
        paths += [f"conversations?q={needle}" for needle in ("lovelace", "555 2671")]
        answers = [http.get(f"/page/{path}") for path in paths]
        texts += [answer.raise_for_status().text for answer in answers]
    return "\n".join(texts)


def document(receiver: RunningReceiver, external_id: str = "conv-1") -> dict[str, Any]:
    """What the receiver was sent last of a call."""
    receiver.wait_until_ingested()
    last = receiver.deliveries(external_id)[-1]
    sent: dict[str, Any] = json.loads(receiver.raw_body(last["id"]) or b"")
    return sent


def arrived(zelto: Zelto) -> bool:
    """Wait until all that was told is durable and at the receiver."""
    return zelto.flush(20)
