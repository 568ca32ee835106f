"""Recordings at Twilio, which only those with its credential can fetch."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from zelto_agents.recording._answers import Hopeless, NotYet, Unresolved
from zelto_agents.recording._files import written_durably
from zelto_agents.recording._web import Service, Web, needed

__all__ = ["Elsewhere", "download"]

_SID = re.compile(r"RE[0-9a-fA-F]{32}")
_UNFINISHED = ("in-progress", "paused", "stopped", "processing")
_BLOCK = 256 * 1024  # bytes


class Elsewhere(Exception):  # noqa: N818 - a place, not an error
    """The recording was stored in a bucket of the customer's, at ``location``."""

    def __init__(self, location: str) -> None:
        super().__init__("the recording is in the customer's own bucket")
        self.location = location


async def download(
    web: Web, base_url: str, environ: Mapping[str, str], sid: str, path: Path
) -> None:
    """Fetch a recording into a file, once it is complete.

    Raises:
        Elsewhere: it is not at Twilio.
        Unresolved: it is not complete, cannot be fetched, or never will be.
    """
    if not _SID.fullmatch(sid):
        raise Unresolved(Hopeless("a recording's SID at Twilio is RE and 32 hexadecimal digits"))
    account, token = needed(environ, "Twilio", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
    if await anyio.Path(path).exists():  # it was fetched before, and could not be uploaded
        return
    basic = base64.b64encode(f"{account}:{token}".encode()).decode()
    service = Service(
        "Twilio",
        base_url,
        "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
        {"Authorization": f"Basic {basic}"},
    )
    resource = f"/2010-04-01/Accounts/{account}/Recordings/{sid}"
    recording = await web.ask(service, f"{resource}.json")
    channels = _completed(recording, base_url)
    # Both sides of the call apart, where they were recorded so.
    params = {"RequestedChannels": channels} if channels > 1 else {}
    async with web.stream(service, f"{resource}.wav", None, **params) as response:
        if response.status_code == 404:
            raise Unresolved(NotYet("the audio is not at Twilio yet"))
        try:
            await anyio.Path(path.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
            with written_durably(path) as file:
                async for block in response.aiter_bytes(_BLOCK):
                    await anyio.to_thread.run_sync(file.write, block)
                await anyio.to_thread.run_sync(_sync, file)
        except OSError as fault:
            why = f"the recording cannot be written to {path.parent} ({fault.strerror})"
            raise Unresolved(NotYet(why)) from None


def _sync(file: BinaryIO) -> None:
    """What takes long of closing it, to be done in a thread."""
    file.flush()
    os.fsync(file.fileno())


def _completed(recording: dict[str, Any] | None, base_url: str) -> int:
    """How many channels a recording has that can be fetched."""
    if recording is None:
        why = "Twilio has no such recording in this account: it was deleted, or is another's"
        raise Unresolved(NotYet(why))
    status = recording.get("status")
    if status in _UNFINISHED:
        raise Unresolved(NotYet(f"the recording at Twilio is {status}"))
    if status != "completed":
        code = recording.get("error_code")
        why = f"the recording at Twilio is {status}" + (f" (error {code})" if code else "")
        raise Unresolved(Hopeless(why))
    media = str(recording.get("media_url") or "")
    host = urlsplit(media).hostname or ""
    if host and host != urlsplit(base_url).hostname and not host.endswith(".twilio.com"):
        raise Elsewhere(media)
    try:
        return int(recording.get("channels") or 1)
    except (TypeError, ValueError):
        return 1
