"""The nouns an operator configures. Rows of the registry tables, frozen."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.hiding import hiding
from gateway.model.words import Word

DEMO_PRESET = "demo"
BUILTIN_PATHS: Mapping[str, str] = {"builtin:demo": "/v1", "builtin:demo-spare": "/spare/v1"}
"""Base URLs that stand for the demo server inside this process, wherever it listens, and their paths there."""


class ApiFormat(Word):
    """A wire format that an endpoint speaks."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI_GENERATE = "gemini_generate"
    OPENAI_COMPLETIONS = "openai_completions"
    OPENAI_EMBEDDINGS = "openai_embeddings"
    OPENAI_MODERATIONS = "openai_moderations"
    OPENAI_IMAGES = "openai_images"
    OPENAI_AUDIO = "openai_audio"
    RERANK = "rerank"


TRANSLATABLE = (
    ApiFormat.OPENAI_CHAT,
    ApiFormat.OPENAI_RESPONSES,
    ApiFormat.ANTHROPIC_MESSAGES,
    ApiFormat.GEMINI_GENERATE,
)
"""Formats of conversations. A call in one of them can be served by an endpoint of another; the rest stay in theirs."""


class Auth(Word):
    """The header that carries a provider key; BEARER is `authorization: Bearer …`."""

    BEARER = "bearer"
    X_API_KEY = "x-api-key"
    API_KEY = "api-key"
    X_GOOG_API_KEY = "x-goog-api-key"


class BillingType(Word):
    """How a provider is paid. What a free tier serves has no actual cost."""

    PAY_AS_YOU_GO = "pay_as_you_go"
    MONTHLY_QUOTA = "monthly_quota"
    FREE_TIER = "free_tier"


class Strategy(Word):
    """How a pool orders its backends."""

    PRIORITY = "priority"
    GLOBAL_PRIORITY = "global_priority"
    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"
    LOWEST_LATENCY = "lowest_latency"
    LOWEST_COST = "lowest_cost"


class Translated(Word):
    """Where a pool's backends of another API format than the call's come: after every one of the call's own format,
    in their place, or not at all.
    """

    LAST = "last"
    EQUAL = "equal"
    NEVER = "never"


class RouteType(Word):
    """What a route rule goes by, the most specific first."""

    AGENT = "AGENT"
    BUSINESS = "BUSINESS"
    CAPABILITY = "CAPABILITY"
    GLOBAL = "GLOBAL"


GLOBAL_ROUTE_KEY = "__global__"
"""The reserved key of every GLOBAL rule."""

RATE_UNIT = 1_000_000
"""A rate multiplier of 1, in millionths."""


class ModelStatus(Word):
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


class Provider(msgspec.Struct, frozen=True):
    """A company, account or local server that answers LLM calls. Lower `priority` goes first.

    Limits: None unlimited, 0 refuses. `monthly_quota` is in nano-dollars and begins anew every `quota_reset_days`;
    after `quota_expires_at` (Unix ms) nothing is sent. `max_retries`: further attempts of one call here; None as
    many as the pool allows.
    """

    id: str
    name: str
    display_name: str
    preset: str
    priority: int
    is_active: bool
    metadata: Mapping[str, object]
    created_at: int
    updated_at: int
    description: str = ""
    website: str = ""
    billing_type: BillingType = BillingType.PAY_AS_YOU_GO
    monthly_quota: int | None = None
    quota_reset_days: int = 30
    quota_expires_at: int | None = None
    rpm_limit: int | None = None
    concurrent_limit: int | None = None
    max_retries: int | None = None
    version: int = 1


