"""The README's code runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zelto_agents.receiver import RunningReceiver

ROOT = Path(__file__).parents[2]
BLOCKS = [
    (path, block)
    for path in ("README.md", "plugins/pipecat/README.md")
    for block in re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(), re.DOTALL)
    if "with " in block
]


def test_there_is_code_to_run():
    assert len(BLOCKS) == 2


@pytest.mark.parametrize(("path", "block"), BLOCKS, ids=[path for path, _ in BLOCKS])
def test_a_snippet_delivers_its_call(
    path: str, block: str, receiver: RunningReceiver, tmp_path: Path
):
    environment = os.environ | {
        "ZELTO_API_KEY": receiver.key or "",
        "ZELTO_BASE_URL": receiver.url,
        "ZELTO_OUTBOX": str(tmp_path / "outbox"),
    }
    subprocess.run([sys.executable, "-c", block], env=environment, check=True, timeout=60)
    (external_id,) = re.findall(r'\.call\("([^"]+)"', block)
    turns = receiver.wait_for(external_id)["turns"]
    assert [turn["content"] for turn in turns] == re.findall(r'\.turn\("\w+", "([^"]+)"', block)
