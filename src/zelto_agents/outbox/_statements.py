"""The statements of the SQLite outbox, and what each of them is for."""

from __future__ import annotations

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (
  id INTEGER PRIMARY KEY,
  base_url TEXT NOT NULL,
  external_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL,
  due_at REAL NOT NULL,
  lease_until REAL NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  held_for TEXT,
  key_mark TEXT,
  status INTEGER,
  details TEXT NOT NULL DEFAULT '',
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  document BLOB,
  changes BLOB,
  UNIQUE (base_url, external_id)
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (base_url, state, due_at);
"""

# Each is answered by the index in the order that is asked for, however many wait.
FREE = "base_url = :base_url AND lease_until <= :now"
DUE = f"{FREE} AND state = 'due' AND due_at <= :now"
HELD = f"""{FREE} AND state = 'held' AND (
    (held_for = 'key' AND (due_at <= :now OR key_mark IS NOT :key_mark))
    OR (held_for = 'agent' AND :agent_id IS NOT NULL))"""
ASKED_FOR = f"{FREE} AND state = 'due' AND external_id = :external_id"

PURGE_SENT = """
DELETE FROM delivery WHERE id IN (
SELECT id FROM delivery WHERE state = 'sent' AND lease_until = 0
ORDER BY updated_at LIMIT 100)
"""

PUT = """
INSERT INTO delivery (base_url, external_id, provider, state, revision, due_at,
  held_for, created_at, updated_at, document)
VALUES (:base_url, :external_id, :provider, :state, 1, :due_at,
  :held_for, :now, :now, :document)
ON CONFLICT (base_url, external_id) DO UPDATE SET
  provider = :provider, state = :state, revision = revision + 1,
  due_at = :due_at, held_for = :held_for, failures = 0, status = NULL,
  details = '', updated_at = :now, document = :document
"""

AWAIT = """
INSERT INTO delivery (base_url, external_id, provider, state, revision,
  due_at, created_at, updated_at, changes)
VALUES (:base_url, :external_id, '', 'awaited', 0, 0, :now, :now, :changes)
ON CONFLICT (base_url, external_id) DO UPDATE SET
  state = 'awaited', created_at = :now, updated_at = :now,
  changes = :changes
"""

ENRICH = """
UPDATE delivery SET changes = ?, updated_at = ?, failures = 0,
  state = CASE state WHEN 'held' THEN 'held' ELSE 'due' END,
  revision = revision + 1, due_at = CASE state WHEN 'due' THEN due_at ELSE 0 END
WHERE base_url = ? AND external_id = ?
"""

CLAIM = """
UPDATE delivery SET lease_until = ?, fence = fence + 1, attempts = attempts + 1
WHERE id = ?
"""

SETTLE = """
UPDATE delivery SET lease_until = 0, failures = failures + :failed,
  status = :status, details = :details, updated_at = :now,
  state = CASE WHEN revision > :revision THEN state ELSE :state END,
  due_at = CASE WHEN revision > :revision THEN due_at ELSE :due_at END,
  held_for = CASE WHEN revision > :revision THEN held_for ELSE :held_for END,
  key_mark = :key_mark
WHERE base_url = :base_url AND external_id = :external_id AND fence = :fence
"""

HURRY = """
UPDATE delivery SET due_at = 0
WHERE base_url = ? AND (state = 'due' OR (state = 'held' AND held_for = 'key'))
"""

NEXT_DUE = """
SELECT MIN(MAX(due_at, lease_until)) FROM delivery
WHERE base_url = ? AND (state = 'due' OR (state = 'held' AND held_for = 'key'))
"""

DELIVERIES = """
SELECT base_url, external_id, provider, state, revision, attempts, due_at,
  created_at, updated_at, LENGTH(COALESCE(document, changes)), status, details
FROM delivery WHERE :base_url IS NULL OR base_url = :base_url ORDER BY id
"""

HOMELESS = """
SELECT id, external_id, provider, document, changes, updated_at FROM delivery
WHERE base_url <> ? AND lease_until <= ? AND (base_url = ''
  OR (state = 'due' AND (status BETWEEN 300 AND 399
                         OR status IN (404, 405, 410))))
"""

MOVE = """
UPDATE delivery SET base_url = ?, status = NULL, failures = 0,
due_at = 0 WHERE id = ?
"""

JOIN = """
UPDATE delivery SET document = ?, changes = ?, revision = revision + 1,
  provider = CASE provider WHEN '' THEN ? ELSE provider END,
state = CASE WHEN ? IS NULL THEN state ELSE 'due' END, due_at = 0,
updated_at = ? WHERE id = ?
"""

PURGE = """
DELETE FROM delivery WHERE lease_until <= :now AND (
(state = 'sent' AND updated_at <= :now - :retain)
OR (state = 'dead' AND updated_at <= :now - :dead_kept))
"""

EXPIRE = """
UPDATE delivery SET state = 'dead', updated_at = :now,
  details = 'waited longer than ZELTO_MAX_AGE; ' || details
WHERE state IN ('due', 'held', 'awaited') AND lease_until <= :now
  AND created_at <= :now - :max_age
"""

CONTENTS = """
SELECT base_url, external_id, provider, revision, fence, attempts, failures,
  document, changes, state, held_for, due_at, status, details FROM delivery
WHERE lease_until = 0 ORDER BY id
"""
