-- The whole database. A new file runs this; an old one walks gateway/store/migrations/.
-- Times are Unix milliseconds, money is nano-dollars, booleans are 0 or 1. New columns go last.

CREATE TABLE pools (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  tier INTEGER NOT NULL,
  cooldown_base_ms INTEGER NOT NULL DEFAULT 5000 CHECK (cooldown_base_ms > 0),
  cooldown_factor REAL NOT NULL DEFAULT 2.0 CHECK (cooldown_factor >= 1),
  cooldown_cap_ms INTEGER NOT NULL DEFAULT 300000 CHECK (cooldown_cap_ms > 0),
  cooldown_jitter REAL NOT NULL DEFAULT 0.2 CHECK (cooldown_jitter BETWEEN 0 AND 0.9),
  max_attempts INTEGER NOT NULL DEFAULT 4 CHECK (max_attempts BETWEEN 1 AND 20),
  wait_ms INTEGER NOT NULL DEFAULT 10000 CHECK (wait_ms >= 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  strategy TEXT NOT NULL DEFAULT 'priority' CHECK (
    strategy IN
    ('priority', 'global_priority', 'weighted', 'round_robin', 'least_busy', 'lowest_latency', 'lowest_cost')),
  version INTEGER NOT NULL DEFAULT 1,
  translated TEXT NOT NULL DEFAULT 'last' CHECK (translated IN ('last', 'equal', 'never'))
) STRICT;

CREATE TABLE providers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  display_name TEXT NOT NULL DEFAULT '',
  preset TEXT NOT NULL DEFAULT 'custom',
  priority INTEGER NOT NULL DEFAULT 50,
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  metadata TEXT NOT NULL DEFAULT '{}',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  website TEXT NOT NULL DEFAULT '',
  billing_type TEXT NOT NULL DEFAULT 'pay_as_you_go' CHECK (billing_type IN ('pay_as_you_go', 'monthly_quota', 'free_tier')),
  monthly_quota INTEGER CHECK (monthly_quota >= 0),
  quota_reset_days INTEGER NOT NULL DEFAULT 30 CHECK (quota_reset_days > 0),
  quota_expires_at INTEGER,
  rpm_limit INTEGER CHECK (rpm_limit >= 0),
  concurrent_limit INTEGER CHECK (concurrent_limit >= 0),
  max_retries INTEGER CHECK (max_retries >= 0),
  version INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  api_format TEXT NOT NULL,
  base_url TEXT NOT NULL CHECK (base_url <> ''),
  headers TEXT NOT NULL DEFAULT '{}',
  timeout_ms INTEGER NOT NULL DEFAULT 600000 CHECK (timeout_ms > 0),
  first_byte_ms INTEGER NOT NULL DEFAULT 120000 CHECK (first_byte_ms > 0),
  idle_ms INTEGER NOT NULL DEFAULT 60000 CHECK (idle_ms > 0),
  local_upstream TEXT,
  injects_usage INTEGER NOT NULL DEFAULT 1 CHECK (injects_usage IN (0, 1)),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  custom_path TEXT NOT NULL DEFAULT '',
  max_retries INTEGER CHECK (max_retries >= 0),
  max_concurrent INTEGER CHECK (max_concurrent >= 0),
  rpm_limit INTEGER CHECK (rpm_limit >= 0),
  proxy_sealed BLOB,
  proxy_shown TEXT NOT NULL DEFAULT '',
  version INTEGER NOT NULL DEFAULT 1,
  auth TEXT NOT NULL DEFAULT '' CHECK (auth IN ('', 'bearer', 'x-api-key', 'api-key', 'x-goog-api-key')),
  UNIQUE (provider_id, api_format)
) STRICT;

