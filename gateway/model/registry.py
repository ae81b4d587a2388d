"""The nouns an operator configures. Rows of the registry tables, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

DEMO_PRESET = "demo"
BUILTIN_PATHS: Mapping[str, str] = {"builtin:demo": "/v1", "builtin:demo-spare": "/spare/v1"}
"""Base URLs that stand for the demo server inside this process, wherever it listens, and their paths there."""


class ApiFormat(StrEnum):
    """A wire format that an endpoint speaks."""

    OPENAI_CHAT = "openai_chat"


class ModelStatus(StrEnum):
    """Life cycle of a model; only ENABLED serves."""

    DRAFT = "DRAFT"
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    DEPRECATED = "DEPRECATED"


MODEL_TRANSITIONS: Mapping[ModelStatus, frozenset[ModelStatus]] = {
    ModelStatus.DRAFT: frozenset({ModelStatus.ENABLED, ModelStatus.DISABLED, ModelStatus.DEPRECATED}),
    ModelStatus.ENABLED: frozenset({ModelStatus.DISABLED, ModelStatus.DEPRECATED}),
    ModelStatus.DISABLED: frozenset({ModelStatus.ENABLED, ModelStatus.DEPRECATED}),
    ModelStatus.DEPRECATED: frozenset({ModelStatus.DISABLED}),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A company, account or local server that answers LLM calls. Lower `priority` goes first."""

    id: str
    name: str
    display_name: str
    preset: str
    priority: int
    is_active: bool
    metadata: Mapping[str, object]
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider's base URL for one API format.

    `timeout_seconds` bounds a whole attempt, `first_byte_seconds` the wait for the first real output and
    `idle_seconds` the silence between two reads. `local_upstream` is the one private `host:port` that may
    be dialled. `injects_usage`: ask for the usage chunk of a stream when the client did not.
    """

    id: str
    provider_id: str
    api_format: ApiFormat
    base_url: str
    headers: Mapping[str, str]
    timeout_seconds: float
    first_byte_seconds: float
    idle_seconds: float
    local_upstream: str | None
    injects_usage: bool
    is_active: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A secret that the provider gave us.

    Exactly one of `sealed` (encrypted here) and `env_name` (a reference to the environment) is set, or
    neither for a keyless local server. The secret goes only to `bound_origin` (`scheme://host:port`);
    where that is None the key must be entered again. `rpm_limit`: None unlimited, 0 refuses.
    """

    id: str
    provider_id: str
    pool_id: str
    name: str
    api_formats: tuple[str, ...]
    sealed: bytes | None = field(repr=False)
    env_name: str | None
    bound_origin: str | None
    masked: str
    fingerprint: str
    priority: int
    weight: int
    rpm_limit: int | None
    is_active: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A tier of backends with one cooldown policy: base × factor^(n-1), jittered, capped. Lower `tier` first.

    `wait_seconds`: how long a call may wait for the first backend to recover when all of them rest.
    """

    id: str
    name: str
    tier: int
    cooldown_base_seconds: float
    cooldown_factor: float
    cooldown_cap_seconds: float
    cooldown_jitter: float
    max_attempts: int
    wait_seconds: float
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars per million tokens, and per request."""

    input: int
    output: int
    cache_read: int
    cache_creation: int
    per_request: int


@dataclass(frozen=True, slots=True)
class Model:
    """A public model. `price` None is "unpriced", which is not free."""

    id: str
    code: str
    display_name: str
    status: ModelStatus
    price: Price | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class ModelMapping:
    """How one provider serves a model."""

    id: str
    provider_id: str
    model_id: str
    upstream_name: str
    is_active: bool
    created_at: int
    updated_at: int
