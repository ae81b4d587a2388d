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
  updated_at INTEGER NOT NULL
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
  updated_at INTEGER NOT NULL
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
  priority INTEGER NOT NULL DEFAULT 50,
  weight INTEGER NOT NULL DEFAULT 1 CHECK (weight >= 0),
  rpm_limit INTEGER CHECK (rpm_limit >= 0),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
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
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL UNIQUE CHECK (username <> '' AND username = lower(username)),
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  theme TEXT NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
  created_at INTEGER NOT NULL,
  last_login_at INTEGER
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
  last_used_at INTEGER
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
  config_version INTEGER NOT NULL
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
  updated_at INTEGER NOT NULL
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
  status TEXT NOT NULL CHECK (status IN ('completed', 'failed', 'cancelled')),
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
  skips TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_time ON calls (started_at);
CREATE INDEX calls_by_key ON calls (api_key_id, id);
CREATE INDEX calls_by_model ON calls (served_model, id);
CREATE INDEX calls_by_backend ON calls (backend_id, id);
CREATE INDEX calls_by_status ON calls (status, id);

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
  PRIMARY KEY (call_id, number)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
