"""The statements of an outbox; both engines run them, and differ in what is in braces."""

from __future__ import annotations

# Of what may be many rows, so many are changed in one transaction.
AT_ONCE = 10_000

PUT = """
INSERT INTO delivery (base_url, external_id, provider, state, revision, due_at,
  created_at, put_at, updated_at, size)
VALUES (:base_url, :external_id, :provider, :state, 1, :due_at, :now, :now, :now, :size)
ON CONFLICT (base_url, external_id) DO UPDATE SET
  created_at = CASE WHEN delivery.state IN ('sent', 'dead') THEN :now ELSE delivery.created_at END,
  provider = :provider, state = :state, revision = delivery.revision + 1, due_at = :due_at,
  failures = 0, status = NULL, details = '', put_at = :now, updated_at = :now, size = :size
WHERE delivery.state <> 'skipped'
"""
SKIP = """
INSERT INTO delivery (base_url, external_id, provider, state, revision, due_at,
  created_at, updated_at)
VALUES (:base_url, :external_id, '', 'skipped', 0, 0, :now, :now)
ON CONFLICT (base_url, external_id) DO UPDATE SET state = 'skipped', revision = 0
WHERE delivery.state = 'awaited'
"""
SKIP_CONTENT = """
DELETE FROM content WHERE delivery_id IN (SELECT id FROM delivery
  WHERE base_url = :base_url AND external_id = :external_id AND state = 'skipped')
"""
PUT_CONTENT = """
INSERT INTO content (delivery_id, document) VALUES (:id, :document)
ON CONFLICT (delivery_id) DO UPDATE SET document = :document
"""
FIND = """
SELECT id, revision, put_at, state FROM delivery
WHERE base_url = :base_url AND external_id = :external_id
"""

# What is there is changed into itself, which keeps it from being purged meanwhile.
AWAIT = """
INSERT INTO delivery (base_url, external_id, provider, state, revision, due_at,
  created_at, updated_at)
VALUES (:base_url, :external_id, '', 'awaited', 0, 0, :now, :now)
ON CONFLICT (base_url, external_id) DO UPDATE SET external_id = :external_id
"""
AWAIT_CONTENT = """
INSERT INTO content (delivery_id) VALUES (:id) ON CONFLICT (delivery_id) DO NOTHING
"""
ENRICHED = """
SELECT d.revision, LENGTH(c.document), c.changes
FROM delivery d JOIN content c ON c.delivery_id = d.id WHERE d.id = :id
"""
ENRICH_CONTENT = "UPDATE content SET changes = :changes WHERE delivery_id = :id"
# What only waited to be confirmed is a new revision now, which has not arrived yet.
ENRICH = """
UPDATE delivery SET updated_at = :now, size = :size, failures = 0, revision = revision + :step,
  status = NULL, details = '',
  due_at = CASE WHEN state = 'due' AND due_at <> unsure_until THEN due_at ELSE :now END,
  state = CASE WHEN :step = 0 THEN 'awaited' WHEN state = 'held' THEN 'held' ELSE 'due' END,
  created_at = CASE WHEN :step = 0 OR state IN ('sent', 'dead') THEN :now ELSE created_at END
WHERE id = :id
"""

CLAIMABLE = """
SELECT d.id, d.external_id, d.provider, d.revision, d.attempts + 1, d.failures,
  c.document, c.changes
FROM delivery d JOIN content c ON c.delivery_id = d.id
WHERE d.base_url = :base_url AND d.lease_until <= :now AND """
# The first three are answered by the index in the order that is asked for, however many wait.
DUE = f"{CLAIMABLE} d.state = 'due' AND d.due_at <= :now ORDER BY d.due_at, d.id LIMIT :limit"
HELD = f"""{CLAIMABLE} d.state = 'held' AND d.due_at <= :now
ORDER BY d.due_at, d.id LIMIT :limit"""
ASKED_FOR = f"{CLAIMABLE} d.state = 'due' AND d.external_id = :external_id LIMIT :limit"
FRESH = f"""{CLAIMABLE} d.state = 'due' AND d.due_at <= :now
ORDER BY d.failures, d.due_at, d.id LIMIT :limit"""
TRIED = f"""{CLAIMABLE} d.state = 'due' AND d.due_at <= :now
ORDER BY d.failures DESC, d.due_at, d.id LIMIT :limit"""

