"""Settings: the one place where the environment is read.

An argument beats the environment, the environment beats the default; an empty string is unset.
Nothing here raises: a value that cannot be used is named in ``problems`` and left at its default,
because a typing error in a variable must not take an agent down.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = ["DEFAULT_BASE_URL", "Settings", "Variable", "environment", "is_loopback"]

DEFAULT_BASE_URL = "https://api.zelto.ai"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: which setting it fills, how, and how a person reads it."""

    name: str
    setting: str
    parse: Callable[[str], Any]
    default: str
    meaning: str


def is_loopback(url: str) -> bool:
    """Whether the URL points at this machine."""
    host = urlsplit(url).hostname or ""
    return host in _LOOPBACK or host.startswith("127.")


def environment() -> Mapping[str, str]:
    """This process's environment, for the variables that others have named (``AWS_...``)."""
    return os.environ


def _key(text: str) -> SecretStr:
    text = text.strip()  # mounted secrets end in a newline
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key has only printable ASCII characters and no spaces; copy it again")
    return SecretStr(text)


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        _ = parts.port  # raises on a port that is not one
    except ValueError as why:
        raise ValueError(f"{why}; expected a URL such as {DEFAULT_BASE_URL}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected a URL such as {DEFAULT_BASE_URL}, with http:// or https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected no user, query or fragment in the URL")
    return text.strip().rstrip("/")


def _amount(low: float, unit: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not low <= value < 1e15:
            raise ValueError(f"expected a number of {unit}, {low:g} or more")
        return value

    return parse


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected 1 or 0")


def _outbox(text: str) -> Path | SecretStr:
    scheme = text.strip().partition("://")[0]
    if scheme in ("postgresql", "postgres"):
        return SecretStr(text.strip())
    if "://" in text:
        raise ValueError("expected a folder, or a URL that starts with postgresql://")
    return Path(text).expanduser()


def _store(text: str) -> str:
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        return str(Path(text.strip()).expanduser())
    if scheme not in ("s3", "gs", "az", "file") or not rest:
        raise ValueError("expected s3://bucket/prefix, gs://..., az://... or a folder")
    return text.strip().rstrip("/")


def _prices(text: str) -> Path:
    path = Path(text.strip()).expanduser().absolute()
    if not isinstance(json.loads(path.read_bytes()), dict):
        raise ValueError(f"{path} holds no JSON object of prices")
    return path


def _kinds(text: str) -> tuple[str, ...]:
    from zelto_agents.redaction import kinds

    try:
        return kinds(text)
    except ModuleNotFoundError as why:
        raise ValueError(str(why)) from None


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError("expected a number from 0 to 1")
    return value


VARIABLES = (
    Variable("ZELTO_API_KEY", "api_key", _key, "none", "The key of your organisation."),
    Variable("ZELTO_BASE_URL", "base_url", _base_url, DEFAULT_BASE_URL, "Where calls are sent."),
    Variable(
        "ZELTO_AGENT_ID",
        "agent_id",
        str,
        "the framework's name",
        "Your own stable id of the agent.",
    ),
    Variable(
        "ZELTO_AGENT_VERSION",
        "agent_version",
        str,
        "none",
        "Build or prompt revision, at most 255 characters.",
    ),
    Variable(
        "ZELTO_OUTBOX",
        "outbox",
        _outbox,
        "`$XDG_STATE_HOME/zelto-agents`",
        "Folder of the outbox, on a local disk; or `postgresql://...`, for a fleet.",
    ),
    Variable(
        "ZELTO_RETAIN",
        "retain",
        _amount(0, "seconds"),
        "86400",
        "Seconds that a sent call is kept, so that an enrichment can merge; 0 keeps none.",
    ),
    Variable(
        "ZELTO_MAX_AGE",
        "max_age",
        _amount(1, "seconds"),
        "604800",
        "Seconds after which a waiting call becomes a dead letter.",
    ),
    Variable(
        "ZELTO_OUTBOX_MAX_BYTES",
        "outbox_max_bytes",
        _amount(1, "bytes"),
        "268435456",
        "Bytes of documents that the outbox holds; over that, new calls are not made durable.",
    ),
    Variable(
        "ZELTO_SHUTDOWN_BUDGET",
        "shutdown_budget",
        _amount(0, "seconds"),
        "2",
        "Seconds that a shutdown is held at most.",
    ),
    Variable(
        "ZELTO_RECORDINGS",
        "recordings",
        _store,
        "none",
        "Where recordings are uploaded: `s3://bucket/prefix`, `gs://...`, `az://...` or a folder.",
    ),
    Variable(
        "ZELTO_RECORDINGS_URL",
        "recordings_url",
        _base_url,
        "signed URLs",
        "Where others fetch what is in ZELTO_RECORDINGS, if it is public; a folder needs it.",
    ),
    Variable(
        "ZELTO_PRICES",
        "prices",
        _prices,
        "published ones",
        "A JSON file with prices of your own, for every process that finishes calls.",
    ),
    Variable(
        "ZELTO_REDACT",
        "redact",
        _kinds,
        "none",
        "What is taken out of every text: of `phone`, `email`, `card`, with commas between; "
        "`phone:GB` for numbers of another country than the US.",
    ),
    Variable(
        "ZELTO_SAMPLE",
        "sample",
        _share,
        "1",
        "Which share of the calls is collected, from 0 to 1; of the others, nothing is kept.",
    ),
    Variable("ZELTO_ENABLED", "enabled", _switch, "1", "0 switches everything off."),
    Variable(
        "ZELTO_ALLOW_HTTP",
        "allow_http",
        _switch,
        "0",
        "1 allows plain http to hosts other than this machine.",
    ),
)
_INSTEAD = {
    "api_key": "calls are kept, and sent once there is a usable key",
    "base_url": "calls are kept, and sent once there is a usable URL",
    "redact": "every text is sent as [redaction failed] until it is",
}
_BY_SETTING = {variable.setting: variable for variable in VARIABLES}


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
