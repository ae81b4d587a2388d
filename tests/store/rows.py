"""Rows to store, whole and unremarkable; tests change what they are about."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.model.calls import Attempt, CallRecord, CallStatus, Skip, Usage, UsageSource
from gateway.model.people import ApiKey
from gateway.model.registry import (
    ApiFormat,
    BillingType,
    Endpoint,
    KeyVersion,
    Model,
    ModelMapping,
    ModelStatus,
    Pool,
    Price,
    PriceOverride,
    PriceTier,
    Provider,
    ProviderKey,
    RouteRule,
    RouteType,
    Strategy,
    UpstreamAlias,
)

POOL = Pool("pool1", "primary", 0, 5.0, 2.0, 300.0, 0.2, 4, 10.0, 1, 1, Strategy.LEAST_BUSY, 2)
PROVIDER = Provider(
    id="prov1",
    name="openai",
    display_name="OpenAI",
    preset="openai",
    priority=50,
    is_active=True,
    metadata={"team": "a", "n": [1, None]},
    created_at=1,
    updated_at=1,
    description="Ours",
    website="https://example.com",
    billing_type=BillingType.MONTHLY_QUOTA,
    monthly_quota=5_000_000_000,
    quota_reset_days=7,
    quota_expires_at=9000,
    rpm_limit=600,
    concurrent_limit=8,
    max_retries=2,
    version=3,
)
ENDPOINT = Endpoint(
    id="end1",
    provider_id="prov1",
    api_format=ApiFormat.OPENAI_CHAT,
    base_url="https://api.example.com/v1",
    headers={"x-team": "a"},
    timeout_seconds=12.5,
    first_byte_seconds=3.25,
    idle_seconds=0.5,
    local_upstream=None,
    injects_usage=True,
    is_active=True,
    created_at=1,
    updated_at=1,
    custom_path="/deployments/x/chat",
    max_retries=1,
    max_concurrent=4,
    rpm_limit=0,
    proxy_sealed=b"\x00proxy",
    proxy_shown="http://proxy.example.com:3128",
    version=4,
)
KEY = ProviderKey(
    id="key1",
    provider_id="prov1",
    pool_id="pool1",
    name="main",
    api_formats=("openai_chat",),
    sealed=b"\x00sealed",
    env_name=None,
    bound_origin="https://api.example.com:443",
    masked="sk-a…wxyz",
    fingerprint="0123456789ab",
    internal_priority=50,
    weight=1,
    rpm_limit=None,
    is_active=True,
    created_at=1,
    updated_at=1,
    note="for agents",
    rate_multiplier=800_000,
    rate_multipliers={"openai_chat": 500_000},
    global_priority={"openai_chat": 3},
    tpm_limit=100_000,
    max_concurrent=2,
    daily_limit=1000,
    monthly_limit=0,
    allowed_models=(),
    capabilities=("cache_1h",),
    cache_ttl_minutes=0,
    max_probe_interval_minutes=4,
    expires_at=8000,
    version=5,
)
MODEL = Model(
    id="model1",
    code="gpt",
    display_name="GPT",
    status=ModelStatus.ENABLED,
    price=Price(150, 600, 75, 150, 0, 300),
    created_at=1,
    updated_at=1,
    description="The usual one",
    aliases=("fast", "gpt-*"),
    capabilities=("tools", "vision"),
    context_limit=128_000,
    output_limit=16_000,
    input_modalities=("text", "image"),
    output_modalities=("text",),
    family="gpt",
    knowledge_cutoff="2025-06",
    version=6,
    price_tiers=(PriceTier(200_000, Price(300, 900, 150, 300, 0)),),
)
MAPPING = ModelMapping(
    id="map1",
    provider_id="prov1",
    model_id="model1",
    upstream_name="gpt-upstream",
    is_active=True,
    created_at=1,
    updated_at=1,
    aliases=(UpstreamAlias("gpt-east", 0, ("openai_chat",)), UpstreamAlias("gpt-west", 0)),
    price=PriceOverride(input=100, per_request=0, cache_creation_1h=7, tiers=()),
    capabilities=(),
    is_available=False,
    version=7,
)
API_KEY = ApiKey(
    id="ak1",
    name="laptop",
    key_hash=b"h" * 32,
    prefix="sk-gw-abcd",
    tail="wxyz",
    allowed_models=("gpt",),
    rpm_limit=60,
    is_active=True,
    expires_at=5000,
    created_at=1,
    updated_at=1,
    allowed_providers=("openai",),
    allowed_formats=(),
    tpm_limit=1000,
    max_concurrent=3,
    capabilities=("cache_1h",),
    default_agent="coder",
    default_business="billing",
    default_capability="vision",
    version=8,
)
ROUTE_RULE = RouteRule("rule1", RouteType.AGENT, "coder", "model1", 10, False, "for now", 1, 1, 2)
KEY_VERSION = KeyVersion("key1", 1, "sk-a…wxyz", "0123456789ab", "first", "ann", 1)

ATTEMPT = Attempt(1, "end1:key1", "openai/main", "primary", "gpt-upstream", 5, 20, 30, 40, "ok", 200, "", None)
SKIP = Skip("end2:key2", "groq/free", "primary", "cooling", "It rests for 3.5 s more.", 3.5)
CALL = CallRecord(
    id="req_00000000000100",
    started_at=1000,
    api_key_id="ak1",
    api_key_name="laptop",
    api_format="openai_chat",
    path="/v1/chat/completions",
    asked_model="fast",
    served_model="gpt",
    provider_id="prov1",
    provider="openai",
    backend_id="end1:key1",
    backend="openai/main",
    pool="primary",
    is_stream=True,
    status=CallStatus.COMPLETED,
    code=200,
    error_code="",
    error="",
    usage=Usage(10, 20, 3, 4, 5, UsageSource.REPORTED, 2),
    price=Price(150, 600, 75, 150, 0, 300),
    cost_nano=123,
    total_ms=100,
    first_byte_ms=30,
    overhead_us=250,
    config_version=7,
    client_ip="192.0.2.1",
    attempts=(ATTEMPT,),
    skips=(SKIP,),
    price_origin="model v3",
)


def call(number: int, **changes: Any) -> CallRecord:
    """The n-th call: its id sorts after those of lower numbers, and it started at that many milliseconds."""
    return replace(CALL, **{"id": f"req_{number:020d}", "started_at": number, **changes})


def failed(number: int, code: int = 500, **changes: Any) -> CallRecord:
    return call(number, **{"status": CallStatus.FAILED, "code": code, "error_code": "x", "error": "broken", **changes})
