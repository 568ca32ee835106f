"""The tables of the receiver, and how its database is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["DEFAULT_ORGANISATION", "connect"]

DEFAULT_ORGANISATION = "default"

# Raised whenever a table changes its shape.
_VERSION = 3
# What makes the tables of an earlier version those of the next.
_CHANGES = {2: "ALTER TABLE raw ADD COLUMN headers TEXT"}

_TABLES = """
CREATE TABLE IF NOT EXISTS keys (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  organisation TEXT NOT NULL,
  created_at TEXT NOT NULL,
  last_used_at TEXT,
  revoked_at TEXT
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS raw (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  organisation TEXT NOT NULL DEFAULT 'default',
  received_at TEXT NOT NULL,
  provider TEXT,
  body BLOB NOT NULL,
  headers TEXT
);
-- What retention is about to delete, in the same transaction; empty otherwise.
CREATE TABLE IF NOT EXISTS expired (
  raw_id INTEGER PRIMARY KEY
);
CREATE TRIGGER IF NOT EXISTS raw_is_never_changed BEFORE UPDATE ON raw
  BEGIN SELECT RAISE(ABORT, 'the raw log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS raw_is_never_deleted BEFORE DELETE ON raw
  WHEN OLD.id NOT IN (SELECT raw_id FROM expired)
  BEGIN SELECT RAISE(ABORT, 'the raw log is append-only'); END;

CREATE TABLE IF NOT EXISTS outcomes (
  raw_id INTEGER PRIMARY KEY REFERENCES raw (id),
  organisation TEXT NOT NULL,
  status INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  external_id TEXT
);
CREATE INDEX IF NOT EXISTS outcomes_by_external_id ON outcomes (external_id, raw_id);
CREATE INDEX IF NOT EXISTS outcomes_without_conversation ON outcomes (raw_id)
  WHERE state <> 'ingested';

CREATE TABLE IF NOT EXISTS agents (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  organisation TEXT NOT NULL,
  provider TEXT NOT NULL,
  external_id TEXT NOT NULL,
  name TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (organisation, provider, external_id)
);

CREATE TABLE IF NOT EXISTS conversations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  organisation TEXT NOT NULL,
  external_id TEXT NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  provider TEXT NOT NULL,
  version TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  started_at TEXT,
  duration REAL,
  ended_reason TEXT,
  cost REAL,
  caller TEXT,
  turns INTEGER NOT NULL,
  recording_url TEXT,
  raw_id INTEGER NOT NULL REFERENCES raw (id),
  touched INTEGER NOT NULL,
  document TEXT NOT NULL,
  UNIQUE (external_id, organisation)
);
CREATE INDEX IF NOT EXISTS conversations_by_touched ON conversations (touched);

-- One row for each address that a conversation's recording had; replay leaves them alone.
CREATE TABLE IF NOT EXISTS recordings (
  id TEXT PRIMARY KEY,
  conversation_id TEXT NOT NULL,
  url TEXT NOT NULL,
  state TEXT NOT NULL,
  why TEXT,
  tries INTEGER NOT NULL DEFAULT 0,
  next_try_at TEXT,
  content_type TEXT,
  bytes INTEGER,
  UNIQUE (conversation_id, url)
);
CREATE INDEX IF NOT EXISTS recordings_waiting ON recordings (next_try_at)
  WHERE state = 'waiting';
"""


def connect(path: Path) -> sqlite3.Connection:
    """Opens the database, making it (mode 0600) with its tables if need be.

    A commit is on the disk when it returns.

    Args:
        path: the file; its folder must exist.

    Raises:
        OSError: the file cannot be made or opened.
        sqlite3.Error: the file is not a database, not writable, or of another version.
    """
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.row_factory = sqlite3.Row
        version = _version(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if version in _CHANGES:
            db.execute(_CHANGES[version])
        db.executescript(_TABLES)
        if version != _VERSION:
            db.execute(f"PRAGMA user_version = {_VERSION}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    used = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'raw'").fetchone()
    if version not in (_VERSION, *_CHANGES) and (used is not None or version != 0):
        raise sqlite3.DatabaseError(
            f"it has the tables of another version (it says {version}, this is {_VERSION}); "
            "give another file with --db, this one is left as it is"
        )
    return version
