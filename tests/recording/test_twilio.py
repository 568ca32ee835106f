"""Twilio's recordings are fetched with the account's credential, and uploaded like any file."""

from __future__ import annotations

import base64
import logging
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from recording.conftest import Look
from recording.servers import Answer, Request, S3Server, WebServer, said

ACCOUNT, TOKEN = "AC" + "0" * 32, "twilio-token"
SID = "RE" + "a1" * 16
RESOURCE = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{SID}"
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
SOUND = b"RIFF" + bytes(300_000)


@pytest.fixture
def look(look: Look, web: WebServer) -> Look:
    look.options["environ"] = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
    look.options["twilio_url"] = web.url
    return look


def twilio(web: WebServer, sound: Answer | None = None, **more: Any) -> None:
    """Lets the server answer as Twilio does, to those who have the credential."""
    recording = {
        "sid": SID,
        "account_sid": ACCOUNT,
        "status": "completed",
        "channels": 1,
        "duration": "12",
        "error_code": None,
        "media_url": f"{web.url}{RESOURCE}",
        **more,
    }

    def guarded(answer: Answer) -> Any:
        def respond(request: Request) -> Answer:
            wrong = request.headers["Authorization"] != BASIC
            return said({"code": 20003}, 401) if wrong else answer

        return respond

    web.resources[f"{RESOURCE}.json"] = guarded(said(recording))
    media = sound or (200, {"Content-Type": "audio/x-wav"}, SOUND)
    web.resources[f"{RESOURCE}.wav"] = guarded(media)


def test_one_that_is_complete_is_fetched_and_uploaded(
    look: Look, web: WebServer, s3: S3Server, bucket: str, folder: Path
):
    twilio(web)
    look.options["environ"] |= s3.environment
    found = look.found("twilio", SID, store=f"s3://{bucket}")
    answer = httpx.get(found.url, trust_env=False)
    assert (answer.content, answer.headers["content-type"]) == (SOUND, "audio/wav")
    assert found.becomes is not None
    assert found.becomes[0] == "object"
    assert not list(folder.iterdir())
    assert [request.query for request in web.requests] == ["", ""]


def test_both_channels_are_asked_for(look: Look, web: WebServer, tmp_path: Path):
    twilio(web, channels=2)
    look.found("twilio", SID, store=str(tmp_path / "served"), public_url="https://m.example.com")
    assert [request.query for request in web.requests] == ["", "RequestedChannels=2"]


def test_where_the_store_is_down_it_is_fetched_only_once(
    look: Look, web: WebServer, s3: S3Server, bucket: str, folder: Path
):
    twilio(web)
    look.options["environ"] |= s3.environment
    with s3.down():
        why = look.not_yet("twilio", SID, store=f"s3://{bucket}")
        assert why.endswith("does not answer")
    (kept,) = folder.iterdir()
    assert kept.read_bytes() == SOUND
    assert kept.stat().st_mode & 0o777 == 0o600
    look.found("twilio", SID, store=f"s3://{bucket}")
    assert len(web.requests) == 2
    assert not list(folder.iterdir())


def test_without_a_store_nothing_is_fetched(look: Look, web: WebServer):
    twilio(web)
    assert look.not_yet("twilio", SID).startswith("recordings have nowhere to go")
    assert not web.requests


@pytest.fixture
def served(look: Look, tmp_path: Path) -> Look:
    look.options |= {"store": str(tmp_path / "served"), "public_url": "https://m.example.com"}
    return look


@pytest.mark.parametrize("status", ["in-progress", "paused", "stopped", "processing"])
def test_one_that_is_not_complete_is_waited_for(served: Look, web: WebServer, status: str):
    twilio(web, status=status)
    assert served.not_yet("twilio", SID) == f"the recording at Twilio is {status}"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "deleted"}, "the recording at Twilio is deleted"),
        (
            {"status": "absent", "error_code": 16104},
            "the recording at Twilio is absent (error 16104)",
        ),
    ],
)
def test_one_that_never_will_be_is_hopeless(
    served: Look, web: WebServer, more: dict[str, Any], why: str
):
    twilio(web, **more)
    assert served.hopeless("twilio", SID) == why


