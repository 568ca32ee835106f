"""The tables of an outbox; the engines differ in what is in braces."""

from __future__ import annotations

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE delivery (
  id {id},
  base_url TEXT NOT NULL,
  external_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL,
  due_at DOUBLE PRECISION NOT NULL,
  holder TEXT NOT NULL DEFAULT '',
  lease_until DOUBLE PRECISION NOT NULL DEFAULT 0,
  fence BIGINT NOT NULL DEFAULT 0,
  claimed_revision INTEGER NOT NULL DEFAULT 0,
  unsure_until DOUBLE PRECISION NOT NULL DEFAULT 0,
  unsure_revision INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  details TEXT NOT NULL DEFAULT '',
  created_at DOUBLE PRECISION NOT NULL,
  put_at DOUBLE PRECISION NOT NULL DEFAULT 0,
  updated_at DOUBLE PRECISION NOT NULL,
  size INTEGER NOT NULL DEFAULT 0,
  UNIQUE (base_url, external_id)
);
CREATE INDEX delivery_due ON delivery (base_url, state, due_at, id);
CREATE INDEX delivery_leased ON delivery (base_url, lease_until) WHERE lease_until > 0;
CREATE INDEX delivery_old ON delivery (state, updated_at);
CREATE TABLE content (
  delivery_id {key} PRIMARY KEY REFERENCES delivery (id) ON DELETE CASCADE,
  document {blob},
  changes {blob}
);
CREATE TABLE process (
  id TEXT PRIMARY KEY,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  born TEXT NOT NULL,
  lease_until DOUBLE PRECISION NOT NULL
);
CREATE TABLE journal (
  id {id},
  call TEXT NOT NULL UNIQUE,
  holder TEXT NOT NULL,
  orphaned INTEGER NOT NULL DEFAULT 0,
  base_url TEXT NOT NULL,
  external_id TEXT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL,
  written_at DOUBLE PRECISION NOT NULL,
  alive_at DOUBLE PRECISION NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX journal_holder ON journal (holder);
CREATE TABLE fact (
  journal_id {key} NOT NULL REFERENCES journal (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  body {blob} NOT NULL,
  PRIMARY KEY (journal_id, number)
);
CREATE TABLE gate (
  base_url TEXT PRIMARY KEY,
  away TEXT,
  closed_until DOUBLE PRECISION NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  key_mark TEXT,
  prober TEXT NOT NULL DEFAULT '',
  probe_until DOUBLE PRECISION NOT NULL DEFAULT 0,
  leader TEXT NOT NULL DEFAULT '',
  leader_until DOUBLE PRECISION NOT NULL DEFAULT 0,
  leader_mark TEXT,
  leader_agent TEXT
);
"""
