-- More API formats than one, translation between them, and who an agent says that it works for.

ALTER TABLE pools ADD COLUMN translated TEXT NOT NULL DEFAULT 'last' CHECK (translated IN ('last', 'equal', 'never'));
ALTER TABLE endpoints ADD COLUMN auth TEXT NOT NULL DEFAULT ''
  CHECK (auth IN ('', 'bearer', 'x-api-key', 'api-key', 'x-goog-api-key'));
ALTER TABLE calls ADD COLUMN dropped TEXT NOT NULL DEFAULT '[]';
ALTER TABLE calls ADD COLUMN agent_session TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN agent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN parent_agent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN request_class TEXT NOT NULL DEFAULT '';
CREATE INDEX calls_by_agent_session ON calls (agent_session, id) WHERE agent_session <> '';
ALTER TABLE attempts ADD COLUMN api_format TEXT NOT NULL DEFAULT '';

-- Which backend keeps an answer that a client of the Responses API may come back to, and whose it is.
CREATE TABLE stored_responses (
  id TEXT PRIMARY KEY,
  api_key_id TEXT NOT NULL,
  user_id TEXT,
  backend_id TEXT NOT NULL,
  model TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stored_responses_by_time ON stored_responses (created_at);
