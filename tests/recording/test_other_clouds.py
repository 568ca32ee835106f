"""Google's and Azure's stores, as far as this side of the wire goes: the server is a stand-in."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from recording.conftest import DAY, Look
from recording.servers import Answer, Request, WebServer

ACCOUNT = "acct"


def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def google(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account.json"
    account.write_text(
        json.dumps(
            {
                "gcs_base_url": web.url,
                "client_email": "agent@example.com",
                "private_key": private_key(),
                "private_key_id": "1",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")


@pytest.fixture
def azure(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5LW9mLXRoZS1hY2NvdW50")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", web.url)
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")


class Bucket:
    """Holds one object, under whatever name it is put."""

    def __init__(self, web: WebServer, path: str) -> None:
        self.types: list[str] = []
        self.sound = b""
        web.resources[path] = self.respond

    def respond(self, request: Request) -> Answer:
        if request.method == "PUT":
            self.types.append(
                request.headers["x-ms-blob-content-type"] or request.headers["Content-Type"] or ""
            )
            self.sound = request.body
            return 201, {"ETag": '"1"'}, b""
        return 200, {"ETag": '"1"', "Last-Modified": formatdate(usegmt=True)}, self.sound


def uploaded(look: Look, web: WebServer, recording: Path, store: str) -> str:
    """The signed URL of a file that was uploaded; its expiry is checked by the caller."""
    from zelto_agents.recording._files import object_name

    sound = recording.read_bytes()
    path = f"/{store.partition('://')[2]}/{object_name(recording, 'conv-42')}"
    bucket = Bucket(web, path)
    before = int(time.time())
    found = look.found("file", recording, store=store)
    assert (bucket.sound, bucket.types) == (sound, ["audio/wav"])
    assert found.expires_at is not None
    assert before + 7 * DAY <= found.expires_at <= time.time() + 7 * DAY
    assert not recording.exists()
    return found.url


@pytest.mark.usefixtures("google")
def test_google_cloud_storage(look: Look, web: WebServer, recording: Path):
    url = uploaded(look, web, recording, "gs://bucket/calls")
    query = parse_qs(urlsplit(url).query)
    assert query["X-Goog-Expires"] == [str(int(7 * DAY))]
    assert query["X-Goog-Signature"]


@pytest.mark.usefixtures("azure")
def test_azure_blob_storage(look: Look, web: WebServer, recording: Path):
    url = uploaded(look, web, recording, "az://container/calls")
    query = parse_qs(urlsplit(url).query)
    assert (query["sp"], query["sr"]) == (["r"], ["b"])  # to read, one blob
    assert query["sig"]