class Endpoint(msgspec.Struct, frozen=True):
    """One provider's base URL for one API format.

    `timeout_seconds` bounds a whole attempt, `first_byte_seconds` the wait for the first real output and
    `idle_seconds` the silence between two reads. `local_upstream` is the one private `host:port` that may be
    dialled. `injects_usage`: ask for the usage chunk of a stream when the client did not. `custom_path` takes the
    place of the format's own path after the base URL, with `{model}` for the provider's name of the model and
    `{action}` for the end of the format's own path. `proxy_sealed` is the URL of an outbound proxy, encrypted;
    `proxy_shown` the same without its credentials. `auth` None is the format's own header. Limits: None unlimited,
    0 refuses; `max_retries` as a provider's.
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
    custom_path: str = ""
    max_retries: int | None = None
    max_concurrent: int | None = None
    rpm_limit: int | None = None
    proxy_sealed: bytes | None = None
    proxy_shown: str = ""
    version: int = 1
    auth: Auth | None = None

    __repr__ = hiding("proxy_sealed")


class ProviderKey(msgspec.Struct, frozen=True):
    """A secret that the provider gave us.

    Exactly one of `sealed` (encrypted here) and `env_name` (a reference to the environment) is set, or
    neither for a keyless local server. The secret goes only to `bound_origin` (`scheme://host:port`);
    where that is None the key must be entered again.

    `rpm_limit` None is learned from the provider's refusals; every other limit None is unlimited, and 0 refuses:
    `tpm_limit` tokens a minute, `max_concurrent` calls at once, `daily_limit` and `monthly_limit` requests.
    `internal_priority` orders a provider's keys, `global_priority` (by API format) all keys of a pool that goes by
    it; lower first. `rate_multiplier` is actual cost over list cost in millionths, `rate_multipliers` the same for
    single API formats. `allowed_models` None is all of them. `cache_ttl_minutes` is how long a session's next call
    comes back here; 0 never. `expires_at` is Unix ms.
    """

    id: str
    provider_id: str
    pool_id: str
    name: str
    api_formats: tuple[str, ...]
    sealed: bytes | None
    env_name: str | None
    bound_origin: str | None
    masked: str
    fingerprint: str
    internal_priority: int
    weight: int
    rpm_limit: int | None
    is_active: bool
    created_at: int
    updated_at: int
    note: str = ""
    rate_multiplier: int = RATE_UNIT
    rate_multipliers: Mapping[str, int] = msgspec.field(default_factory=dict)
    global_priority: Mapping[str, int] = msgspec.field(default_factory=dict)
    tpm_limit: int | None = None
    max_concurrent: int | None = None
    daily_limit: int | None = None
    monthly_limit: int | None = None
    allowed_models: tuple[str, ...] | None = None
    capabilities: tuple[str, ...] = ()
    cache_ttl_minutes: int = 5
    max_probe_interval_minutes: int = 32
    expires_at: int | None = None
    version: int = 1

    __repr__ = hiding("sealed")


class KeyVersion(msgspec.Struct, frozen=True):
    """One secret that a provider key has had, by what recognises it. The highest `number` is the active one."""

    key_id: str
    number: int
    masked: str
    fingerprint: str
    note: str
    actor: str
    at: int


class Pool(msgspec.Struct, frozen=True):
    """A tier of backends with one strategy and one cooldown policy: base × factor^(n-1), jittered, capped.

    Lower `tier` first.

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
    strategy: Strategy = Strategy.PRIORITY
    version: int = 1
    translated: Translated = Translated.LAST


class Price(msgspec.Struct, frozen=True):
    """Nano-dollars per million tokens, and per request. `cache_creation_1h` None is as `cache_creation`."""

    input: int
    output: int
    cache_read: int
    cache_creation: int
    per_request: int
    cache_creation_1h: int | None = None

    @property
    def written_for_an_hour(self) -> int:
        """The price of a token that a cache keeps for an hour instead of five minutes."""
        return self.cache_creation if self.cache_creation_1h is None else self.cache_creation_1h


class PriceTier(msgspec.Struct, frozen=True):
    """What every token of a call costs that has more than `above` input tokens, cached ones among them."""

    above: int
    price: Price


class PriceTable(msgspec.Struct, frozen=True):
    """The price of a call by its size. `tiers` rise strictly above `base`; `origin` says whose price it is."""

    base: Price
    tiers: tuple[PriceTier, ...] = ()
    origin: str = ""

    def at(self, tokens: int) -> Price:
        """What prices the whole of a call with so many input tokens, those from and to a cache among them."""
        found = self.base
        for tier in self.tiers:
            if tokens <= tier.above:
                break
            found = tier.price
        return found


class Model(msgspec.Struct, frozen=True):
    """A public model. `price` None is "unpriced", which is not free; `price_tiers` are of calls with more tokens.

    `aliases` are further names, exact or ending in `*`. `capabilities` None is unknown, which stops nothing; a set
    that is given is complete. `context_limit` and `output_limit` are tokens.
    """

    id: str
    code: str
    display_name: str
    status: ModelStatus
    price: Price | None
    created_at: int
    updated_at: int
    description: str = ""
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] | None = None
    context_limit: int | None = None
    output_limit: int | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    family: str = ""
    knowledge_cutoff: str = ""
    version: int = 1
    price_tiers: tuple[PriceTier, ...] = ()


class UpstreamAlias(msgspec.Struct, frozen=True):
    """Another name that a provider knows a model by. Lower `priority` is asked for; formats empty are all."""

    name: str
    priority: int
    api_formats: tuple[str, ...] = ()


class PriceOverride(msgspec.Struct, frozen=True):
    """What a mapping's price says differently from its model's; None inherits. Without `tiers` () there are none."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_creation: int | None = None
    per_request: int | None = None
    cache_creation_1h: int | None = None
    tiers: tuple[PriceTier, ...] | None = None


class ModelMapping(msgspec.Struct, frozen=True):
    """How one provider serves a model.

    `aliases` take the place of `upstream_name` where one fits the call's format. `is_active` is the operator's
    word, `is_available` the provider's. `capabilities` None inherits the model's.
    """

    id: str
    provider_id: str
    model_id: str
    upstream_name: str
    is_active: bool
    created_at: int
    updated_at: int
    aliases: tuple[UpstreamAlias, ...] = ()
    price: PriceOverride = PriceOverride()
    capabilities: tuple[str, ...] | None = None
    is_available: bool = True
    version: int = 1


class RouteRule(msgspec.Struct, frozen=True):
    """Turns a purpose into a model. Rules of one type and key are a chain by `priority`, then id."""

    id: str
    route_type: RouteType
    route_key: str
    model_id: str
    priority: int
    is_enabled: bool
    note: str
    created_at: int
    updated_at: int
    version: int = 1
