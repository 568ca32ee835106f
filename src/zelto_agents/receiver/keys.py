"""API keys: minted here, kept only as SHA-256 hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zelto_agents.receiver.schema import DEFAULT_ORGANISATION

__all__ = ["ID_LENGTH", "KeyRing", "bearer", "digest", "listed", "mint", "note_use", "revoke"]

# How long (seconds) another process may wait until its minting or revoking is seen here.
_FRESH_SECONDS = 0.5
# A key's last use is written at most this often (seconds).
_USE_SECONDS = 60.0
# Of the hash, as the key's id: enough to tell keys apart, nothing to guess the key from.
ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class _Known:
    hash: str
    organisation: str


class KeyRing:
    """The keys that are accepted, read again often enough to see other processes' changes.

    Args:
        db: a connection of its own, closed with the ring.
        used: called with the hash of a key that is in use, at most once a minute for each.
    """

    def __init__(self, db: sqlite3.Connection, used: Callable[[str], None]) -> None:
        self._db = db
        self._used = used
        self._reading = threading.Lock()
        self._known: tuple[_Known, ...] = ()
        self._read_at = 0.0
        self._told: dict[str, float] = {}
        self.read()

    def __bool__(self) -> bool:
        return bool(self._known)

    def organisation(self, key: str) -> str | None:
        """Whose key this is; None when it is not accepted."""
        if time.monotonic() - self._read_at > _FRESH_SECONDS:
            self.read()
        found = self._find(digest(key))
        if found is None and key:
            self.read()
            found = self._find(digest(key))
        if found is None:
            return None
        now = time.monotonic()
        if now - self._told.get(found.hash, -_USE_SECONDS) >= _USE_SECONDS:
            self._told[found.hash] = now
            self._used(found.hash)
        return found.organisation

    def read(self) -> None:
        """Reads the keys again."""
        with self._reading:
            rows = self._db.execute("SELECT hash, organisation FROM keys WHERE revoked_at IS NULL")
            self._known = tuple(_Known(row["hash"], row["organisation"]) for row in rows)
            self._read_at = time.monotonic()

    def close(self) -> None:
        """Closes the connection."""
        with self._reading:
            self._db.close()

    def _find(self, candidate: str) -> _Known | None:
        # All are compared, each in constant time: the time taken does not tell which one fits.
        fitting = [each for each in self._known if hmac.compare_digest(candidate, each.hash)]
        return fitting[0] if fitting else None


def mint(
    db: sqlite3.Connection,
    now: str,
    *,
    name: str = "first key",
    organisation: str = DEFAULT_ORGANISATION,
) -> str:
    """Makes a key, stores its hash and returns the key: the only time that anyone sees it."""
    key = f"zelto_dev_{secrets.token_urlsafe(32)}"
    db.execute(
        "INSERT INTO keys (hash, name, organisation, created_at) VALUES (?, ?, ?, ?)",
        (digest(key), name, organisation, now),
    )
    return key


def listed(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """All keys that were ever minted, oldest first, by ids that tell nothing of the keys."""
    rows = db.execute(
        "SELECT substr(hash, 1, ?) AS id, name, organisation, created_at AS createdAt,"
        " last_used_at AS lastUsedAt, revoked_at AS revokedAt FROM keys ORDER BY created_at, hash",
        (ID_LENGTH,),
    )
    return [dict(row) for row in rows]


def revoke(db: sqlite3.Connection, key_id: str, now: str) -> bool:
    """Takes a key back by its id (or the start of it); whether there was exactly one such key."""
    db.execute("BEGIN IMMEDIATE")
    with db:
        rows = db.execute(
            "SELECT hash FROM keys WHERE substr(hash, 1, ?) = ? AND revoked_at IS NULL",
            (len(key_id), key_id),
        ).fetchall()
        if not key_id or len(rows) != 1:
            return False
        db.execute("UPDATE keys SET revoked_at = ? WHERE hash = ?", (now, rows[0]["hash"]))
    return True


def note_use(db: sqlite3.Connection, key_hash: str, now: str) -> None:
    """Writes down that a key was used."""
    db.execute("UPDATE keys SET last_used_at = ? WHERE hash = ?", (now, key_hash))


def digest(key: str) -> str:
    """The hash under which a key is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def bearer(authorization: str | None) -> str:
    """The key in an ``Authorization`` header; empty when there is none."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
