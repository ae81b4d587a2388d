-- Calls wait for their sums, which are added to while an hour runs; a session is summed from its index alone.

ALTER TABLE hours ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;

-- Calls that are not in the sums of their hour and day yet, a row for each time that some were written: how many, and a
-- JSON object of their ids and when they began (Unix ms).
CREATE TABLE unsummed_calls (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  calls INTEGER NOT NULL,
  began TEXT NOT NULL
) STRICT;

-- Attempts at providers by minute (its beginning, Unix ms), of the latest hours' calls; `hour` is their calls'. Faults of
-- the client's own and clients that left say nothing about a provider and are not counted.
CREATE TABLE attempt_minutes (
  hour INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  provider TEXT NOT NULL,
  ok INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  limited INTEGER NOT NULL,
  PRIMARY KEY (hour, minute, provider)
) STRICT, WITHOUT ROWID;

DROP INDEX calls_by_agent_session;
CREATE INDEX calls_by_agent_session ON calls (
  agent_session, id, agent_id, parent_agent_id, request_class, started_at, status, code, attempt_count, usage_source,
  input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, cache_creation_1h_tokens, reasoning_tokens,
  cost_nano, actual_nano) WHERE agent_session <> '';
