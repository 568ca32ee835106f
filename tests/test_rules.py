"""The rules of the house, as tests over the source."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "src" / "zelto_agents"
SOURCES = sorted([*CORE.rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
SOURCES = [path for path in SOURCES if ".venv" not in path.parts]
LOG_METHODS = {"debug", "info", "warning", "error", "critical", "exception"}

# The walk of the data; a module may import what stands at or before its own place.
ORDER = [
    {"contract", "guard", "_frozen", "cost", "_sampling", "_digits", "_telephone", "redaction"},
    {"_variables", "settings", "facts", "policy"},
    {"_turns", "_items"},
    {"fold"},
    {"_refused"},
    {"outbox", "uploader", "call"},
    {"_trouble", "_telemetry", "_redact", "_audio", "recording"},
    {"_enrich", "_living"},
    {"_adopt"},
    {"_drain", "_open", "_one", "_house"},
    {"_recordings", "_sending"},
    {"_work"},
    {"_delivery"},
    {"_telling", "_watch"},
    {"client"},
    {"__init__"},
    {"samples"},
    {"verify"},
    {"testing", "cli"},
]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def place(name: str) -> int:
    (found,) = [number for number, names in enumerate(ORDER) if name in names]
    return found


@pytest.mark.parametrize("path", [p for p in CORE.rglob("*.py") if "receiver" not in p.parts])
def test_imports_go_one_way(path: Path):
    own = path.relative_to(CORE).parts[0].removesuffix(".py")
    modules = {p.name.removesuffix(".py") for p in CORE.iterdir()}
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "zelto_agents" and len(parts) > 1 and parts[1] in modules - {own}:
            if own in ("cli", "testing") and parts[1] == "receiver":
                continue
            assert place(parts[1]) <= place(own), f"{own} imports {name}"


@pytest.mark.parametrize("path", sorted((CORE / "receiver").rglob("*.py")))
def test_the_receiver_knows_the_contract_and_the_samples_alone(path: Path):
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("zelto_agents.")}
    assert ours <= {"receiver", "contract", "samples"}


def test_the_samples_know_nothing():
    path = CORE / "samples" / "__init__.py"
    assert not [name for name in imports(path) if name.startswith("zelto_agents")]


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")))
def test_the_core_imports_no_framework(path: Path):
    assert not {name.split(".")[0] for name in imports(path)} & {"livekit", "pipecat"}


@pytest.mark.parametrize("path", SOURCES)
def test_the_environment_is_read_in_one_module(path: Path):
    if path == CORE / "settings.py":
        return
    source = path.read_text()
    assert "os.environ" not in source
    assert "getenv" not in source


@pytest.mark.parametrize("path", SOURCES)
def test_every_log_call_has_a_constant_text_and_no_traceback(path: Path):
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, method = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and owner.id == "logger" and method in LOG_METHODS:
            assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"
            assert not {keyword.arg for keyword in node.keywords} & {"exc_info"}
            assert method != "exception"


@pytest.mark.parametrize("path", SOURCES)
def test_all_names_what_exists(path: Path):
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            assert len(names) == len(set(names))


def test_the_public_names_are_these_and_exist():
    package = importlib.import_module("zelto_agents")
    assert package.__all__ == [
        "Call",
        "CallIngest",
        "Settings",
        "Zelto",
        "__version__",
        "adeliver",
        "deliver",
    ]
    assert all(hasattr(package, name) for name in package.__all__)


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return {name.split(".")[0] for name in json.loads(out.stdout)} | {
        name for name in json.loads(out.stdout) if name.startswith("zelto_agents")
    }


def test_importing_the_package_pulls_neither_receiver_nor_framework_nor_http():
    loaded = modules_after("import zelto_agents")
    heavy = {"livekit", "pipecat", "fastapi", "starlette", "uvicorn", "httpx", "typer", "rich"}
    heavy |= {"pytest", "zelto_agents.testing", "zelto_agents.verify"}
    assert not loaded & heavy
    assert not {
        name for name in loaded if name.startswith(("zelto_agents.receiver", "zelto_agents.cli."))
    }


def test_importing_starts_nothing():
    code = (
        "import threading, os; before = set(os.listdir('/proc/self/fd'))\n"
        "import livekit.agents; fds = set(os.listdir('/proc/self/fd')); threads = threading.active_count()\n"
        "import zelto_agents, livekit.plugins.zelto\n"
        "assert threading.active_count() == threads\n"
        "assert set(os.listdir('/proc/self/fd')) == fds\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_three_distributions_have_one_version():
    import tomllib

    versions = {
        tomllib.loads(path.read_text())["project"]["version"]
        for path in (
            ROOT / "pyproject.toml",
            ROOT / "plugins/livekit/pyproject.toml",
            ROOT / "plugins/pipecat/pyproject.toml",
        )
    }
    modules = {
        importlib.import_module(name).__version__
        for name in ("zelto_agents", "livekit.plugins.zelto", "pipecat_zelto")
    }
    assert versions == modules
    assert len(versions) == 1


def test_the_livekit_plugin_is_a_part_of_livekits_namespace():
    plugin = ROOT / "plugins" / "livekit" / "livekit"
    assert not (plugin / "__init__.py").exists()
    assert not (plugin / "plugins" / "__init__.py").exists()
    assert (plugin / "plugins" / "zelto" / "py.typed").exists()
