"""An upload that does not come to its end loses nothing, and begins again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from recording.conftest import Look
from recording.servers import S3Server
from zelto_agents.recording import Resolver

UPLOAD = """
import asyncio, pathlib, sys
from zelto_agents.recording import Resolver

path = pathlib.Path(sys.argv[1])
resolver = Resolver(store=sys.argv[2], public_url=None, folder=path.parent, url_life=60)
asyncio.run(resolver.resolve("file", str(path), "conv-42"))
"""


def test_a_process_that_is_killed_while_it_uploads(
    look: Look, s3: S3Server, bucket: str, recording: Path
):
    sound = os.urandom(60_000_000)
    recording.write_bytes(sound)
    command = [sys.executable, "-c", UPLOAD, str(recording), f"s3://{bucket}"]
    with subprocess.Popen(command) as process:
        # Its first parts are there, and none of them is an object yet.
        while not [path for path in s3.folder_of(bucket).rglob("*") if path.is_file()]:
            assert process.poll() is None
        process.kill()
    assert recording.read_bytes() == sound
    assert look.hopeless("object", "conv-42.wav", store=f"s3://{bucket}")
    found = look.found("file", recording, store=f"s3://{bucket}")
    assert httpx.get(found.url, trust_env=False).content == sound
    assert not recording.exists()


def test_an_upload_that_is_given_up_leaves_the_file(
    look: Look, s3: S3Server, bucket: str, recording: Path
):
    async def give_up() -> None:
        resolver = Resolver(**{**look.options, "store": f"s3://{bucket}"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve("file", str(recording), "conv-42"), 0.3)
        await resolver.aclose()

    with s3.frozen():
        asyncio.run(give_up())
    assert recording.exists()
    look.found("file", recording, store=f"s3://{bucket}")
