"""Recordings that LiveKit's egress makes: asked for, or told of by its webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from zelto_agents._frozen import frozen
from zelto_agents.recording._answers import Hopeless, NotYet, Unresolved
from zelto_agents.recording._web import Service, Web, needed, shortened

__all__ = ["EgressEnded", "Egresses", "WebhookError", "egress_ended"]

_PATH = "/twirp/livekit.Egress/ListEgress"
_VARIABLES = "LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
_STATUSES = ("STARTING", "ACTIVE", "ENDING", "COMPLETE", "FAILED", "ABORTED", "LIMIT_REACHED")
_UNFINISHED = _STATUSES[:3]
_TOKEN_LIFE = 300
_PAGES = 20
_LEEWAY = 60.0  # seconds between two clocks
# One that was started is listed at once, and forgotten a day after its end.
_MISSING_FOR = 600.0
_LISTED_FOR = 86_400.0
_MAX_TOLD = 1000


class WebhookError(ValueError):
    """A webhook's body does not come from whoever has the secret; its text says what is wrong."""


@frozen
class EgressEnded:
    """What LiveKit's webhook said of an egress that came to its end.

    Attributes:
        room: the room's name.
        egress_id: the egress's id, ``EG_...``.
        location: where its file is; None: there is none, and ``error`` says why.
        error: what went wrong; empty when nothing did.
    """

    room: str
    egress_id: str
    location: str | None
    error: str


