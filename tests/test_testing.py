"""``zelto_agents.testing``: what users' own suites get, in a suite of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zelto_agents import Zelto
from zelto_agents.testing import ZeltoReceiver

README = Path(__file__).parents[1] / "README.md"
PLUGIN = 'pytest_plugins = ["zelto_agents.testing"]\n'


def suite(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """A suite of somebody else's, with no settings but those of their machine."""
    (folder / "conftest.py").write_text(PLUGIN)
    for number, test in enumerate(tests):
        (folder / f"test_{number}.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=folder,
        env=os.environ | {"ZELTO_ENABLED": "0", "ZELTO_BASE_URL": "https://zelto.invalid"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_readmes_example_runs(tmp_path: Path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    [example] = [block for block in blocks if "def test_" in block]
    done = suite(tmp_path, example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_each_test_has_a_receiver_and_a_shared_client_of_its_own(tmp_path: Path):
    test = """
from zelto_agents import Zelto


def talk(zelto_receiver):
    assert zelto_receiver.conversations() == []
    call = Zelto.shared().call("same", agent_id="a")
    call.turn("user", "Hi")
    call.end()
    zelto_receiver.wait_for_call("same")


def test_one(zelto_receiver):
    talk(zelto_receiver)


def test_two(zelto_receiver):
    talk(zelto_receiver)


def test_after_them():
    import os, threading
    assert os.environ["ZELTO_ENABLED"] == "0"
    assert [t.name for t in threading.enumerate() if "zelto" in t.name] == []
"""
    done = suite(tmp_path, test)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_call_that_does_not_come_is_told_with_what_came(zelto_receiver: ZeltoReceiver):
    with pytest.raises(TimeoutError, match="nothing came at all"):
        zelto_receiver.wait_for_call("mine", timeout=0.01)
    zelto_receiver.faults.add("swallow x1")
    zelto = Zelto()
    call = zelto.call("other", agent_id="a")
    call.turn("user", "a secret")
    call.end()
    zelto.flush(20)
    zelto_receiver.wait_until_ingested()
    with pytest.raises(TimeoutError) as late:
        zelto_receiver.wait_for_call("mine", timeout=0.01)
    assert "what came: other (failed: fault 1 on demand (swallow)" in str(late.value)
    assert "secret" not in str(late.value)


def test_an_attempt_that_a_fault_took_is_told_as_well(zelto_receiver: ZeltoReceiver):
    zelto_receiver.faults.add("400")
    zelto = Zelto()
    zelto.call("other", agent_id="a").end()
    zelto.flush(20)
    with pytest.raises(TimeoutError, match=re.escape("what came: other (fault 400)")):
        zelto_receiver.wait_for_call("other", timeout=0.01)
