"""What LiveKit's webhook says is believed when it is signed, and only then."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import jwt
import pytest
from google.protobuf.json_format import MessageToJson
from livekit.api import AccessToken
from livekit.protocol.egress import EgressInfo, EgressStatus, FileInfo, SegmentsInfo
from livekit.protocol.webhook import WebhookEvent

from zelto_agents.recording import WebhookError, egress_ended

KEY, SECRET = "devkey", "s" * 32
SIGNED_WITH = {"api_key": KEY, "api_secret": SECRET}


def signed(body: bytes, key: str = KEY, secret: str = SECRET) -> str:
    """The header that LiveKit's server sends, made by LiveKit's own library."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return AccessToken(key, secret).with_sha256(digest).to_jwt()


def webhook(event: str = "egress_ended", **info: Any) -> bytes:
    """A body as LiveKit's server writes it."""
    known = {"egress_id": "EG_1", "room_name": "support", "status": EgressStatus.EGRESS_COMPLETE}
    told = WebhookEvent(
        event=event, id="EV_1", created_at=1, egress_info=EgressInfo(**known | info)
    )
    return MessageToJson(told, indent=None).encode()


def test_a_recording_that_is_complete():
    body = webhook(file_results=[FileInfo(location="https://rec.s3.amazonaws.com/a.ogg")])
    ended = egress_ended(body, signed(body), **SIGNED_WITH)
    assert ended is not None
    assert (ended.room, ended.egress_id) == ("support", "EG_1")
    assert (ended.location, ended.error) == ("https://rec.s3.amazonaws.com/a.ogg", "")


def test_a_recording_that_failed():
    body = webhook(status=EgressStatus.EGRESS_FAILED, error="no such bucket")
    ended = egress_ended(body, signed(body), **SIGNED_WITH)
    assert ended is not None
    assert (ended.location, ended.error) == (None, "the egress ended as FAILED: no such bucket")


def test_segments_are_no_file():
    body = webhook(segment_results=[SegmentsInfo(playlist_location="https://x/a.m3u8")])
    ended = egress_ended(body, signed(body), **SIGNED_WITH)
    assert ended is not None
    assert ended.location is None
    assert ended.error == "the egress wrote segments (HLS): start it with a file output"


@pytest.mark.parametrize("event", ["egress_started", "egress_updated", "room_finished"])
def test_what_is_about_something_else_is_none(event: str):
    body = webhook(event)
    assert egress_ended(body, signed(body), **SIGNED_WITH) is None


def test_a_bearer_is_understood():
    body = webhook("room_started")
    assert egress_ended(body, f"Bearer {signed(body)}", **SIGNED_WITH) is None


def test_another_secret_is_refused():
    body = webhook()
    with pytest.raises(WebhookError, match=r"not signed with this key \(InvalidSignatureError"):
        egress_ended(body, signed(body, secret="t" * 32), **SIGNED_WITH)


def test_another_key_is_refused():
    body = webhook()
    with pytest.raises(WebhookError, match=r"not signed with this key \(InvalidIssuerError"):
        egress_ended(body, signed(body, key="other"), **SIGNED_WITH)


def test_another_body_is_refused():
    with pytest.raises(WebhookError, match="the webhook's body is not the one that was signed"):
        egress_ended(webhook(egress_id="EG_2"), signed(webhook()), **SIGNED_WITH)


def test_a_token_for_something_else_is_refused():
    body = webhook()
    token = AccessToken(KEY, SECRET).with_identity("caller").to_jwt()
    with pytest.raises(WebhookError, match="the webhook's body is not the one that was signed"):
        egress_ended(body, token, **SIGNED_WITH)


def test_an_old_token_is_refused():
    body = webhook()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": KEY, "exp": int(time.time()) - 120, "sha256": digest}
    with pytest.raises(WebhookError, match="ExpiredSignatureError"):
        egress_ended(body, jwt.encode(claims, SECRET, algorithm="HS256"), **SIGNED_WITH)


def test_an_unsigned_token_is_refused():
    body = webhook()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": KEY, "exp": int(time.time()) + 60, "sha256": digest}
    with pytest.raises(WebhookError, match="not signed with this key"):
        egress_ended(body, jwt.encode(claims, None, algorithm="none"), **SIGNED_WITH)


@pytest.mark.parametrize("header", [None, "", "Bearer", "a.b.c", "Bearer \N{SNOWMAN}", "\udcff"])
def test_no_token_at_all_is_refused(header: str | None):
    with pytest.raises(WebhookError, match="not signed with this key"):
        egress_ended(webhook(), header, **SIGNED_WITH)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", json.dumps("egress_ended").encode()])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes):
    with pytest.raises(WebhookError, match="not a JSON object"):
        egress_ended(body, signed(body), **SIGNED_WITH)


def test_a_body_that_was_decoded_meanwhile_is_understood():
    body = webhook(room_name="caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert egress_ended(body.decode(), signed(body), **SIGNED_WITH) == egress_ended(
        body, signed(body), **SIGNED_WITH
    )


def test_a_decoded_body_that_nobody_can_have_signed_is_refused():
    with pytest.raises(WebhookError, match="the webhook's body is not the one that was signed"):
        egress_ended("\ud800", signed(webhook()), **SIGNED_WITH)


def test_a_body_that_is_parsed_already_is_refused():
    body = webhook()
    with pytest.raises(WebhookError, match="body as it came, not parsed"):
        egress_ended(json.loads(body), signed(body), **SIGNED_WITH)


def test_a_secret_that_is_not_set_is_said():
    body = webhook()
    with pytest.raises(WebhookError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET"):
        egress_ended(body, signed(body), api_key=KEY, api_secret="")


STRANGE = [5, -50, True, "text", [5], {"odd": 5}]


@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize(
    "name", ["file_results", "file", "segment_results", "status", "error", "room_name"]
)
def test_strange_values_that_are_signed_raise_nothing_else(name: str, value: Any):
    info = {"egress_id": "EG_1", "room_name": "support", "status": "EGRESS_COMPLETE", name: value}
    body = json.dumps({"event": "egress_ended", "egress_info": info}).encode()
    ended = egress_ended(body, signed(body), **SIGNED_WITH)
    assert ended is not None
    assert (ended.egress_id, ended.location) == ("EG_1", None)


@pytest.mark.parametrize("digest", ["not base64", "\N{SNOWMAN}", "\ud800", 5, None])
def test_a_digest_that_is_none_is_refused(digest: Any):
    claims = {"iss": KEY, "exp": int(time.time()) + 60, "sha256": digest}
    with pytest.raises(WebhookError):
        egress_ended(webhook(), jwt.encode(claims, SECRET, algorithm="HS256"), **SIGNED_WITH)


def test_a_body_nested_too_deeply_is_refused():
    body = b"[" * 1_000_000
    with pytest.raises(WebhookError, match="not a JSON object"):
        egress_ended(body, signed(body), **SIGNED_WITH)
