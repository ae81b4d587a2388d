-- The whole registry, strategies of pools, limits at every level, and what is kept of them.

ALTER TABLE pools ADD COLUMN strategy TEXT NOT NULL DEFAULT 'priority' CHECK (
  strategy IN
  ('priority', 'global_priority', 'weighted', 'round_robin', 'least_busy', 'lowest_latency', 'lowest_cost'));
ALTER TABLE pools ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE providers ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE providers ADD COLUMN website TEXT NOT NULL DEFAULT '';
ALTER TABLE providers ADD COLUMN billing_type TEXT NOT NULL DEFAULT 'pay_as_you_go' CHECK (billing_type IN ('pay_as_you_go', 'monthly_quota', 'free_tier'));
ALTER TABLE providers ADD COLUMN monthly_quota INTEGER CHECK (monthly_quota >= 0);
ALTER TABLE providers ADD COLUMN quota_reset_days INTEGER NOT NULL DEFAULT 30 CHECK (quota_reset_days > 0);
ALTER TABLE providers ADD COLUMN quota_expires_at INTEGER;
ALTER TABLE providers ADD COLUMN rpm_limit INTEGER CHECK (rpm_limit >= 0);
ALTER TABLE providers ADD COLUMN concurrent_limit INTEGER CHECK (concurrent_limit >= 0);
ALTER TABLE providers ADD COLUMN max_retries INTEGER CHECK (max_retries >= 0);
ALTER TABLE providers ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE endpoints ADD COLUMN custom_path TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN max_retries INTEGER CHECK (max_retries >= 0);
ALTER TABLE endpoints ADD COLUMN max_concurrent INTEGER CHECK (max_concurrent >= 0);
ALTER TABLE endpoints ADD COLUMN rpm_limit INTEGER CHECK (rpm_limit >= 0);
ALTER TABLE endpoints ADD COLUMN proxy_sealed BLOB;
ALTER TABLE endpoints ADD COLUMN proxy_shown TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE provider_keys RENAME COLUMN priority TO internal_priority;
ALTER TABLE provider_keys ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE provider_keys ADD COLUMN rate_multiplier INTEGER NOT NULL DEFAULT 1000000 CHECK (rate_multiplier >= 0);
ALTER TABLE provider_keys ADD COLUMN rate_multipliers TEXT NOT NULL DEFAULT '{}';
ALTER TABLE provider_keys ADD COLUMN global_priority TEXT NOT NULL DEFAULT '{}';
ALTER TABLE provider_keys ADD COLUMN tpm_limit INTEGER CHECK (tpm_limit >= 0);
ALTER TABLE provider_keys ADD COLUMN max_concurrent INTEGER CHECK (max_concurrent >= 0);
ALTER TABLE provider_keys ADD COLUMN daily_limit INTEGER CHECK (daily_limit >= 0);
ALTER TABLE provider_keys ADD COLUMN monthly_limit INTEGER CHECK (monthly_limit >= 0);
ALTER TABLE provider_keys ADD COLUMN allowed_models TEXT;
ALTER TABLE provider_keys ADD COLUMN capabilities TEXT NOT NULL DEFAULT '[]';
ALTER TABLE provider_keys ADD COLUMN cache_ttl_minutes INTEGER NOT NULL DEFAULT 5 CHECK (cache_ttl_minutes >= 0);
ALTER TABLE provider_keys ADD COLUMN max_probe_interval_minutes INTEGER NOT NULL DEFAULT 32 CHECK (max_probe_interval_minutes BETWEEN 2 AND 32);
ALTER TABLE provider_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE provider_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE models ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN aliases TEXT NOT NULL DEFAULT '[]';
ALTER TABLE models ADD COLUMN capabilities TEXT;
ALTER TABLE models ADD COLUMN context_limit INTEGER CHECK (context_limit > 0);
ALTER TABLE models ADD COLUMN output_limit INTEGER CHECK (output_limit > 0);
ALTER TABLE models ADD COLUMN input_modalities TEXT NOT NULL DEFAULT '[]';
ALTER TABLE models ADD COLUMN output_modalities TEXT NOT NULL DEFAULT '[]';
ALTER TABLE models ADD COLUMN family TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN knowledge_cutoff TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE mappings ADD COLUMN aliases TEXT NOT NULL DEFAULT '[]';
ALTER TABLE mappings ADD COLUMN input_price INTEGER CHECK (input_price >= 0);
ALTER TABLE mappings ADD COLUMN output_price INTEGER CHECK (output_price >= 0);
ALTER TABLE mappings ADD COLUMN cache_read_price INTEGER CHECK (cache_read_price >= 0);
ALTER TABLE mappings ADD COLUMN cache_creation_price INTEGER CHECK (cache_creation_price >= 0);
ALTER TABLE mappings ADD COLUMN request_price INTEGER CHECK (request_price >= 0);
ALTER TABLE mappings ADD COLUMN capabilities TEXT;
ALTER TABLE mappings ADD COLUMN is_available INTEGER NOT NULL DEFAULT 1 CHECK (is_available IN (0, 1));
ALTER TABLE mappings ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE api_keys ADD COLUMN allowed_providers TEXT;
ALTER TABLE api_keys ADD COLUMN allowed_formats TEXT;
ALTER TABLE api_keys ADD COLUMN tpm_limit INTEGER CHECK (tpm_limit >= 0);
ALTER TABLE api_keys ADD COLUMN max_concurrent INTEGER CHECK (max_concurrent >= 0);
ALTER TABLE api_keys ADD COLUMN capabilities TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_keys ADD COLUMN default_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN default_business TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN default_capability TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE api_keys ADD COLUMN user_id TEXT REFERENCES users (id);

ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN allowed_providers TEXT;
ALTER TABLE users ADD COLUMN allowed_formats TEXT;
ALTER TABLE users ADD COLUMN allowed_models TEXT;
ALTER TABLE users ADD COLUMN capabilities TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN rpm_limit INTEGER CHECK (rpm_limit >= 0);
ALTER TABLE users ADD COLUMN tpm_limit INTEGER CHECK (tpm_limit >= 0);
ALTER TABLE users ADD COLUMN max_concurrent INTEGER CHECK (max_concurrent >= 0);
ALTER TABLE users ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN deleted_at INTEGER;
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE backend_states ADD COLUMN score REAL;
ALTER TABLE backend_states ADD COLUMN first_output_ms REAL;
ALTER TABLE backend_states ADD COLUMN allowance INTEGER CHECK (allowance > 0);

ALTER TABLE calls ADD COLUMN source TEXT NOT NULL DEFAULT 'API' CHECK (source IN ('API', 'TEST'));
ALTER TABLE calls ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN seed INTEGER;
ALTER TABLE calls ADD COLUMN considered TEXT NOT NULL DEFAULT '[]';
ALTER TABLE calls ADD COLUMN rate_multiplier INTEGER;
ALTER TABLE calls ADD COLUMN actual_nano INTEGER;

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

INSERT INTO key_versions (key_id, number, masked, fingerprint, note, actor, at)
SELECT id, 1, masked, fingerprint, '', '', created_at FROM provider_keys WHERE masked <> '';

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
