-- The ledger's indexes begin with a segment of some thousand calls: with many keys and models, the places where calls
-- are written are near each other. All calls of now are one segment.

CREATE TABLE last_uses (
  api_key_id TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO last_uses (api_key_id, at)
SELECT id, at FROM (
  SELECT id, (SELECT started_at FROM calls WHERE api_key_id = api_keys.id ORDER BY calls.id DESC LIMIT 1) AS at
  FROM api_keys)
WHERE at IS NOT NULL;

CREATE TABLE segments (
  number INTEGER PRIMARY KEY,
  after_id TEXT NOT NULL,
  calls INTEGER NOT NULL
) STRICT;
INSERT INTO segments (number, after_id, calls) SELECT 0, '', count(*) FROM (SELECT 1 FROM calls LIMIT 4096);

ALTER TABLE calls ADD COLUMN segment INTEGER NOT NULL DEFAULT 0;
DROP INDEX calls_by_key;
DROP INDEX calls_by_model;
DROP INDEX calls_by_backend;
DROP INDEX calls_by_user;
DROP INDEX calls_by_provider;
DROP INDEX calls_by_other_name;
DROP INDEX calls_by_agent_session;
CREATE INDEX calls_by_key ON calls (segment, api_key_id, id);
CREATE INDEX calls_by_model ON calls (segment, served_model, id);
CREATE INDEX calls_by_backend ON calls (segment, backend_id, id);
CREATE INDEX calls_by_user ON calls (segment, user_id, id);
CREATE INDEX calls_by_provider ON calls (segment, provider_id, id);
CREATE INDEX calls_by_other_name ON calls (segment, asked_model, id) WHERE asked_model <> served_model;
CREATE INDEX calls_by_agent_session ON calls (
  agent_session, id, agent_id, parent_agent_id, request_class, started_at, status, code, attempt_count, usage_source,
  input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, cache_creation_1h_tokens, reasoning_tokens,
  cost_nano, actual_nano, segment) WHERE agent_session <> '';