def test_an_empty_one_is_hopeless(served: Look, web: WebServer):
    twilio(web, sound=(200, {}, b""))
    why = served.hopeless("twilio", SID)
    assert re.fullmatch(r"conv-42-[0-9a-f]{16}\.wav is empty", why)


def test_one_that_is_not_there_may_be_another_accounts(served: Look):
    assert served.not_yet("twilio", SID) == (
        "Twilio has no such recording in this account: it was deleted, or is another's"
    )


def test_audio_that_is_not_there_yet_is_waited_for(served: Look, web: WebServer):
    twilio(web, sound=(404, {}, b""))
    assert served.not_yet("twilio", SID) == "the audio is not at Twilio yet"


def test_a_wrong_token(served: Look, web: WebServer):
    twilio(web)
    served.options["environ"] |= {"TWILIO_AUTH_TOKEN": "wrong"}
    assert served.not_yet("twilio", SID) == (
        "Twilio refuses the credential (401): check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
    )


def test_no_credential(served: Look):
    assert served.not_yet("twilio", SID, environ={}) == (
        "Twilio cannot be asked: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN is not set"
    )


def test_a_download_that_breaks_off_leaves_nothing(served: Look, web: WebServer, folder: Path):
    twilio(web, sound=(200, {"Content-Length": str(2 * len(SOUND))}, SOUND))
    why = served.not_yet("twilio", SID)
    assert why == "Twilio gave no answer (RemoteProtocolError)"
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_to_is_said(served: Look, web: WebServer, folder: Path):
    twilio(web)
    folder.rmdir()
    folder.write_text("in the way")
    why = served.not_yet("twilio", SID)
    assert why == f"the recording cannot be written to {folder} (File exists)"


def test_the_credential_does_not_follow_a_redirect_to_elsewhere(
    served: Look, web: WebServer, tmp_path: Path
):
    with WebServer({"/a.wav": (200, {}, SOUND)}) as elsewhere:
        # To httpx, another port is another origin too.
        twilio(web, sound=(307, {"Location": f"{elsewhere.url}/a.wav"}, b""))
        served.found("twilio", SID)
        (request,) = elsewhere.requests
    assert request.headers["Authorization"] is None
    assert next((tmp_path / "served").iterdir()).read_bytes() == SOUND


def test_no_log_shows_where_a_redirect_leads(
    served: Look, web: WebServer, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    web.resources["/a.wav"] = (200, {}, SOUND)
    twilio(web, sound=(307, {"Location": f"{web.url}/a.wav?X-Amz-Signature=00ff"}, b""))
    served.found("twilio", SID)
    assert web.requests[-1].query == "X-Amz-Signature=00ff"
    assert "00ff" not in caplog.text
    httpx.get(f"{web.url}/a.wav?theirs", trust_env=False)
    assert "theirs" in caplog.text  # what others ask is theirs to log


def test_two_calls_with_one_recording_each_have_it(served: Look, web: WebServer, tmp_path: Path):
    twilio(web)
    urls = {served.found("twilio", SID, external_id=name).url for name in ("a", "b")}
    assert len(urls) == 2
    assert [path.read_bytes() for path in (tmp_path / "served").iterdir()] == [SOUND, SOUND]


def test_one_in_the_customers_own_bucket_is_signed_there(
    look: Look, web: WebServer, s3: S3Server, bucket: str
):
    (s3.folder_of(bucket) / "RE.wav").write_bytes(SOUND)
    twilio(web, media_url=f"https://{bucket}.s3.amazonaws.com/RE.wav")
    look.options["environ"] |= s3.environment
    found = look.found("twilio", SID, store=f"s3://{bucket}")
    assert found.becomes == ("object", "RE.wav")
    assert httpx.get(found.url, trust_env=False).content == SOUND


@pytest.mark.parametrize("sid", ["", "CA" + "0" * 32, "../Calls", f"{SID}/Transcriptions"])
def test_what_is_no_sid_is_hopeless(served: Look, web: WebServer, sid: str):
    why = "a recording's SID at Twilio is RE and 32 hexadecimal digits"
    assert served.hopeless("twilio", sid) == why
    assert not web.requests


def test_nobody_there(served: Look):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert served.not_yet("twilio", SID, twilio_url=url) == (
            "Twilio gave no answer (ConnectError)"
        )