class Egresses:
    """Asks LiveKit for the egresses of a room.

    Args:
        web: the connections.
        environ: the variables with the server's address and key.
    """

    def __init__(self, web: Web, environ: Mapping[str, str]) -> None:
        self._web = web
        self._environ = environ
        self._missed: dict[str, float] = {}

    async def location(self, reference: str) -> str:
        """Where the file of an egress is, once it is complete.

        Args:
            reference: a JSON object with ``egress``, or with ``room``, ``sid``, ``after`` and
                ``until``.

        Raises:
            Unresolved: it is not complete, or never will be.
        """
        wanted = _wanted(reference)
        items = [item for item in await self._listed(wanted) if _within(item, wanted)]
        if not items:
            raise Unresolved(self._missing(reference, wanted))
        self._missed.pop(reference, None)
        # One that began with the call or after it is the call's; one from before may be.
        after = wanted.get("after") or 0.0
        # One that has not begun yet may have been asked for by this call.
        items.sort(key=lambda item: abs((_seconds(item, "started_at") or after) - after))
        for item in items:
            if _status(item) in _UNFINISHED:  # one further away may be another call's
                raise Unresolved(NotYet("the egress is not over yet"))
            if _status(item) == "COMPLETE" and (found := _file(item)):
                return found
        raise Unresolved(Hopeless(_why(items[-1])))

    async def _listed(self, wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        service = self._service()
        body: dict[str, Any] = {}
        if wanted.get("egress"):
            body["egress_id"] = wanted["egress"]
        if wanted.get("room"):
            body["room_name"] = wanted["room"]
        items: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            page = await self._web.ask(service, _PATH, body)
            if page is None:
                raise Unresolved(NotYet("there is no egress API at LIVEKIT_URL: check it"))
            items += [item for item in page.get("items") or [] if isinstance(item, dict)]
            following = _field(page, "next_page_token")
            if not isinstance(following, dict) or not following.get("token"):
                break
            body["page_token"] = following
        return items

    def _service(self) -> Service:
        import jwt

        url, key, secret = needed(
            self._environ, "LiveKit", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"
        )
        if url.startswith("ws"):
            url = url.replace("ws", "http", 1)
        if not url.startswith(("http://", "https://")):
            raise Unresolved(NotYet("LIVEKIT_URL is not a URL such as wss://example.livekit.cloud"))
        now = int(time.time())
        claims = {
            "iss": key,
            "nbf": now - 60,
            "exp": now + _TOKEN_LIFE,
            "video": {"roomRecord": True},
        }
        token = jwt.encode(claims, secret, algorithm="HS256")
        headers = {"Authorization": f"Bearer {token}"}
        return Service("LiveKit", url.rstrip("/"), _VARIABLES, headers)

    def _missing(self, reference: str, wanted: Mapping[str, Any]) -> NotYet | Hopeless:
        now = time.time()
        if len(self._missed) >= _MAX_TOLD:
            self._missed.clear()
        since = now - self._missed.setdefault(reference, now)
        if since > _MISSING_FOR or now - float(wanted.get("after") or now) > _LISTED_FOR:
            return Hopeless("LiveKit knows of no egress of this call: was one started?")
        return NotYet("LiveKit lists no egress of this call yet")


def _wanted(reference: str) -> dict[str, Any]:
    try:
        wanted = json.loads(reference)
        usable = bool(wanted.get("egress") or wanted.get("room"))
        for name in ("after", "until"):
            wanted[name] = None if wanted.get(name) is None else float(wanted[name])
    except (ValueError, TypeError, AttributeError):
        usable = False
    if not usable:
        why = 'an egress is named by a JSON object such as {"room": "...", "after": 1700000000}'
        raise Unresolved(Hopeless(why))
    return dict(wanted)


def _within(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Rooms are used again: what was over before the call, or began after it, is not its.

    The egress itself may have begun before the call's agent came.
    """
    if wanted.get("egress"):
        return bool(_field(item, "egress_id") == wanted["egress"])
    room_id = _field(item, "room_id")
    if wanted.get("sid") and room_id and room_id != wanted["sid"]:
        return False
    ended, started = _seconds(item, "ended_at"), _seconds(item, "started_at")
    after, until = wanted.get("after"), wanted.get("until")
    early = after is not None and 0 < ended < after
    return not early and not (until is not None and started > until)


def _field(item: Mapping[str, Any], name: str) -> Any:
    """Servers write protobuf's JSON with either kind of names."""
    head, *rest = name.split("_")
    return item.get(name, item.get(head + "".join(word.title() for word in rest)))


def _seconds(item: Mapping[str, Any], name: str) -> float:
    try:
        return int(_field(item, name) or 0) / 1e9
    except (TypeError, ValueError):
        return 0.0


def _status(item: Mapping[str, Any]) -> str:
    """Without ``EGRESS_``; what is not written is the first one, as protobuf has it."""
    status = _field(item, "status") or 0
    if isinstance(status, int):
        return _STATUSES[status] if 0 <= status < len(_STATUSES) else str(status)
    return str(status).removeprefix("EGRESS_")


def _file(item: Mapping[str, Any]) -> str | None:
    files = _field(item, "file_results") or [_field(item, "file")]
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict) and (location := _field(file, "location")):
            return str(location)
    return None


def _why(item: Mapping[str, Any]) -> str:
    status = _status(item)
    if status == "COMPLETE":
        segments = _field(item, "segment_results") or _field(item, "segments")
        kind = "segments (HLS)" if segments else "no file"
        return f"the egress wrote {kind}: start it with a file output"
    error = shortened(_field(item, "error"))
    return f"the egress ended as {status}" + (f": {error}" if error else "")


def egress_ended(
    body: bytes | str, authorization: str | None, *, api_key: str, api_secret: str
) -> EgressEnded | None:
    """What a webhook of LiveKit's says, if it is about the end of an egress; None if it is not.

    Args:
        body: the request's body as it came, not parsed.
        authorization: the request's ``Authorization`` header.
        api_key: LiveKit's key, which the webhook is signed with.
        api_secret: its secret.

    Raises:
        WebhookError: it is not signed with this key, or is not what was signed.
        ImportError: the extra ``recording`` is not installed.
    """
    if isinstance(body, str):
        body = body.encode(errors="surrogatepass")
    if not isinstance(body, bytes | bytearray):
        raise WebhookError("hand over the webhook's body as it came, not parsed")
    signed = _signed(authorization, api_key, api_secret)
    if not hmac.compare_digest(signed, hashlib.sha256(body).digest()):
        raise WebhookError("the webhook's body is not the one that was signed")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise WebhookError("the webhook's body is not a JSON object")
    item = _field(told, "egress_info")
    if told.get("event") != "egress_ended" or not isinstance(item, dict):
        return None
    location = _file(item) if _status(item) == "COMPLETE" else None
    room, egress_id = _field(item, "room_name"), _field(item, "egress_id")
    error = "" if location else _why(item)
    return EgressEnded(str(room or ""), str(egress_id or ""), location, error)


def _signed(authorization: object, api_key: str, api_secret: str) -> bytes:
    """The digest of the body that was signed."""
    import jwt

    if not (api_key and api_secret):
        raise WebhookError(
            "the webhook cannot be checked: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        )
    header = authorization if isinstance(authorization, str) else ""
    try:
        claims = jwt.decode(
            header.strip().removeprefix("Bearer ").strip(),
            api_secret,
            algorithms=["HS256"],
            issuer=api_key,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss"]},
        )
    except Exception as fault:  # noqa: BLE001 - anybody may send anything, and jwt raises anything
        why = f"the webhook is not signed with this key ({type(fault).__name__})"
        raise WebhookError(why) from None
    try:
        return base64.b64decode(str(claims.get("sha256", "")), validate=True)
    except ValueError:
        raise WebhookError("the webhook's token holds no digest") from None
