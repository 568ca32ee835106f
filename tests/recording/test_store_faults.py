"""What somebody may still mend is not hopeless, and is said so that they can; no file is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recording.conftest import Look
from recording.servers import S3Server, free_port


def test_a_wrong_secret(look: Look, bucket: str, recording: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    why = look.not_yet("file", recording, store=f"s3://{bucket}")
    assert why == (
        f"call.wav cannot be uploaded: s3://{bucket} refuses the credential "
        "(SignatureDoesNotMatch): check AWS_... and what it may do (read, write)"
    )
    assert recording.exists()


def test_a_key_that_is_mended_uploads(
    look: Look, s3: S3Server, bucket: str, recording: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    look.not_yet("file", recording, store=f"s3://{bucket}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
    look.found("file", recording, store=f"s3://{bucket}")


def test_a_missing_bucket(look: Look, s3: S3Server, recording: Path):
    why = look.not_yet("file", recording, store="s3://nowhere/calls")
    create = "there is no s3://nowhere: create it, or correct ZELTO_RECORDINGS"
    assert why == f"call.wav cannot be uploaded: {create}"
    assert recording.exists()
    assert s3.url not in why


def test_an_object_of_a_missing_bucket_is_not_called_gone(look: Look, s3: S3Server):
    why = look.not_yet("object", "calls/a.wav", store="s3://nowhere")
    assert why.startswith("calls/a.wav cannot be read: there is no s3://nowhere")


def test_a_wrong_region(look: Look, bucket: str, recording: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    why = look.not_yet("file", recording, store=f"s3://{bucket}")
    assert why == (
        f"call.wav cannot be uploaded: s3://{bucket} is in another region: set AWS_REGION"
    )


def test_a_store_that_is_down_takes_the_file_when_it_is_back(
    look: Look, s3: S3Server, bucket: str, recording: Path
):
    with s3.down():
        why = look.not_yet("file", recording, store=f"s3://{bucket}")
        host = s3.url.removeprefix("http://")
        assert why == f"call.wav cannot be uploaded: {host} does not answer"
    look.found("file", recording, store=f"s3://{bucket}")
    assert not recording.exists()


def test_no_credential_at_all(look: Look, recording: Path, monkeypatch: pytest.MonkeyPatch):
    # On a machine outside of AWS, nobody answers there.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    why = look.not_yet("file", recording, store="s3://bucket")
    assert why == (
        "call.wav cannot be uploaded: there is no credential for s3://bucket: set AWS_..."
    )


def test_plain_http_to_another_machine_must_be_allowed(
    look: Look, recording: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.invalid:9000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    why = look.not_yet("file", recording, store="s3://bucket")
    assert why == (
        "the endpoint of S3 is plain http to another machine: use https, or set AWS_ALLOW_HTTP=true"
    )
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    why = look.not_yet("file", recording, store="s3://bucket")
    assert why == "call.wav cannot be uploaded: minio.invalid:9000 does not answer"


def test_nowhere_to_put_it(look: Look, recording: Path):
    assert look.not_yet("file", recording) == (
        "recordings have nowhere to go: set ZELTO_RECORDINGS to s3://bucket/prefix, gs://..., "
        "az://... or a folder"
    )
    assert recording.exists()


@pytest.mark.parametrize("store", ["gs://bucket", "az://container"])
def test_other_clouds_without_their_settings(
    look: Look, recording: Path, store: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(recording.parent))  # no credential of the user's own
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(recording.parent / "none.json"))
    why = look.not_yet("file", recording, store=store)
    assert why.startswith("it cannot be opened: ")
    assert recording.exists()


def test_without_the_extra_its_name_is_told(recording: Path):
    code = """
import asyncio, sys
sys.modules["obstore"] = sys.modules["jwt"] = None
from pathlib import Path
from zelto_agents.recording import Resolver

async def main():
    path = Path(sys.argv[1])
    environ = {"LIVEKIT_URL": "ws://127.0.0.1:9", "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"}
    resolver = Resolver(
        store="s3://b", public_url=None, folder=path.parent, url_life=60, environ=environ
    )
    print((await resolver.resolve("file", str(path), "a")).why)
    print((await resolver.resolve("livekit-egress", '{"room": "r"}', "a")).why)

asyncio.run(main())
"""
    command = [sys.executable, "-c", code, str(recording)]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    install = 'pip install "zelto-agents[recording]"'
    assert told == [f"s3://b needs an extra: {install}", f"an extra is missing: {install}"]


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, zelto_agents.recording as r, pathlib\n"
        "r.Resolver(store='s3://b', public_url=None, folder=pathlib.Path('.'), url_life=60)\n"
        "print(sorted({'obstore', 'jwt', 'httpx'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "[]\n"