# Whoever held a lease that ran out may still be sending, or have sent.
CLAIM = """
UPDATE delivery SET
  unsure_revision = CASE WHEN lease_until = 0 THEN unsure_revision
    WHEN unsure_until > :now AND unsure_revision < claimed_revision THEN unsure_revision
    ELSE claimed_revision END,
  unsure_until = CASE WHEN lease_until = 0 THEN unsure_until ELSE :now + :settling END,
  holder = :holder, lease_until = :lease_until, claimed_revision = revision,
  fence = :fence, attempts = attempts + 1
WHERE id = :id
"""

# An older revision that may still land makes this one go again, once that is over.
_CONFIRM = ":state = 'sent' AND unsure_until > :now AND unsure_revision < :revision"
SETTLE = f"""
UPDATE delivery SET holder = '', lease_until = 0, updated_at = :now,
  attempts = attempts - :untried, failures = failures + :failed,
  status = CASE WHEN :untried = 1 THEN status ELSE :status END,
  details = CASE WHEN :untried = 1 THEN details ELSE :details END,
  due_at = CASE WHEN revision > :revision THEN due_at
    WHEN {_CONFIRM} THEN unsure_until ELSE :due_at END,
  state = CASE WHEN revision > :revision THEN state
    WHEN {_CONFIRM} THEN 'due'
    WHEN :state = 'due' AND state = 'held' THEN 'held' ELSE :state END,
  unsure_revision = CASE WHEN :unsure = 0 THEN unsure_revision
    WHEN unsure_until > :now AND unsure_revision < :revision THEN unsure_revision
    ELSE :revision END,
  unsure_until = CASE WHEN :unsure = 0 THEN unsure_until ELSE :now + :settling END
WHERE base_url = :base_url AND external_id = :external_id AND fence = :fence
"""  # noqa: S608 - constant texts
# The request of a lost lease may have landed after a newer revision: that one goes once more.
OVERTAKEN = """
UPDATE delivery SET state = 'due', due_at = :now, updated_at = :now
WHERE base_url = :base_url AND external_id = :external_id AND fence <> :fence
  AND state = 'sent' AND revision > :revision
"""

NEXT_DUE = """
SELECT due_at FROM delivery WHERE base_url = :base_url AND state = :state AND lease_until = 0
ORDER BY due_at, id LIMIT 1
"""
NEXT_FREE = """
SELECT MIN(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END) FROM delivery
WHERE base_url = :base_url AND state = :state AND lease_until > 0
"""
# What waits to be confirmed keeps its time.
HURRY = """
UPDATE delivery SET due_at = :now WHERE id IN (SELECT d.id FROM delivery d
  WHERE d.base_url = :base_url AND d.state IN ('due', 'held') AND d.due_at > :now
  AND d.due_at <> d.unsure_until AND d.failures >= :failures LIMIT :at_once{skip})
"""

DELIVERIES = """
SELECT d.base_url, d.external_id, d.provider,
  CASE WHEN d.state = 'due' AND g.away = 'key' THEN 'held' ELSE d.state END,
  d.revision, d.attempts, d.due_at, d.created_at, d.updated_at, d.size, d.status, d.details
FROM delivery d LEFT JOIN gate g ON g.base_url = d.base_url
WHERE CAST(:base_url AS TEXT) IS NULL OR d.base_url = :base_url ORDER BY d.id
"""
LIVE = """
SELECT base_url, external_id, '', 'live', 0, 0, written_at, created_at, written_at, size,
  NULL, '' FROM journal
WHERE CAST(:base_url AS TEXT) IS NULL OR base_url = :base_url ORDER BY id
"""
STATS = """
SELECT CASE WHEN d.state = 'due' AND g.away = 'key' THEN 'held' ELSE d.state END AS shown,
  COUNT(*), SUM(d.attempts), SUM(d.size), MIN(d.created_at)
FROM delivery d LEFT JOIN gate g ON g.base_url = d.base_url GROUP BY shown
"""
LIVE_STATS = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM journal"
CONTENT = """
SELECT d.base_url, c.document, c.changes FROM delivery d JOIN content c ON c.delivery_id = d.id
WHERE d.external_id = :external_id ORDER BY d.id
"""

