"""What is written down of a call: values that cannot lead back to themselves, so no work for the garbage collector."""

from __future__ import annotations

import msgspec

from gateway.model.registry import Price
from gateway.model.words import Word


class CallStatus(Word):
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


class UsageSource(Word):
    """Where token counts come from: the provider said so, we guessed, or nothing was used."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    NONE = "none"


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one call. `input` excludes what was read from or written to a cache: counted once.

    `cache_creation_1h` are those that a cache keeps for an hour; `cache_creation` has the others.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    reasoning: int = 0
    source: UsageSource = UsageSource.NONE
    cache_creation_1h: int = 0

    @property
    def all_input(self) -> int:
        """Everything that went in, from and to a cache too: what chooses the tier of a price."""
        return self.input + self.cache_read + self.cache_creation + self.cache_creation_1h


class Skip(msgspec.Struct, frozen=True, gc=False):
    """A backend that was considered and not asked. `seconds` until the reason ends, where it ends by itself.

    `api_format` is the endpoint's.
    """

    backend_id: str
    backend: str
    pool: str
    reason: str
    sentence: str
    seconds: float | None
    api_format: str = ""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One try at one backend. Milliseconds count from the start of the call, `total_ms` from the attempt's.

    `outcome` is `ok` or the reason it was left; `rest_ms` is the cooldown it caused. `api_format` is the endpoint's.
    """

    number: int
    backend_id: str
    backend: str
    pool: str
    upstream_model: str
    started_ms: int
    headers_ms: int | None
    first_output_ms: int | None
    total_ms: int
    outcome: str
    status: int | None
    error: str
    rest_ms: int | None
    api_format: str = ""


class Attribution(msgspec.Struct, frozen=True, gc=False):
    """What a coding agent says of a call: its session, which of its agents asks, for which other, and in which class
    of its requests (`main`, `subagent`, `compaction` …). Empty where it does not say.
    """

    session: str = ""
    agent: str = ""
    parent_agent: str = ""
    request_class: str = ""


class CallSource(Word):
    """Who made a call: a client, or an operator's test."""

    API = "API"
    TEST = "TEST"


class Considered(msgspec.Struct, frozen=True, gc=False):
    """A backend of the plan, at its place in the order. `why` tells what put it there besides priority.

    `api_format` is the endpoint's.
    """

    backend_id: str
    backend: str
    pool: str
    upstream_model: str
    why: str = ""
    api_format: str = ""


class CallRecord(msgspec.Struct, frozen=True, gc=False):
    """One ledger row with its attempts. `cost_nano` None means that a used model has no price.

    `cost_nano` is the list cost, `actual_nano` what the provider takes for it: the list cost times `rate_multiplier`
    (millionths), nothing on a free tier. `route` is the rule that chose the model (`AGENT:coder`), `seed` and
    `considered` the plan as it was decided. `charged_at` (Unix ms) says which periods the cost counts in, and
    `reserved_nano` what was held back of limited money meanwhile, None where no limit of money held. `price` is that of
    the tier the call was in, `price_origin` where it comes from (`model v7`, `catalogue 2026-11-20`).
    `dropped` names what translation could not carry.
    """

    id: str
    started_at: int
    api_key_id: str | None
    api_key_name: str
    api_format: str
    path: str
    asked_model: str
    served_model: str
    provider_id: str | None
    provider: str
    backend_id: str | None
    backend: str
    pool: str
    is_stream: bool
    status: CallStatus
    code: int
    error_code: str
    error: str
    usage: Usage
    price: Price | None
    cost_nano: int | None
    total_ms: int
    first_byte_ms: int | None
    overhead_us: int
    config_version: int
    client_ip: str
    attempts: tuple[Attempt, ...]
    skips: tuple[Skip, ...]
    source: CallSource = CallSource.API
    route: str = ""
    seed: int | None = None
    considered: tuple[Considered, ...] = ()
    rate_multiplier: int | None = None
    actual_nano: int | None = None
    user_id: str | None = None
    user_name: str = ""
    upstream_format: str = ""
    charged_at: int = 0
    reserved_nano: int | None = None
    price_origin: str = ""
    dropped: tuple[str, ...] = ()
    attribution: Attribution = Attribution()


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """A call whose money is limited, as it is written down before it is sent, for the case that its end never is.

    `input_tokens` and `output_tokens` are the most that it can come to, `price` that of the dearest backend, and
    `reserved_nano` what is held back for it.
    """

    call_id: str
    started_at: int
    charged_at: int
    api_key_id: str
    api_key_name: str
    user_id: str | None
    user_name: str
    api_format: str
    path: str
    asked_model: str
    served_model: str
    is_stream: bool
    source: CallSource
    config_version: int
    client_ip: str
    input_tokens: int
    output_tokens: int
    price: Price | None
    reserved_nano: int
    price_origin: str = ""
