"""The README's code runs as it stands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment
from pipecat_zelto._collector import CallOptions
from zelto_agents.receiver import RunningReceiver
from zelto_agents.testing import ZeltoReceiver

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "plugins/livekit/README.md", "plugins/pipecat/README.md")
CODE = [
    (path, block)
    for path in READMES
    for block in re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(), re.DOTALL)
]
PROGRAMS = [(path, block) for path, block in CODE if "asyncio.run(" in block]
BLOCKS = [(path, block) for path, block in CODE if "\nwith " in block]


def test_there_is_code_to_run():
    assert [path for path, _ in BLOCKS] == ["README.md"]
    assert [path for path, _ in PROGRAMS] == ["plugins/livekit/README.md"]
    assert {path for path, _ in CODE} == set(READMES)


@pytest.mark.parametrize(("path", "block"), CODE, ids=[path for path, _ in CODE])
def test_all_code_is_python(path: str, block: str):
    compile(block, path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize(("path", "block"), CODE, ids=[path for path, _ in CODE])
def test_code_imports_the_modules_that_it_uses(path: str, block: str):
    nodes = list(ast.walk(ast.parse(block)))
    used = {
        n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    imported = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    assert used & sys.stdlib_module_names <= imported


def test_the_options_of_the_pipecat_readme_are_all_that_there_are():
    text = (ROOT / "plugins/pipecat/README.md").read_text()
    rows = re.findall(r"^\| (`\w+[`=].*?) \|", text.split("## What arrives")[0], re.MULTILINE)
    named = set(re.findall(r"`(\w+)", " ".join(rows)))
    assert named == set(CallOptions.__annotations__)


@pytest.mark.parametrize(("path", "block"), BLOCKS, ids=[path for path, _ in BLOCKS])
def test_a_snippet_delivers_its_call(path: str, block: str, zelto_receiver: ZeltoReceiver):
    subprocess.run([sys.executable, "-c", block], check=True, timeout=60)
    (external_id,) = re.findall(r'\.call\("([^"]+)"', block)
    turns = zelto_receiver.wait_for_call(external_id)["turns"]
    assert [turn["content"] for turn in turns] == re.findall(r'\.turn\("\w+", "([^"]+)"', block)


@pytest.mark.parametrize(("path", "block"), PROGRAMS, ids=[path for path, _ in PROGRAMS])
def test_the_first_call_arrives(path: str, block: str, receiver: RunningReceiver, tmp_path: Path):
    env = environment(tmp_path / "outbox", receiver.url, receiver.key)
    done = subprocess.run(
        [sys.executable, "-c", block],
        check=True,
        timeout=60,
        env=env,
        capture_output=True,
        text=True,
    )
    assert "sent (revision 1)" in done.stderr
    receiver.wait_until_ingested()
    (conversation,) = receiver.conversations()
    assert [turn["content"] for turn in conversation["turns"]] == ["Hello", "You said: Hello"]
