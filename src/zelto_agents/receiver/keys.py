"""API keys: minted here, kept only as SHA-256 hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3

__all__ = ["accepts", "bearer", "digest", "hashes", "mint"]


def mint(db: sqlite3.Connection, now: str) -> str:
    """Makes a key, stores its hash and returns the key: the only time that anyone sees it."""
    key = f"zelto_dev_{secrets.token_urlsafe(32)}"
    with db:
        db.execute("INSERT INTO keys (hash, created_at) VALUES (?, ?)", (digest(key), now))
    return key


def hashes(db: sqlite3.Connection) -> tuple[str, ...]:
    """The hashes of all keys that are accepted."""
    return tuple(row["hash"] for row in db.execute("SELECT hash FROM keys"))


def digest(key: str) -> str:
    """The hash under which a key is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def accepts(known: tuple[str, ...], key: str) -> bool:
    """Whether the key is one of the known hashes; the time taken does not tell which."""
    candidate = digest(key)
    return sum(hmac.compare_digest(candidate, each) for each in known) > 0


def bearer(authorization: str | None) -> str:
    """The key in an ``Authorization`` header; empty when there is none."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
