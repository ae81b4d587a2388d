"""Rows to store, whole and unremarkable; tests change what they are about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.model.calls import Attempt, CallRecord, CallStatus, Skip, Usage, UsageSource
from gateway.model.people import ApiKey
from gateway.model.registry import (
    ApiFormat,
    Endpoint,
    Model,
    ModelMapping,
    ModelStatus,
    Pool,
    Price,
    Provider,
    ProviderKey,
)

POOL = Pool("pool1", "primary", 0, 5.0, 2.0, 300.0, 0.2, 4, 10.0, 1, 1)
PROVIDER = Provider("prov1", "openai", "OpenAI", "openai", 50, True, {"team": "a", "n": [1, None]}, 1, 1)
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
)
MODEL = Model("model1", "gpt", "GPT", ModelStatus.ENABLED, Price(150, 600, 75, 150, 0), 1, 1)
MAPPING = ModelMapping("map1", "prov1", "model1", "gpt-upstream", True, 1, 1)
API_KEY = ApiKey("ak1", "laptop", b"h" * 32, "sk-gw-abcd", "wxyz", ("gpt",), 60, True, 5000, 1, 1)

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
    usage=Usage(10, 20, 3, 4, 5, UsageSource.REPORTED),
    price=Price(150, 600, 75, 150, 0),
    cost_nano=123,
    total_ms=100,
    first_byte_ms=30,
    overhead_us=250,
    config_version=7,
    client_ip="192.0.2.1",
    attempts=(ATTEMPT,),
    skips=(SKIP,),
)


def call(number: int, **changes: Any) -> CallRecord:
    """The n-th call: its id sorts after those of lower numbers, and it started at that many milliseconds."""
    return replace(CALL, **{"id": f"req_{number:020d}", "started_at": number, **changes})


def failed(number: int, code: int = 500, **changes: Any) -> CallRecord:
    return call(number, **{"status": CallStatus.FAILED, "code": code, "error_code": "x", "error": "broken", **changes})
