"""The tables of the receiver, and how its database is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["connect"]

_TABLES = """
CREATE TABLE IF NOT EXISTS keys (
  hash TEXT PRIMARY KEY,
  created_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS raw (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at TEXT NOT NULL,
  provider TEXT,
  body BLOB NOT NULL
);
CREATE TRIGGER IF NOT EXISTS raw_is_never_changed BEFORE UPDATE ON raw
  BEGIN SELECT RAISE(ABORT, 'the raw log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS raw_is_never_deleted BEFORE DELETE ON raw
  BEGIN SELECT RAISE(ABORT, 'the raw log is append-only'); END;

CREATE TABLE IF NOT EXISTS outcomes (
  raw_id INTEGER PRIMARY KEY REFERENCES raw (id),
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
  provider TEXT NOT NULL,
  external_id TEXT NOT NULL,
  name TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (provider, external_id)
);

CREATE TABLE IF NOT EXISTS conversations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  external_id TEXT NOT NULL UNIQUE,
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
  raw_id INTEGER NOT NULL REFERENCES raw (id),
  touched INTEGER NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS conversations_by_touched ON conversations (touched);
"""


def connect(path: Path, *, durable: bool = True) -> sqlite3.Connection:
    """Opens the database, making it (mode 0600) with its tables if need be.

    Args:
        path: the file; its folder must exist.
        durable: whether a commit is on the disk when it returns.

    Raises:
        OSError: the file cannot be made or opened.
        sqlite3.Error: the file is not a database, or not writable.
    """
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        db.executescript(_TABLES)
    except sqlite3.Error:
        db.close()
        raise
    return db
