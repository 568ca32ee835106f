"""The tests of a plugin against several versions of its framework.

    python tests/matrix.py livekit|pipecat VERSION... -- PYTEST_ARGUMENT...

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
PACKAGES = {"livekit": "livekit-agents", "pipecat": "pipecat-ai"}
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


@dataclass(frozen=True)
class Release:
    """A version of a framework, and where what is tested with it is."""

    framework: str
    version: str

    def __str__(self) -> str:
        return f"{PACKAGES[self.framework]} {self.version}"

    @property
    def home(self) -> Path:
        """The folder of its environment."""
        return HOME / f"{self.framework}-{self.version}"

    @property
    def sources(self) -> bytes:
        """What the environment is made from; when it changes, it is made anew."""
        projects = (ROOT / "pyproject.toml", ROOT / "plugins" / self.framework / "pyproject.toml")
        known = b"".join(path.read_bytes() for path in (LOCK, *projects, Path(__file__)))
        return known + sys.version.encode()


def locked(package: str) -> tuple[str, str]:
    """The lock file's version of a package, and the moment of the newest upload of all."""
    text = LOCK.read_text()
    found = re.search(rf'^name = "{package}"\nversion = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    return found[1], max(re.findall(r'upload-time = "([^"]+)"', text))


def numbers(version: str) -> list[int]:
    """The version, to be compared."""
    return [int(number) for number in re.findall(r"\d+", version)]


def requirements(release: Release) -> Path:
    """Resolve the version with the pins of the lock file, which uv keeps wherever it can."""
    package, version = PACKAGES[release.framework], release.version
    everything = ("--all-packages", "--group", "dev", "--no-emit-workspace", "--no-hashes")
    pins = uv("export", "--quiet", "--frozen", "--no-header", "--no-annotate", *everything)
    wanted, resolved = release.home / "wanted.txt", release.home / "resolved.txt"
    wanted.write_text(f"{package}=={version}\n-e .\n-e plugins/{release.framework}\n")
    # uv takes the pins that it finds in its output file for preferences
    resolved.write_text(re.sub(rf"(?m)^{package}==.*\n", "", pins))
    newest, moment = locked(package)
    # the index as it was then, so that it is the same tomorrow; a later release needs today's
    until = ("--exclude-newer", moment) if numbers(version) <= numbers(newest) else ()
    python = ("--python", sys.executable, "--group", "dev")
    uv("pip", "compile", "--quiet", *python, *until, wanted, "--output-file", resolved)
    return resolved


def environment(release: Release) -> Path:
    """Make the version's environment, unless it is there; return its Python."""
    home = release.home
    python, stamp = home / "venv" / "bin" / "python", home / "made-from"
    state = hashlib.sha256(release.sources).hexdigest()
    if not (stamp.exists() and stamp.read_text() == state):
        home.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        resolved = requirements(release)
        uv("venv", "--quiet", "--clear", "--python", sys.executable, home / "venv")
        # each test of a job imports its framework in several processes
        uv("pip", "sync", "--quiet", "--compile-bytecode", "--python", python, resolved)
        stamp.write_text(state)
    return python


def play(release: Release, arguments: list[str]) -> Outcome:
    """Run the tests with one version; their output goes to ours."""
    print(f"--- {release}", flush=True)
    try:
        python = environment(release)
    except subprocess.CalledProcessError:
        return Outcome(fault="could not be installed")
    report = release.home / "report.xml"
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


def main(framework: str, arguments: list[str]) -> int:
    """Play every version, then print one line for each."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    releases, rest = [Release(framework, one) for one in arguments[:cut]], arguments[cut + 1 :]
    outcomes = {release: play(release, rest) for release in releases}
    print()
    for release, outcome in outcomes.items():
        print(f"{release}: {outcome}")
    return 0 if outcomes and all(outcome.good for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
