"""Every verb tells its exit codes and ends with two examples; the command tells its version."""

from __future__ import annotations

import os

import pytest

from commands import run
from zelto_agents import __version__

VERBS = [
    "drain",
    "doctor",
    "receiver",
    "keys mint",
    "keys list",
    "keys revoke",
    "send",
    "verify",
    "outbox list",
    "outbox show",
    "outbox retry",
    "outbox purge",
]
PLAIN = os.environ | {"COLUMNS": "200"}


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_with_exit_codes_and_two_examples(verb: str):
    done = run(*verb.split(), "--help", env=PLAIN)
    assert done.code == 0
    _, codes, rest = done.out.partition("Exit codes:")
    assert codes
    examples = [line for line in rest.partition("Examples:")[2].splitlines() if line.strip()]
    assert len(examples) == 2
    assert all(f"zelto-agents {verb}" in line for line in examples)
    assert "--json" in done.out


@pytest.mark.parametrize("verb", ["", "outbox", "keys"])
def test_a_command_that_only_groups_shows_its_verbs(verb: str):
    done = run(*verb.split(), env=PLAIN)
    names = [name.removeprefix(verb).strip() for name in VERBS if name.startswith(verb)]
    assert all(name.split()[0] in done.out + done.errors for name in names)


def test_the_version_is_told():
    assert run("--version", env=PLAIN) == (0, f"zelto-agents {__version__}\n", "")