CREATE TABLE provider_keys (
  id TEXT PRIMARY KEY,
  provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  pool_id TEXT NOT NULL REFERENCES pools (id),
  name TEXT NOT NULL CHECK (name <> ''),
  api_formats TEXT NOT NULL,
  sealed BLOB,
  env_name TEXT,
  bound_origin TEXT,
  masked TEXT NOT NULL DEFAULT '',
  fingerprint TEXT NOT NULL DEFAULT '',
  internal_priority INTEGER NOT NULL DEFAULT 50,
  weight INTEGER NOT NULL DEFAULT 1 CHECK (weight >= 0),
  rpm_limit INTEGER CHECK (rpm_limit >= 0),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  rate_multiplier INTEGER NOT NULL DEFAULT 1000000 CHECK (rate_multiplier >= 0),
  rate_multipliers TEXT NOT NULL DEFAULT '{}',
  global_priority TEXT NOT NULL DEFAULT '{}',
  tpm_limit INTEGER CHECK (tpm_limit >= 0),
  max_concurrent INTEGER CHECK (max_concurrent >= 0),
  daily_limit INTEGER CHECK (daily_limit >= 0),
  monthly_limit INTEGER CHECK (monthly_limit >= 0),
  allowed_models TEXT,
  capabilities TEXT NOT NULL DEFAULT '[]',
  cache_ttl_minutes INTEGER NOT NULL DEFAULT 5 CHECK (cache_ttl_minutes >= 0),
  max_probe_interval_minutes INTEGER NOT NULL DEFAULT 32 CHECK (max_probe_interval_minutes BETWEEN 2 AND 32),
  expires_at INTEGER,
  version INTEGER NOT NULL DEFAULT 1,
  CHECK (sealed IS NULL OR env_name IS NULL),
  UNIQUE (provider_id, name)
) STRICT;
CREATE INDEX provider_keys_by_pool ON provider_keys (pool_id);

