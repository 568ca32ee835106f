"""Settings: argument beats environment beats default, and nothing raises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zelto_agents.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[1]
BASE = {"HOME": "/root", "XDG_STATE_HOME": "/var/lib/state"}


def test_the_defaults_are_those_of_the_table():
    loaded = Settings.load({"XDG_STATE_HOME": "/var/lib/state"})
    assert {name: value for name, value, _ in loaded.table()} == {
        "api_key": "None",
        "base_url": "https://api.zelto.ai",
        "agent_id": "None",
        "agent_version": "None",
        "outbox": "/var/lib/state/zelto-agents",
        "retain": "86400.0",
        "max_age": "604800.0",
        "outbox_max_bytes": "268435456.0",
        "shutdown_budget": "2.0",
        "recordings": "None",
        "recordings_url": "None",
        "prices": "None",
        "redact": "()",
        "sample": "1.0",
        "enabled": "True",
        "allow_http": "False",
    }
    assert loaded.problems == ()


def test_an_argument_beats_the_environment_and_an_empty_string_is_unset():
    environ = {"ZELTO_AGENT_ID": "env", "ZELTO_AGENT_VERSION": "7", "ZELTO_RETAIN": ""}
    loaded = Settings.load(environ, agent_id="mine", agent_version="")
    assert (loaded.agent_id, loaded.agent_version, loaded.retain) == ("mine", "7", 86400)
    assert loaded.sources["agent_id"] == "argument agent_id"
    assert loaded.sources["agent_version"] == "environment ZELTO_AGENT_VERSION"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ZELTO_BASE_URL", "api.zelto.ai", "expected a URL such as"),
        ("ZELTO_BASE_URL", "htp://x", "expected a URL such as"),
        ("ZELTO_BASE_URL", "https://x:port/", "expected a URL such as"),
        ("ZELTO_BASE_URL", "https://me:secret@x.example", "expected no user"),
        ("ZELTO_RETAIN", "a day", "expected a number of seconds, 0 or more"),
        ("ZELTO_RETAIN", "-1", "expected a number of seconds, 0 or more"),
        ("ZELTO_RETAIN", "nan", "expected a number of seconds, 0 or more"),
        ("ZELTO_ENABLED", "maybe", "expected 1 or 0"),
        ("ZELTO_API_KEY", "zk_\nabc", "a key has only printable ASCII characters"),
        (
            "ZELTO_OUTBOX",
            "mysql://db/zelto",
            "expected a folder, or a URL that starts with postgresql://",
        ),
    ],
)
def test_an_unusable_value_names_itself_its_source_and_what_is_allowed(
    name: str, value: str, allowed: str
):
    (problem,) = Settings.load(BASE | {name: value}).problems
    assert problem.startswith(f"environment {name} is not usable: ")
    assert allowed in problem


def test_with_an_unusable_base_url_nothing_is_sent_anywhere():
    assert Settings.load(BASE | {"ZELTO_BASE_URL": "htp://x"}).base_url is None


def test_plain_http_is_for_this_machine_only_unless_allowed():
    remote = {"ZELTO_BASE_URL": "http://zelto.internal:8080/"}
    refused = Settings.load(BASE | remote)
    assert refused.base_url is None
    assert "set ZELTO_ALLOW_HTTP=1" in refused.problems[0]
    allowed = Settings.load(BASE | remote | {"ZELTO_ALLOW_HTTP": "1"})
    assert (allowed.base_url, allowed.problems) == ("http://zelto.internal:8080", ())
    for host in ("127.0.0.1:1", "localhost:1", "[::1]:1"):
        assert Settings.load(BASE, base_url=f"http://{host}").base_url == f"http://{host}"


def test_the_key_shows_nowhere():
    loaded = Settings.load(BASE | {"ZELTO_API_KEY": "zk_secret_1234"})
    assert loaded.api_key is not None
    assert loaded.api_key.get_secret_value() == "zk_secret_1234"
    assert "secret" not in repr(loaded) + str(loaded.table())
    broken = Settings.load(BASE | {"ZELTO_API_KEY": "zk_secret 1234"})
    assert broken.api_key is None
    assert "secret" not in str(broken.problems)


def test_the_outbox_goes_to_the_state_folder_of_the_user(tmp_path: Path):
    assert Settings.load({"HOME": str(tmp_path)}).outbox == tmp_path / ".local/state/zelto-agents"
    assert Settings.load({"XDG_STATE_HOME": "relative"}).outbox.is_absolute()


def test_a_setting_that_does_not_exist_is_a_fault_of_the_code():
    with pytest.raises(TypeError, match="unknown setting 'retian'"):
        Settings.load({}, retian=3)


def test_the_table_in_the_readme_lists_every_variable_with_its_default_and_meaning():
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| `(ZELTO_\w+)` \| (.*?) \| (.*?) \|$", readme, re.MULTILINE)
    assert rows == [(v.name, v.default, v.meaning) for v in VARIABLES]
