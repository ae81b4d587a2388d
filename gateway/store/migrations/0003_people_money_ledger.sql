-- Money that is limited, people with homes of their own, and a ledger that can be proved.

-- A call may have crashed. Checks cannot be altered, so the table is made anew.
CREATE TABLE new_calls (
  id TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL,
  api_key_id TEXT,
  api_key_name TEXT NOT NULL,
  api_format TEXT NOT NULL,
  path TEXT NOT NULL,
  asked_model TEXT NOT NULL,
  served_model TEXT NOT NULL,
  provider_id TEXT,
  provider TEXT NOT NULL,
  backend_id TEXT,
  backend TEXT NOT NULL,
  pool TEXT NOT NULL,
  is_stream INTEGER NOT NULL CHECK (is_stream IN (0, 1)),
  status TEXT NOT NULL CHECK (status IN ('completed', 'failed', 'cancelled', 'crashed')),
  code INTEGER NOT NULL,
  error_code TEXT NOT NULL,
  error TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_creation_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  usage_source TEXT NOT NULL CHECK (usage_source IN ('reported', 'estimated', 'none')),
  input_price INTEGER,
  output_price INTEGER,
  cache_read_price INTEGER,
  cache_creation_price INTEGER,
  request_price INTEGER,
  cost_nano INTEGER,
  total_ms INTEGER NOT NULL,
  first_byte_ms INTEGER,
  overhead_us INTEGER NOT NULL,
  config_version INTEGER NOT NULL,
  client_ip TEXT NOT NULL,
  attempt_count INTEGER NOT NULL,
  skips TEXT NOT NULL,
  source TEXT NOT NULL DEFAULT 'API' CHECK (source IN ('API', 'TEST')),
  route TEXT NOT NULL DEFAULT '',
  seed INTEGER,
  considered TEXT NOT NULL DEFAULT '[]',
  rate_multiplier INTEGER,
  actual_nano INTEGER,
  user_id TEXT,
  user_name TEXT NOT NULL DEFAULT '',
  upstream_format TEXT NOT NULL DEFAULT '',
  charged_at INTEGER NOT NULL DEFAULT 0,
  reserved_nano INTEGER,
  cache_creation_1h_tokens INTEGER NOT NULL DEFAULT 0,
  cache_creation_1h_price INTEGER,
  price_origin TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
INSERT INTO new_calls (
  id, started_at, api_key_id, api_key_name, api_format, path, asked_model, served_model, provider_id,
  provider, backend_id, backend, pool, is_stream, status, code, error_code, error, input_tokens,
  output_tokens, cache_read_tokens, cache_creation_tokens, reasoning_tokens, usage_source, input_price,
  output_price, cache_read_price, cache_creation_price, request_price, cost_nano, total_ms, first_byte_ms,
  overhead_us, config_version, client_ip, attempt_count, skips, source, route, seed, considered,
  rate_multiplier, actual_nano, charged_at)
SELECT
  id, started_at, api_key_id, api_key_name, api_format, path, asked_model, served_model, provider_id,
  provider, backend_id, backend, pool, is_stream, status, code, error_code, error, input_tokens,
  output_tokens, cache_read_tokens, cache_creation_tokens, reasoning_tokens, usage_source, input_price,
  output_price, cache_read_price, cache_creation_price, request_price, cost_nano, total_ms, first_byte_ms,
  overhead_us, config_version, client_ip, attempt_count, skips, source, route, seed, considered,
  rate_multiplier, actual_nano, started_at
FROM calls;
DROP TABLE calls;
ALTER TABLE new_calls RENAME TO calls;
CREATE INDEX calls_by_time ON calls (started_at);
CREATE INDEX calls_by_key ON calls (api_key_id, id);
CREATE INDEX calls_by_model ON calls (served_model, id);
CREATE INDEX calls_by_backend ON calls (backend_id, id);
CREATE INDEX calls_by_status ON calls (status, id);
CREATE INDEX calls_by_user ON calls (user_id, id);
CREATE INDEX calls_by_provider ON calls (provider_id, id);
CREATE INDEX calls_of_tests ON calls (started_at) WHERE source = 'TEST';
CREATE INDEX calls_by_other_name ON calls (asked_model, id) WHERE asked_model <> served_model;
CREATE INDEX calls_in_trouble ON calls (
  id, status, code, error, started_at, api_key_id, api_key_name, user_id, user_name, asked_model, served_model,
  provider_id, provider, backend_id, backend) WHERE status <> 'completed';
DROP INDEX calls_by_status;

ALTER TABLE models ADD COLUMN cache_creation_1h_price INTEGER CHECK (cache_creation_1h_price >= 0);
ALTER TABLE models ADD COLUMN price_tiers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE mappings ADD COLUMN cache_creation_1h_price INTEGER CHECK (cache_creation_1h_price >= 0);
ALTER TABLE mappings ADD COLUMN price_tiers TEXT;

ALTER TABLE users ADD COLUMN quota_nano INTEGER CHECK (quota_nano >= 0);
ALTER TABLE users ADD COLUMN quota_period TEXT NOT NULL DEFAULT 'monthly' CHECK (quota_period IN ('none', 'daily', 'weekly', 'monthly'));
ALTER TABLE users ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';

ALTER TABLE management_tokens ADD COLUMN scopes TEXT;
ALTER TABLE management_tokens ADD COLUMN allowed_ips TEXT;
ALTER TABLE management_tokens ADD COLUMN last_used_ip TEXT NOT NULL DEFAULT '';

ALTER TABLE audit ADD COLUMN hash BLOB CHECK (length(hash) = 32);

-- Constraints over several columns cannot be added either.
CREATE TABLE new_api_keys (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL CHECK (name <> ''),
  key_hash BLOB NOT NULL UNIQUE CHECK (length(key_hash) = 32),
  prefix TEXT NOT NULL,
  tail TEXT NOT NULL,
  allowed_models TEXT,
  rpm_limit INTEGER CHECK (rpm_limit >= 0),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  expires_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  allowed_providers TEXT,
  allowed_formats TEXT,
  tpm_limit INTEGER CHECK (tpm_limit >= 0),
  max_concurrent INTEGER CHECK (max_concurrent >= 0),
  capabilities TEXT NOT NULL DEFAULT '[]',
  default_agent TEXT NOT NULL DEFAULT '',
  default_business TEXT NOT NULL DEFAULT '',
  default_capability TEXT NOT NULL DEFAULT '',
  version INTEGER NOT NULL DEFAULT 1,
  user_id TEXT REFERENCES users (id),
  budget_nano INTEGER CHECK (budget_nano >= 0),
  budget_period TEXT NOT NULL DEFAULT 'monthly' CHECK (budget_period IN ('none', 'daily', 'weekly', 'monthly')),
  credited_nano INTEGER,
  note TEXT NOT NULL DEFAULT '',
  is_locked INTEGER NOT NULL DEFAULT 0 CHECK (is_locked IN (0, 1)),
  deletes_itself INTEGER NOT NULL DEFAULT 0 CHECK (deletes_itself IN (0, 1)),
  old_hash BLOB CHECK (length(old_hash) = 32),
  old_until INTEGER,
  CHECK (credited_nano IS NULL OR user_id IS NULL)
) STRICT;
INSERT INTO new_api_keys (
  id, name, key_hash, prefix, tail, allowed_models, rpm_limit, is_active, expires_at, created_at, updated_at,
  allowed_providers, allowed_formats, tpm_limit, max_concurrent, capabilities, default_agent,
  default_business, default_capability, version, user_id)
SELECT
  id, name, key_hash, prefix, tail, allowed_models, rpm_limit, is_active, expires_at, created_at, updated_at,
  allowed_providers, allowed_formats, tpm_limit, max_concurrent, capabilities, default_agent,
  default_business, default_capability, version, user_id
FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE new_api_keys RENAME TO api_keys;

-- What each user and API key spent, by period (UTC) and its beginning (Unix ms). Written with the calls that spent it.
CREATE TABLE spends (
  owner TEXT NOT NULL,
  period TEXT NOT NULL CHECK (period IN ('none', 'daily', 'weekly', 'monthly')),
  since INTEGER NOT NULL,
  nano INTEGER NOT NULL CHECK (nano >= 0),
  PRIMARY KEY (owner, period, since)
) STRICT, WITHOUT ROWID;

-- What deleted calls had cost, by day, so that sums can still be proved.
CREATE TABLE carried_spends (
  day INTEGER NOT NULL,
  api_key_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  calls INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  actual_nano INTEGER NOT NULL,
  PRIMARY KEY (day, api_key_id, user_id, provider_id)
) STRICT, WITHOUT ROWID;

-- Calls whose money is limited, from before they are sent until their ledger row is written. Left over by a crash.
CREATE TABLE reservations (
  call_id TEXT PRIMARY KEY,
  draft TEXT NOT NULL,
  reserved_nano INTEGER NOT NULL CHECK (reserved_nano >= 0),
  started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was paid into the balance of an API key that stands alone.
CREATE TABLE top_ups (
  id TEXT PRIMARY KEY,
  api_key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  nano INTEGER NOT NULL,
  note TEXT NOT NULL,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX top_ups_by_key ON top_ups (api_key_id, at);

-- What an operator set for the whole gateway, as JSON; what has no row is as released.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  actor TEXT NOT NULL
) STRICT;

CREATE TABLE announcements (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('info', 'warning', 'maintenance')),
  title TEXT NOT NULL CHECK (title <> ''),
  body TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 50,
  is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1)),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  starts_at INTEGER,
  ends_at INTEGER,
  author TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  CHECK (ends_at IS NULL OR starts_at IS NULL OR ends_at > starts_at)
) STRICT;

