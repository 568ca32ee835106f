"""The tests of the LiveKit plugin against several versions of livekit-agents.

    python tests/matrix.py VERSION... -- PYTEST_ARGUMENT...

Each version has an environment in ``.tools/matrix``, with everything as in ``uv.lock`` but for what
that version cannot live with. ``make test-matrix`` installs uv and calls this. Exit code 1 if a test
failed with any version, or none ran.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
HOME = ROOT / ".tools" / "matrix"
LOCK = ROOT / "uv.lock"
# What the environment is made from; when one of these changes, it is made anew.
SOURCES = (LOCK, ROOT / "pyproject.toml", ROOT / "plugins/livekit/pyproject.toml", Path(__file__))
# `uv pip` would take UV_PYTHON for the environment to change, whatever VIRTUAL_ENV says.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("UV_PYTHON", "VIRTUAL_ENV", "PYTHONPATH")
}


@dataclass(frozen=True)
class Outcome:
    """What came of the tests with one version; ``fault`` says why there are no figures."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether tests ran and none failed."""
        return not self.fault and self.passed > 0 and self.failed == 0

    def __str__(self) -> str:
        return self.fault or f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def uv(*arguments: str | Path) -> str:
    """Run uv; return what it printed."""
    done = subprocess.run(
        [UV, *arguments], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def locked() -> tuple[str, str]:
    """The lock file's version of livekit-agents, and the moment of its newest upload."""
    text = LOCK.read_text()
    found = re.search(r'^name = "livekit-agents"\nversion = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    return found[1], max(re.findall(r'upload-time = "([^"]+)"', text))


def numbers(version: str) -> list[int]:
    """The version, to be compared."""
    return [int(number) for number in re.findall(r"\d+", version)]


def requirements(version: str, home: Path) -> Path:
    """Resolve the version with the pins of the lock file, which uv keeps wherever it can."""
    everything = ("--all-packages", "--group", "dev", "--no-emit-workspace", "--no-hashes")
    pins = uv("export", "--quiet", "--frozen", "--no-header", "--no-annotate", *everything)
    wanted, resolved = home / "wanted.txt", home / "resolved.txt"
    wanted.write_text(f"livekit-agents=={version}\n-e .\n-e plugins/livekit\n")
    # uv takes the pins that it finds in its output file for preferences
    resolved.write_text(re.sub(r"(?m)^livekit-agents==.*\n", "", pins))
    newest, moment = locked()
    # the index as it was then, so that it is the same tomorrow; a later release needs today's
    until = ("--exclude-newer", moment) if numbers(version) <= numbers(newest) else ()
    python = ("--python", sys.executable, "--group", "dev")
    uv("pip", "compile", "--quiet", *python, *until, wanted, "--output-file", resolved)
    return resolved


def environment(version: str) -> Path:
    """Make the version's environment, unless it is there; return its Python."""
    home = HOME / version
    python, stamp = home / "venv" / "bin" / "python", home / "made-from"
    sources = b"".join(source.read_bytes() for source in SOURCES) + sys.version.encode()
    state = hashlib.sha256(sources).hexdigest()
    if not (stamp.exists() and stamp.read_text() == state):
        home.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        resolved = requirements(version, home)
        uv("venv", "--quiet", "--clear", "--python", sys.executable, home / "venv")
        # each test of a job imports livekit-agents in several processes
        uv("pip", "sync", "--quiet", "--compile-bytecode", "--python", python, resolved)
        stamp.write_text(state)
    return python


def play(version: str, arguments: list[str]) -> Outcome:
    """Run the tests with one version; their output goes to ours."""
    print(f"--- livekit-agents {version}", flush=True)
    try:
        python = environment(version)
    except subprocess.CalledProcessError:
        return Outcome(fault="could not be installed")
    report = HOME / version / "report.xml"
    report.unlink(missing_ok=True)
    options = ("-q", "-p", "no:cacheprovider", f"--junitxml={report}")
    done = subprocess.run(
        [python, "-m", "pytest", *options, *arguments], cwd=ROOT, env=ENVIRONMENT, check=False
    )
    if not report.exists():
        return Outcome(fault=f"pytest ended with exit code {done.returncode}")
    return counted(report)


def counted(report: Path) -> Outcome:
    """The figures of a JUnit report."""
    suites = ET.parse(report).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return Outcome(max(0, total - failed - skipped), failed, skipped)


def main(arguments: list[str]) -> int:
    """Play every version, then print one line for each."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    versions, rest = arguments[:cut], arguments[cut + 1 :]
    outcomes = {version: play(version, rest) for version in versions}
    print("\nlivekit-agents")
    for version, outcome in outcomes.items():
        print(f"{version}: {outcome}")
    return 0 if outcomes and all(outcome.good for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
