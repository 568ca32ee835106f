"""The receiver answers as its OpenAPI document says, whatever is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from zelto_agents.receiver import RunningReceiver

COMMAND = str(Path(sys.executable).with_name("schemathesis"))


def schemathesis(receiver: RunningReceiver, folder: Path, document: str, *options: str) -> None:
    done = subprocess.run(
        [
            COMMAND,
            "run",
            document,
            f"--url={receiver.url}",
            f"--header=Authorization: Bearer {receiver.key}",
            "--max-examples=15",
            "--generation-deterministic",
            "--continue-on-failure",
            "--no-color",
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.exhaustive
def test_every_route_keeps_to_its_document(receiver, body, tmp_path):
    headers = {"Authorization": f"Bearer {receiver.key}"}
    httpx.post(f"{receiver.url}/webhooks/calls", json=body(), headers=headers)
    receiver.wait_for("conv-1")
    document = f"{receiver.url}/openapi.json"
    # Which body is valid depends on the provider, which a schema cannot say.
    but = "--exclude-checks=positive_data_acceptance"
    schemathesis(receiver, tmp_path, document, "--checks=all", but)
    assert receiver.raw_count() > 100


def test_every_canonical_body_that_the_document_allows_is_accepted(receiver, tmp_path):
    document = httpx.get(f"{receiver.url}/openapi.json").json()
    upload = document["paths"]["/webhooks/calls"]["post"]
    canonical = {"$ref": "#/components/schemas/CallIngest"}
    upload["requestBody"]["content"]["application/json"] = {"schema": canonical}
    upload["parameters"] = []
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    schemathesis(
        receiver,
        tmp_path,
        "openapi.json",
        "--include-path=/webhooks/calls",
        "--phases=coverage,fuzzing",
        "--mode=positive",
        "--checks=not_a_server_error,positive_data_acceptance",
    )
    assert {each["status"] for each in receiver.deliveries()} == {200}
