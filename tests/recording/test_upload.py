"""Files become objects of a bucket, and objects become URLs that anybody can fetch for a while."""

from __future__ import annotations

import re
import time
from calendar import timegm
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from recording.conftest import DAY, Look
from recording.servers import S3Server, WebServer
from zelto_agents.recording import Found


def test_a_file_is_uploaded_and_its_signed_url_can_be_fetched(
    look: Look, s3: S3Server, bucket: str, recording: Path
):
    sound = recording.read_bytes()
    found = look.found("file", recording, store=f"s3://{bucket}/calls/2026")
    answer = httpx.get(found.url, trust_env=False)
    assert (answer.status_code, answer.content) == (200, sound)
    assert answer.headers["content-type"] == "audio/wav"
    kind, key = found.becomes or ("", "")
    assert kind == "object"
    assert re.fullmatch(r"calls/2026/conv-42-[0-9a-f]{16}\.wav", key)
    assert (s3.folder_of(bucket) / key).read_bytes() == sound
    assert not recording.exists()


@pytest.mark.parametrize(("asked", "given"), [(600.0, 600), (30 * DAY, 7 * DAY)])
def test_the_url_says_when_it_expires(
    look: Look, bucket: str, recording: Path, asked: float, given: float
):
    before = int(time.time())
    found = look.found("file", recording, store=f"s3://{bucket}", url_life=asked)
    query = parse_qs(urlsplit(found.url).query)
    assert query["X-Amz-Expires"] == [str(int(given))]
    signed_at = timegm(time.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ"))
    assert found.expires_at is not None
    assert before + given <= found.expires_at <= signed_at + given <= time.time() + given


def test_an_expired_url_is_refused_and_the_object_gives_another(
    look: Look, bucket: str, recording: Path
):
    store = f"s3://{bucket}"
    found = look.found("file", recording, store=store, url_life=1.0)
    while time.time() <= (found.expires_at or 0) + 1:
        if httpx.get(found.url, trust_env=False).status_code == 403:
            break
    assert httpx.get(found.url, trust_env=False).status_code == 403
    assert found.becomes is not None
    again = look.found(*found.becomes, store=store)
    assert httpx.get(again.url, trust_env=False).status_code == 200
    assert again.becomes == found.becomes


def test_a_url_is_not_trusted_for_longer_than_a_lent_credential(
    look: Look, web: WebServer, monkeypatch: pytest.MonkeyPatch
):
    web.resources["/bucket/a.wav"] = (200, {"Last-Modified": formatdate(usegmt=True)}, b"RIFF")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "lent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", web.url)
    before = int(time.time())
    found = look.found("object", "a.wav", store="s3://bucket")
    assert found.expires_at is not None
    assert before + 300 <= found.expires_at <= time.time() + 300


def test_what_is_served_to_everybody_needs_no_signature(look: Look, bucket: str, recording: Path):
    options = {"store": f"s3://{bucket}/calls", "public_url": "https://cdn.example.com/audio"}
    found = look.found("file", recording, **options)
    assert found.becomes is not None
    name = found.becomes[1].removeprefix("calls/")
    assert (found.url, found.expires_at) == (f"https://cdn.example.com/audio/{name}", None)
    again = look.found(*found.becomes, **options)
    assert again.url == found.url


def test_a_file_of_many_parts_arrives_whole(look: Look, bucket: str, folder: Path):
    path = folder / "long.ogg"
    block = bytes(range(256)) * 4096
    path.write_bytes(block * 13)  # 13 MB: three parts, the last of them shorter
    found = look.found("file", path, store=f"s3://{bucket}")
    answer = httpx.get(found.url, trust_env=False)
    assert answer.headers["content-type"] == "audio/ogg"
    assert answer.content == block * 13


def test_a_file_that_is_somebody_elses_is_left_to_them(look: Look, bucket: str, tmp_path: Path):
    theirs = tmp_path / "theirs.mp3"
    theirs.write_bytes(b"ID3")
    look.found("file", theirs, store=f"s3://{bucket}")
    assert theirs.read_bytes() == b"ID3"


def test_an_id_that_no_key_may_hold_is_made_safe(look: Look, bucket: str, recording: Path):
    found = look.found(
        "file", recording, external_id="../Büro 7/+49 30?", store=f"s3://{bucket}/in"
    )
    assert found.becomes is not None
    assert re.fullmatch(r"in/B-ro-7-49-30-[0-9a-f]{16}\.wav", found.becomes[1])
    assert httpx.get(found.url, trust_env=False).status_code == 200


def test_ids_that_look_alike_when_safe_stay_apart(look: Look, bucket: str, folder: Path):
    keys = set()
    for external_id in ("a b", "a/b", "a-b"):
        (folder / "call.wav").write_bytes(external_id.encode())
        found = look.found(
            "file", folder / "call.wav", external_id=external_id, store=f"s3://{bucket}"
        )
        keys.add(found.becomes)
        assert httpx.get(found.url, trust_env=False).text == external_id
    assert len(keys) == 3


def test_a_file_that_was_uploaded_before_a_crash_is_found_again(
    look: Look, bucket: str, recording: Path
):
    store = f"s3://{bucket}"
    first = look.found("file", recording, store=store)
    assert not recording.exists()
    # Nobody could write down that it was found; the next process looks for the file once more.
    second = look.found("file", recording, store=store)
    assert isinstance(second, Found)
    assert second.becomes == first.becomes


def test_a_file_that_is_gone_is_hopeless(look: Look, bucket: str, folder: Path):
    why = look.hopeless("file", folder / "gone.wav", store=f"s3://{bucket}")
    assert why == "gone.wav is gone, and was not uploaded"


def test_an_empty_file_is_hopeless_and_not_kept(look: Look, bucket: str, recording: Path):
    recording.write_bytes(b"")
    assert look.hopeless("file", recording, store=f"s3://{bucket}") == "call.wav is empty"
    assert not recording.exists()


def test_a_folder_is_no_recording(look: Look, bucket: str, folder: Path):
    assert look.hopeless("file", folder, store=f"s3://{bucket}") == "recordings is not a file"


def test_an_object_that_is_gone_is_hopeless(look: Look, bucket: str):
    why = look.hopeless("object", "calls/gone.wav", store=f"s3://{bucket}")
    assert why == f"calls/gone.wav is not in s3://{bucket} any more"


def test_an_empty_object_is_hopeless(look: Look, s3: S3Server, bucket: str):
    (s3.folder_of(bucket) / "empty.wav").write_bytes(b"")
    why = look.hopeless("object", "empty.wav", store=f"s3://{bucket}")
    assert why == f"empty.wav in s3://{bucket} is empty"