CREATE TABLE models (
  id TEXT PRIMARY KEY,
  code TEXT NOT NULL UNIQUE CHECK (code <> '' AND code = lower(code)),
  display_name TEXT NOT NULL DEFAULT '',
  status TEXT NOT NULL DEFAULT 'ENABLED' CHECK (status IN ('DRAFT', 'ENABLED', 'DISABLED', 'DEPRECATED')),
  input_price INTEGER CHECK (input_price >= 0),
  output_price INTEGER CHECK (output_price >= 0),
  cache_read_price INTEGER CHECK (cache_read_price >= 0),
  cache_creation_price INTEGER CHECK (cache_creation_price >= 0),
  request_price INTEGER CHECK (request_price >= 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  aliases TEXT NOT NULL DEFAULT '[]',
  capabilities TEXT,
  context_limit INTEGER CHECK (context_limit > 0),
  output_limit INTEGER CHECK (output_limit > 0),
  input_modalities TEXT NOT NULL DEFAULT '[]',
  output_modalities TEXT NOT NULL DEFAULT '[]',
  family TEXT NOT NULL DEFAULT '',
  knowledge_cutoff TEXT NOT NULL DEFAULT '',
  version INTEGER NOT NULL DEFAULT 1,
  cache_creation_1h_price INTEGER CHECK (cache_creation_1h_price >= 0),
  price_tiers TEXT NOT NULL DEFAULT '[]',
  CHECK ((input_price IS NULL) = (output_price IS NULL))
) STRICT;

CREATE TABLE mappings (
  id TEXT PRIMARY KEY,
  provider_id TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  upstream_name TEXT NOT NULL CHECK (upstream_name <> ''),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  aliases TEXT NOT NULL DEFAULT '[]',
  input_price INTEGER CHECK (input_price >= 0),
  output_price INTEGER CHECK (output_price >= 0),
  cache_read_price INTEGER CHECK (cache_read_price >= 0),
  cache_creation_price INTEGER CHECK (cache_creation_price >= 0),
  request_price INTEGER CHECK (request_price >= 0),
  capabilities TEXT,
  is_available INTEGER NOT NULL DEFAULT 1 CHECK (is_available IN (0, 1)),
  version INTEGER NOT NULL DEFAULT 1,
  cache_creation_1h_price INTEGER CHECK (cache_creation_1h_price >= 0),
  price_tiers TEXT,
  UNIQUE (provider_id, model_id)
) STRICT;
CREATE INDEX mappings_by_model ON mappings (model_id);

CREATE TABLE api_keys (
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

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL UNIQUE CHECK (username <> '' AND username = lower(username)),
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  theme TEXT NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
  created_at INTEGER NOT NULL,
  last_login_at INTEGER,
  email TEXT NOT NULL DEFAULT '',
  allowed_providers TEXT,
  allowed_formats TEXT,
  allowed_models TEXT,
  capabilities TEXT NOT NULL DEFAULT '{}',
  rpm_limit INTEGER CHECK (rpm_limit >= 0),
  tpm_limit INTEGER CHECK (tpm_limit >= 0),
  max_concurrent INTEGER CHECK (max_concurrent >= 0),
  updated_at INTEGER NOT NULL DEFAULT 0,
  deleted_at INTEGER,
  version INTEGER NOT NULL DEFAULT 1,
  quota_nano INTEGER CHECK (quota_nano >= 0),
  quota_period TEXT NOT NULL DEFAULT 'monthly' CHECK (quota_period IN ('none', 'daily', 'weekly', 'monthly')),
  time_zone TEXT NOT NULL DEFAULT 'UTC'
) STRICT;

CREATE TABLE sessions (
  token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  password_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ip TEXT NOT NULL,
  user_agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE setup_links (
  token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE login_failures (
  subject TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  blocked_until INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE management_tokens (
  id TEXT PRIMARY KEY,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL CHECK (name <> ''),
  token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  tail TEXT NOT NULL,
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  expires_at INTEGER,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  scopes TEXT,
  allowed_ips TEXT,
  last_used_ip TEXT NOT NULL DEFAULT ''
) STRICT;

-- One row: which configuration is in force, and what proves the master key.
CREATE TABLE instance (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  config_version INTEGER NOT NULL,
  key_verifier BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  ip TEXT NOT NULL,
  action TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  before TEXT,
  after TEXT,
  config_version INTEGER NOT NULL,
  hash BLOB CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- Rests and streaks of backends (endpoint id, a colon, provider key id). Written behind, read at start.
CREATE TABLE backend_states (
  backend_id TEXT PRIMARY KEY,
  resting_until INTEGER,
  rest_reason TEXT NOT NULL DEFAULT '',
  rest_kind TEXT NOT NULL DEFAULT 'limited' CHECK (rest_kind IN ('limited', 'quota', 'refused')),
  streak INTEGER NOT NULL DEFAULT 0,
  fault TEXT NOT NULL DEFAULT '',
  fault_at INTEGER,
  breaker_openings INTEGER NOT NULL DEFAULT 0 CHECK (breaker_openings >= 0),
  breaker_open_until INTEGER,
  updated_at INTEGER NOT NULL,
  score REAL,
  first_output_ms REAL,
  allowance INTEGER CHECK (allowance > 0)
) STRICT;

CREATE TABLE calls (
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
  status TEXT NOT NULL CHECK (status IN ('completed', 'failed') OR status IN ('cancelled', 'crashed')),
  code INTEGER NOT NULL,
  error_code TEXT NOT NULL,
  error TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_creation_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  usage_source TEXT NOT NULL CHECK (usage_source IN ('reported', 'estimated') OR usage_source = 'none'),
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
  price_origin TEXT NOT NULL DEFAULT '',
  dropped TEXT NOT NULL DEFAULT '[]',
  agent_session TEXT NOT NULL DEFAULT '',
  agent_id TEXT NOT NULL DEFAULT '',
  parent_agent_id TEXT NOT NULL DEFAULT '',
  request_class TEXT NOT NULL DEFAULT '',
  segment INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_time ON calls (started_at);
CREATE INDEX calls_by_key ON calls (segment, api_key_id, id);
CREATE INDEX calls_by_model ON calls (segment, served_model, id);
CREATE INDEX calls_by_backend ON calls (segment, backend_id, id);
CREATE INDEX calls_by_user ON calls (segment, user_id, id);
CREATE INDEX calls_by_provider ON calls (segment, provider_id, id);
CREATE INDEX calls_of_tests ON calls (started_at) WHERE source = 'TEST';
CREATE INDEX calls_by_other_name ON calls (segment, asked_model, id) WHERE asked_model <> served_model;
CREATE INDEX calls_by_agent_session ON calls (
  agent_session, id, agent_id, parent_agent_id, request_class, started_at, status, code, attempt_count, usage_source,
  input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, cache_creation_1h_tokens, reasoning_tokens,
  cost_nano, actual_nano, segment) WHERE agent_session <> '';
CREATE INDEX calls_in_trouble ON calls (
  id, status, code, error, started_at, api_key_id, api_key_name, user_id, user_name, asked_model, served_model,
  provider_id, provider, backend_id, backend) WHERE status <> 'completed';

-- Some thousand calls each, by id: those above `after_id`, up to the next one's. The first has no lower end.
CREATE TABLE segments (
  number INTEGER PRIMARY KEY,
  after_id TEXT NOT NULL,
  calls INTEGER NOT NULL
) STRICT;
INSERT INTO segments (number, after_id, calls) VALUES (0, '', 0);

-- When each API key was last used (Unix ms), which is known when its calls are deleted, too.
CREATE TABLE last_uses (
  api_key_id TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  call_id TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  backend_id TEXT NOT NULL,
  backend TEXT NOT NULL,
  pool TEXT NOT NULL,
  upstream_model TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  headers_ms INTEGER,
  first_output_ms INTEGER,
  total_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  error TEXT NOT NULL,
  rest_ms INTEGER,
  api_format TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (call_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE route_rules (
  id TEXT PRIMARY KEY,
  route_type TEXT NOT NULL CHECK (route_type IN ('AGENT', 'BUSINESS', 'CAPABILITY', 'GLOBAL')),
  route_key TEXT NOT NULL CHECK (route_key <> '' AND (route_type = 'GLOBAL') = (route_key = '__global__')),
  model_id TEXT NOT NULL REFERENCES models (id),
  priority INTEGER NOT NULL DEFAULT 50,
  is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
  note TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  UNIQUE (route_type, route_key, model_id)
) STRICT;
CREATE INDEX route_rules_by_model ON route_rules (model_id);

-- Which secrets a provider key has had. The secrets themselves are not kept, only what recognises them.
CREATE TABLE key_versions (
  key_id TEXT NOT NULL REFERENCES provider_keys (id) ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number > 0),
  masked TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  note TEXT NOT NULL,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (key_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_checks (
  id TEXT PRIMARY KEY,
  model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  probe TEXT NOT NULL CHECK (probe IN ('none', 'models', 'completion')),
  status TEXT NOT NULL CHECK (status IN ('HEALTHY', 'DEGRADED', 'UNHEALTHY')),
  reason TEXT NOT NULL,
  latency_ms INTEGER,
  results TEXT NOT NULL,
  actor TEXT NOT NULL
) STRICT;
CREATE INDEX model_checks_by_model ON model_checks (model_id, at);

CREATE TABLE model_tests (
  id TEXT PRIMARY KEY,
  model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  call_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('PASSED', 'FAILED')),
  backend TEXT NOT NULL,
  reply TEXT NOT NULL,
  error TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  is_estimated INTEGER NOT NULL CHECK (is_estimated IN (0, 1)),
  latency_ms INTEGER NOT NULL,
  actor TEXT NOT NULL
) STRICT;
CREATE INDEX model_tests_by_model ON model_tests (model_id, at);

-- Use of models that happened elsewhere and was told to us.
CREATE TABLE usage_reports (
  id TEXT PRIMARY KEY,
  model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  source TEXT NOT NULL CHECK (source <> ''),
  request_count INTEGER NOT NULL CHECK (request_count >= 0),
  success_count INTEGER NOT NULL CHECK (success_count BETWEEN 0 AND request_count),
  input_tokens INTEGER NOT NULL CHECK (input_tokens >= 0),
  output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
  cost_nano INTEGER CHECK (cost_nano >= 0),
  reported_at INTEGER NOT NULL,
  actor TEXT NOT NULL
) STRICT;
CREATE INDEX usage_reports_by_model ON usage_reports (model_id, at);

-- What is left in buckets that are not full. Written behind, read at start.
CREATE TABLE bucket_levels (
  name TEXT PRIMARY KEY,
  level REAL NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Rests of whole endpoints. Written behind, read at start.
CREATE TABLE endpoint_rests (
  endpoint_id TEXT PRIMARY KEY,
  resting_until INTEGER NOT NULL,
  reason TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- What was learned of a provider key's requests per minute, as JSON. Written behind, read at start.
CREATE TABLE adaptive_limits (
  key_id TEXT PRIMARY KEY,
  learned TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- What was spent at a provider since its quota last began anew; written with the calls that spent it.
CREATE TABLE provider_spend (
  provider_id TEXT PRIMARY KEY,
  used_nano INTEGER NOT NULL CHECK (used_nano >= 0),
  since INTEGER NOT NULL
) STRICT;

-- What sums of the tables above and below have come to with the calls of some batches, as JSON; written there soon.
CREATE TABLE pending_sums (
  number INTEGER PRIMARY KEY,
  sums TEXT NOT NULL
) STRICT;

-- What each user and API key spent, by day (UTC, days since 1970). Written with the calls that spent it.
CREATE TABLE spends (
  owner TEXT NOT NULL,
  day INTEGER NOT NULL,
  nano INTEGER NOT NULL CHECK (nano >= 0),
  PRIMARY KEY (owner, day)
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

-- How many calls began in each hour (its beginning, Unix ms), how many of them the sums have, and how many wait.
CREATE TABLE hours (
  hour INTEGER PRIMARY KEY,
  calls INTEGER NOT NULL,
  summed INTEGER NOT NULL DEFAULT 0,
  waiting INTEGER NOT NULL DEFAULT 0
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

PRAGMA user_version = 8;
