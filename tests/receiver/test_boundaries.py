"""The receiver knows the contract and the samples alone; nobody pays for it unasked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import zelto_agents.receiver

SOURCES = sorted(Path(zelto_agents.receiver.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_of_the_package_only_the_contract_and_the_samples_are_imported(source):
    tree = ast.parse(source.read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    ours = {name for name in imported if name.split(".")[0] == "zelto_agents"}
    known = {"zelto_agents.contract", "zelto_agents.samples"}
    assert all(name in known or "receiver" in name for name in ours)


@pytest.mark.parametrize("module", ["zelto_agents", "zelto_agents.cli"])
def test_importing_the_package_or_the_command_does_not_load_the_server(module):
    code = f"import {module}, sys; print([m for m in ('fastapi', 'uvicorn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_nothing_of_a_body_or_a_key_is_logged(receiver, send, body, caplog):
    caplog.set_level("DEBUG")
    secret = "my number is 5550100"
    send(body(transcript={"turns": [{"role": "user", "content": secret}]}, agentId=None))
    send(f'{{"call": {{"externalId": 7, "endedReason": "{secret}"}}}}'.encode())
    assert secret not in caplog.text
    assert receiver.key not in caplog.text