HOMELESS = """
SELECT d.id, d.external_id, d.provider, d.state, d.put_at, c.document, c.changes
FROM delivery d JOIN content c ON c.delivery_id = d.id
WHERE d.base_url <> :base_url AND d.lease_until <= :now AND (d.base_url = '' OR (d.state = 'due'
  AND d.base_url IN (SELECT base_url FROM gate WHERE away = 'base_url')))
ORDER BY d.id LIMIT 1000
"""
# An enrichment stays with a call that goes on: its document will come where the call belongs.
MISTAKEN = """
SELECT d.id, d.external_id, d.provider, d.state, d.put_at, c.document, c.changes
FROM delivery d JOIN content c ON c.delivery_id = d.id
WHERE d.base_url = :source AND d.lease_until <= :now AND d.state IN ('due', 'held', 'awaited')
  AND NOT (d.state = 'awaited' AND EXISTS (SELECT 1 FROM journal j
    WHERE j.base_url = d.base_url AND j.external_id = d.external_id))
ORDER BY d.id LIMIT 1000
"""
# One that the filter skipped has no content.
THERE = """
SELECT d.id, d.external_id, d.provider, d.state, d.put_at,
  (SELECT c.document FROM content c WHERE c.delivery_id = d.id),
  (SELECT c.changes FROM content c WHERE c.delivery_id = d.id)
FROM delivery d WHERE d.base_url = :base_url AND d.external_id = :external_id
"""
MOVE = """
UPDATE delivery SET base_url = :base_url, status = NULL, details = '', failures = 0, due_at = :now
WHERE id = :id
"""
# What waited for a mistake is not to expire for it.
ANEW = "UPDATE delivery SET created_at = :now WHERE id = :id"
JOIN = """
UPDATE delivery SET revision = revision + 1, provider = :provider, state = :state,
  status = NULL, details = '', due_at = :now, updated_at = :now, size = :size WHERE id = :id
"""
JOIN_CONTENT = """
UPDATE content SET document = :document, changes = :changes WHERE delivery_id = :id
"""
DELETE = "DELETE FROM delivery WHERE id = :id"

PURGE = """
DELETE FROM delivery WHERE id IN (SELECT id FROM delivery
  WHERE state = :state AND updated_at <= :before AND lease_until <= :now
  AND unsure_until <= :now AND NOT EXISTS (SELECT 1 FROM pending
    WHERE pending.external_id = delivery.external_id AND pending.state = 'waiting')
  ORDER BY updated_at LIMIT :at_once)
"""
PURGE_SENT = """
DELETE FROM delivery WHERE id IN (SELECT id FROM delivery
  WHERE state = 'sent' AND lease_until = 0 AND NOT EXISTS (SELECT 1 FROM pending
    WHERE pending.external_id = delivery.external_id AND pending.state = 'waiting')
  ORDER BY updated_at LIMIT 100)
"""
# Rather than refusing a new call: what is awaited of these waits for a document in vain.
PURGE_AWAITING = """
DELETE FROM delivery WHERE id IN (SELECT id FROM delivery
  WHERE state = 'sent' AND lease_until = 0 ORDER BY updated_at LIMIT 100)
"""
EXPIRE = """
UPDATE delivery SET state = 'dead', updated_at = :now,
  details = 'waited longer than ZELTO_MAX_AGE; ' || details
WHERE id IN (SELECT id FROM delivery WHERE state IN ('due', 'held', 'awaited')
  AND lease_until <= :now AND created_at <= :before LIMIT :at_once)
"""
# No schedule of ours reaches this far: the clock was set back.
UNDELAY = "UPDATE delivery SET due_at = :now WHERE state = 'due' AND due_at > :horizon"
UNLEASE = "UPDATE delivery SET lease_until = :now WHERE lease_until > :horizon"
UNCLOSE = """
UPDATE gate SET closed_until = :now, probe_until = 0, leader_until = 0
WHERE closed_until > :horizon OR probe_until > :horizon OR leader_until > :horizon
"""

RETRY = """
UPDATE delivery SET state = 'due', due_at = :now, failures = 0, updated_at = :now,
  created_at = :now, status = NULL, details = ''
WHERE external_id = :external_id AND revision > 0 AND lease_until <= :now
  AND state IN ('dead', 'due', 'sent')
"""

FORGET_JOURNAL = "DELETE FROM journal WHERE call = :call"

RETRY_DEAD = """
UPDATE delivery SET state = 'due', due_at = :now, failures = 0, updated_at = :now,
  created_at = :now, status = NULL, details = ''
WHERE state = 'dead' AND revision > 0 AND lease_until <= :now
"""
# Only as it was seen: a revision that came since is somebody's newest.
DROP = """
DELETE FROM delivery WHERE external_id = :external_id AND base_url = :base_url
  AND lease_until <= :now
"""
DROP_SEEN = """
DELETE FROM delivery WHERE external_id = :external_id AND base_url = :base_url
  AND revision = :revision AND updated_at = :updated_at AND lease_until <= :now
"""
