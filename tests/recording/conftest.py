"""A bucket of a real server, and recordings to put into it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recording.servers import S3Server, WebServer, missing
from zelto_agents.recording import Found, Hopeless, Kind, NotYet, Resolver

DAY = 86_400.0


@pytest.fixture(autouse=True)
def no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test uses a real account."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "LIVEKIT_", "TWILIO_", "DAILY_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, and this process knows of it: obstore reads the environment itself."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where recordings wait, next to an outbox."""
    folder = tmp_path / "outbox" / "recordings"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def recording(folder: Path) -> Path:
    path = folder / "call.wav"
    path.write_bytes(b"RIFF" + bytes(1000))
    return path


class Look:
    """Looks for recordings, each time with a resolver of its own, as another process would."""

    def __init__(self, folder: Path) -> None:
        self.options: dict[str, Any] = {
            "store": None,
            "public_url": None,
            "folder": folder,
            "url_life": 7 * DAY,
        }

    def __call__(
        self, kind: Kind, reference: object, external_id: str = "conv-42", **options: Any
    ) -> Found | NotYet | Hopeless:
        async def look() -> Found | NotYet | Hopeless:
            resolver = Resolver(**{**self.options, **options})
            try:
                return await resolver.resolve(kind, str(reference), external_id)
            finally:
                await resolver.aclose()

        return asyncio.run(look())

    def found(self, kind: Kind, reference: object, **options: Any) -> Found:
        """The URL that must be there."""
        answer = self(kind, reference, **options)
        assert isinstance(answer, Found), answer.why
        return answer

    def not_yet(self, kind: Kind, reference: object, **options: Any) -> str:
        """Why there is none yet."""
        answer = self(kind, reference, **options)
        assert isinstance(answer, NotYet), answer
        return answer.why

    def hopeless(self, kind: Kind, reference: object, **options: Any) -> str:
        """Why there never will be one."""
        answer = self(kind, reference, **options)
        assert isinstance(answer, Hopeless), answer
        return answer.why


@pytest.fixture
def look(folder: Path) -> Look:
    return Look(folder)