CREATE TABLE announcement_reads (
  announcement_id TEXT NOT NULL REFERENCES announcements (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  PRIMARY KEY (announcement_id, user_id)
) STRICT, WITHOUT ROWID;

-- Headers and bodies of calls, where an operator wants them: compressed and sealed. `size` is the whole one's.
CREATE TABLE captures (
  call_id TEXT NOT NULL,
  part TEXT NOT NULL CHECK (part IN ('request_headers', 'request_body', 'response_headers', 'response_body')),
  at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  is_cut INTEGER NOT NULL CHECK (is_cut IN (0, 1)),
  sealed BLOB NOT NULL,
  PRIMARY KEY (call_id, part)
) STRICT;
CREATE INDEX captures_by_time ON captures (at);

-- How many calls began in each hour (its beginning, Unix ms), and how many of them the sums have.
CREATE TABLE hours (
  hour INTEGER PRIMARY KEY,
  calls INTEGER NOT NULL,
  summed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Days in UTC (Unix ms). Of a closed day calls were deleted, so its sums are never made anew, only added to.
CREATE TABLE days (
  day INTEGER PRIMARY KEY,
  summed INTEGER NOT NULL DEFAULT 0,
  is_closed INTEGER NOT NULL DEFAULT 0 CHECK (is_closed IN (0, 1))
) STRICT;

-- Calls that were written after their day was closed, until they are added to its sums.
CREATE TABLE late_calls (
  call_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Sums of an hour's calls by one dimension: total, user, api_key, model, provider or provider_key. `subject` is an id,
-- '' where a call had none. t0 to t12 count calls by time to the end (below 64 ms, 128 ms, ...), f0 to f12 by time to the
-- first byte (below 16 ms, 32 ms, ...).
CREATE TABLE hourly_sums (
  dimension TEXT NOT NULL,
  hour INTEGER NOT NULL,
  subject TEXT NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  denied INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_creation_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  actual_nano INTEGER NOT NULL,
  t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, t2 INTEGER NOT NULL, t3 INTEGER NOT NULL, t4 INTEGER NOT NULL, t5 INTEGER NOT NULL,
  t6 INTEGER NOT NULL, t7 INTEGER NOT NULL, t8 INTEGER NOT NULL, t9 INTEGER NOT NULL, t10 INTEGER NOT NULL, t11 INTEGER NOT NULL, t12 INTEGER NOT NULL,
  f0 INTEGER NOT NULL, f1 INTEGER NOT NULL, f2 INTEGER NOT NULL, f3 INTEGER NOT NULL, f4 INTEGER NOT NULL, f5 INTEGER NOT NULL,
  f6 INTEGER NOT NULL, f7 INTEGER NOT NULL, f8 INTEGER NOT NULL, f9 INTEGER NOT NULL, f10 INTEGER NOT NULL, f11 INTEGER NOT NULL, f12 INTEGER NOT NULL,
  PRIMARY KEY (dimension, hour, subject)
) STRICT, WITHOUT ROWID;

-- The same of a day in UTC, also by two dimensions: `dimensions` is the name of one, or two joined by a plus.
CREATE TABLE daily_sums (
  dimensions TEXT NOT NULL,
  day INTEGER NOT NULL,
  first TEXT NOT NULL,
  second TEXT NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  denied INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_creation_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  actual_nano INTEGER NOT NULL,
  t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, t2 INTEGER NOT NULL, t3 INTEGER NOT NULL, t4 INTEGER NOT NULL, t5 INTEGER NOT NULL,
  t6 INTEGER NOT NULL, t7 INTEGER NOT NULL, t8 INTEGER NOT NULL, t9 INTEGER NOT NULL, t10 INTEGER NOT NULL, t11 INTEGER NOT NULL, t12 INTEGER NOT NULL,
  f0 INTEGER NOT NULL, f1 INTEGER NOT NULL, f2 INTEGER NOT NULL, f3 INTEGER NOT NULL, f4 INTEGER NOT NULL, f5 INTEGER NOT NULL,
  f6 INTEGER NOT NULL, f7 INTEGER NOT NULL, f8 INTEGER NOT NULL, f9 INTEGER NOT NULL, f10 INTEGER NOT NULL, f11 INTEGER NOT NULL, f12 INTEGER NOT NULL,
  PRIMARY KEY (dimensions, day, first, second)
) STRICT, WITHOUT ROWID;

-- What the subjects of sums were last called.
CREATE TABLE subject_names (
  dimension TEXT NOT NULL,
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (dimension, subject)
) STRICT, WITHOUT ROWID;

-- The catalogue of list prices that was taken last, and what each provider lists, as JSON.
CREATE TABLE catalogue (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  date TEXT NOT NULL,
  version TEXT NOT NULL,
  source TEXT NOT NULL,
  licence TEXT NOT NULL,
  taken_at INTEGER NOT NULL
) STRICT;

CREATE TABLE catalogue_prices (
  provider TEXT PRIMARY KEY,
  listings TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO hours (hour, calls) SELECT started_at / 3600000 * 3600000 AS hour, count(*) FROM calls GROUP BY hour;

-- A provider's use counts the calls that began in its period.
UPDATE provider_spend SET used_nano = (
  SELECT coalesce(sum(actual_nano), 0) FROM calls
  WHERE provider_id = provider_spend.provider_id AND charged_at >= provider_spend.since);

-- Whose calls they were, and what API keys and owners have spent so far. Weeks begin on Monday; 1970-01-01 was a Thursday.
UPDATE calls SET user_id = (SELECT user_id FROM api_keys WHERE id = calls.api_key_id) WHERE api_key_id IS NOT NULL;
UPDATE calls SET user_name = (SELECT username FROM users WHERE id = calls.user_id) WHERE user_id IS NOT NULL;
INSERT INTO spends (owner, period, since, nano)
SELECT owner, period,
       CASE period
         WHEN 'none' THEN 0
         WHEN 'daily' THEN charged_at / 86400000 * 86400000
         WHEN 'weekly' THEN ((charged_at / 86400000 + 3) / 7 * 7 - 3) * 86400000
         ELSE CAST(strftime('%s', charged_at / 1000, 'unixepoch', 'start of month') AS INTEGER) * 1000
       END,
       SUM(cost_nano)
FROM (SELECT 'api_key:' || api_key_id AS owner, charged_at, cost_nano
      FROM calls WHERE api_key_id IS NOT NULL AND cost_nano > 0
      UNION ALL
      SELECT 'user:' || user_id, charged_at, cost_nano FROM calls WHERE user_id IS NOT NULL AND cost_nano > 0)
CROSS JOIN (SELECT 'none' AS period UNION ALL SELECT 'daily' UNION ALL SELECT 'weekly' UNION ALL SELECT 'monthly')
GROUP BY 1, 2, 3;
