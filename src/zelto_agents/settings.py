"""Settings: the one place where the environment is read.

An argument beats the environment, the environment beats the default; an empty string is unset.
Nothing here raises: a value that cannot be used is named in ``problems`` and left at its default,
because a typing error in a variable must not take an agent down.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from zelto_agents._variables import DEFAULT_BASE_URL, VARIABLES, Variable

__all__ = [
    "DEFAULT_BASE_URL",
    "VARIABLES",
    "Settings",
    "Variable",
    "environment",
    "is_loopback",
]

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_INSTEAD = {
    "api_key": "calls are kept, and sent once there is a usable key",
    "base_url": "calls are kept, and sent once there is a usable URL",
    "redact": "every text is sent as [redaction failed] until it is",
}
_BY_SETTING = {variable.setting: variable for variable in VARIABLES}


def is_loopback(url: str) -> bool:
    """Whether the URL points at this machine."""
    host = urlsplit(url).hostname or ""
    return host in _LOOPBACK or host.startswith("127.")


def environment() -> Mapping[str, str]:
    """This process's environment, for the variables that others have named (``AWS_...``)."""
    return os.environ


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, read once; ``sources`` says where each value came from.

    ``base_url`` is None when the given one cannot be used: calls are then kept and not sent.
    ``redact`` is None when what is asked for cannot be done: no text is then kept.
    ``postgres`` is the URL of a fleet's outbox, and ``outbox`` then the folder of its spare.
    Times are in seconds, sizes in bytes.
    """

    api_key: SecretStr | None = None
    base_url: str | None = DEFAULT_BASE_URL
    agent_id: str | None = None
    agent_version: str | None = None
    outbox: Path = Path("zelto-agents")
    postgres: SecretStr | None = None
    retain: float = 86_400.0
    max_age: float = 7 * 86_400.0
    outbox_max_bytes: float = 256.0 * 1024 * 1024
    shutdown_budget: float = 2.0
    recordings: str | None = None
    recordings_url: str | None = None
    prices: Path | None = None
    redact: tuple[str, ...] | None = ()
    sample: float = 1.0
    enabled: bool = True
    allow_http: bool = False
    sources: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    problems: tuple[str, ...] = ()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **arguments: object) -> Settings:
        """Settings from arguments, then the environment, then the defaults; never raises.

        Raises:
            TypeError: an argument that is no setting, which is a fault of the calling code.
        """
        unknown = sorted(set(arguments) - set(_BY_SETTING))
        if unknown:
            raise TypeError(f"unknown setting {unknown[0]!r}; known are {sorted(_BY_SETTING)}")
        around = environment() if environ is None else environ
        values: dict[str, Any] = {"outbox": _default_outbox(around)}
        sources: dict[str, str] = {}
        problems: list[str] = []
        for variable in VARIABLES:
            given, source = arguments.get(variable.setting), f"argument {variable.setting}"
            if given is None or given == "":
                given, source = around.get(variable.name), f"environment {variable.name}"
            if given is None or given == "":
                continue
            try:
                value = variable.parse(_as_text(given))
                elsewhere = variable.setting == "outbox" and isinstance(value, SecretStr)
                values["postgres" if elsewhere else variable.setting] = value
                sources[variable.setting] = source
            except (ValueError, TypeError, RuntimeError, OSError) as why:
                instead = _INSTEAD.get(
                    variable.setting, f"the default ({variable.default}) is used"
                )
                problems.append(f"{source} is not usable: {why}; {instead}")
                if variable.setting in ("base_url", "redact"):
                    values[variable.setting] = None
        _refuse_plain_http(values, sources, problems)
        return cls(**values, sources=sources, problems=tuple(problems))

    def table(self) -> list[tuple[str, str, str]]:
        """Each setting with its value and source, the key hidden; for people."""
        names = [f.name for f in fields(self) if f.name in _BY_SETTING]
        return [(n, str(getattr(self, n)), self.sources.get(n, "default")) for n in names]


def _refuse_plain_http(
    values: dict[str, Any], sources: Mapping[str, str], problems: list[str]
) -> None:
    base_url = values.get("base_url") or DEFAULT_BASE_URL
    if base_url.startswith("https:") or is_loopback(base_url) or values.get("allow_http"):
        return
    values["base_url"] = None
    problems.append(
        f"{sources['base_url']} is plain http to another machine, which would show the key on "
        "the network: use https, or set ZELTO_ALLOW_HTTP=1; calls are kept until then"
    )


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def _default_outbox(environ: Mapping[str, str]) -> Path:
    """The user's state folder; a container without a home has only the temporary one."""
    state = environ.get("XDG_STATE_HOME")
    if state and Path(state).is_absolute():
        return Path(state) / "zelto-agents"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    with contextlib.suppress(OSError):
        if home and Path(home).is_dir():
            return Path(home) / ".local" / "state" / "zelto-agents"
        return Path(tempfile.gettempdir()) / "zelto-agents"
    return Path("zelto-agents").absolute()
