"""Bodies of every kind of wrong, and what a receiver must make of each: an answer, and a copy."""

from __future__ import annotations

import copy
import json
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from zelto_agents.samples import SAMPLES

__all__ = ["Sent", "bodies", "fire"]

PROVIDERS = (None, "zelto", "livekit", "vapi", "retell", "bland", "")
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -0.0, 2**63, 10**400, "", " ", "x" * 300, "\0", "à", "2026",
    "2026-13-45T99:99:99Z", "NaN", "http://", "https://a.b/c", [], {}, [[]], {"": {}}, [None] * 50,
    {"externalId": "other"}, "\U0001f600", "🏴" * 40, 1e-320, "00000000-0000-4000-8000-000000000000",
)  # fmt: skip
_TEXTS = (
    b"NaN",
    b"Infinity",
    b"-",
    b"1" * 5000,
    b"1e999",
    b'"\\ud800"',
    b'"\\u0000"',
    b"\xff",
    b"//",
)


def bodies(seed: int, count: int) -> Iterator[tuple[str | None, bytes]]:
    """So many bodies with a provider each; the same ones for the same seed."""
    chance = random.Random(seed)
    makers = (_mutated, _mutated, _mutated, _spliced, _random_json, _bytes, _deep, _doubled)
    for number in range(count):
        provider = chance.choice(PROVIDERS)
        yield provider, chance.choice(makers)(chance, provider, f"fuzz-{number}")


def _valid(chance: random.Random, provider: str | None, name: str) -> Any:
    own = [sample for sample in SAMPLES.values() if sample.provider == (provider or "zelto")]
    sample = chance.choice(own or list(SAMPLES.values()))
    return chance.choice(_PARSED.setdefault(sample.name, sample.bodies("fuzz", now=_NOW)))


_PARSED: dict[str, list[Any]] = {}
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _mutated(chance: random.Random, provider: str | None, name: str) -> bytes:
    """A valid body, some of whose values, names or parts are others."""
    body = json.loads(json.dumps(_valid(chance, provider, name)))
    for _ in range(chance.randrange(4)):
        parent, key = chance.choice(_places(body))
        kind = chance.randrange(4)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[chance.choice(("", "\0", "externalid", "x" * 1000, str(key).upper()))] = parent[
                key
            ]
        else:
            parent[key] = copy.deepcopy(chance.choice(STRANGE))
        if not _places(body):
            break
    text = json.dumps(body, ensure_ascii=chance.random() < 0.5).replace('"fuzz"', f'"{name}"')
    return text.encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += _places(inner)
    return found


def _spliced(chance: random.Random, provider: str | None, name: str) -> bytes:
    """The text of a valid body with something cut, doubled or put in."""
    text = bytearray(json.dumps(_valid(chance, provider, name)).encode())
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(text) + 1)
        text[at : at + chance.choice((0, 0, 1, 8))] = chance.choice(_TEXTS)
    return bytes(text)


def _random_json(chance: random.Random, provider: str | None, name: str) -> bytes:
    return json.dumps(_value(chance, 4)).encode("utf-8", "surrogatepass")


def _value(chance: random.Random, depth: int) -> Any:
    if depth == 0 or chance.random() < 0.4:
        return chance.choice(STRANGE)
    if chance.random() < 0.5:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    names = ("call", "agent", "externalId", "transcript", "turns", "message", "event", "\ud83d", "")
    return {chance.choice(names): _value(chance, depth - 1) for _ in range(chance.randrange(5))}


def _bytes(chance: random.Random, provider: str | None, name: str) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 2, 16, 200, 3000)))


def _deep(chance: random.Random, provider: str | None, name: str) -> bytes:
    """Nested as deep as no document is, whole or broken off, alone or in the metadata."""
    depth = chance.choice((31, 33, 100, 900, 1100, 20_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    nested = opening * depth + "1" + closing * (depth if chance.random() < 0.7 else depth - 1)
    if chance.random() < 0.5:
        return nested.encode()
    body = json.dumps({"call": {"externalId": name}, "agent": {"externalId": "a"}, "metadata": 0})
    return body.replace('"metadata": 0', f'"metadata": {nested}').encode()


def _doubled(chance: random.Random, provider: str | None, name: str) -> bytes:
    """A valid body with names that come twice."""
    text = json.dumps(_valid(chance, provider, name))
    again = json.dumps({"call": chance.choice(STRANGE), "agent": {"externalId": name}})
    return f"{text[:-1]}, {again[1:]}".encode()


@dataclass(slots=True)
class Sent:
    """What was answered: how many of each status, and what was wrong."""

    statuses: dict[int, int] = field(default_factory=dict[int, int])
    wrong: list[str] = field(default_factory=list[str])
    count: int = 0


def fire(port: int, key: str, batch: Iterator[tuple[str | None, bytes]]) -> Sent:
    """Sends all over one connection, made anew when it is closed; slow answers are wrong ones."""
    sent = Sent()
    sock: socket.socket | None = None
    for provider, body in batch:
        sock = sock or socket.create_connection(("127.0.0.1", port), timeout=30)
        header = "" if provider is None else f"X-Zelto-Provider: {provider}\r\n"
        head = (
            f"POST /webhooks/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}"
            f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            sock.sendall(head.encode() + body)
            status, answer = _answer(sock)
        except (OSError, ValueError) as fault:
            sent.wrong.append(f"{provider} {body[:200]!r}: {type(fault).__name__} {fault}")
            sock.close()
            sock = None
            continue
        sent.count += 1
        sent.statuses[status] = sent.statuses.get(status, 0) + 1
        if status not in (200, 400) or not _is_of_the_contract(status, answer):
            sent.wrong.append(f"{provider} {body[:200]!r}: {status} {answer[:200]!r}")
    if sock is not None:
        sock.close()
    return sent


def _answer(sock: socket.socket) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, rest = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += _more(sock)
    return int(head.split(b" ", 2)[1]), rest


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the connection was closed")
    return data


def _is_of_the_contract(status: int, answer: bytes) -> bool:
    try:
        value = json.loads(answer.decode())
    except ValueError:
        return False
    if status == 200:
        return bool(value == {"received": True})
    return value.get("error") in ("Invalid JSON", "Validation failed", "Unsupported provider")
