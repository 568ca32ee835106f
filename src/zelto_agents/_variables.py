"""The environment variables: which setting each fills, and how it is read and explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from zelto_agents._frozen import frozen

__all__ = ["DEFAULT_BASE_URL", "VARIABLES", "Variable"]

DEFAULT_BASE_URL = "https://api.zelto.ai"


@frozen
class Variable:
    """One environment variable: which setting it fills, how, and how a person reads it."""

    name: str
    setting: str
    parse: Callable[[str], Any]
    default: str
    meaning: str


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
