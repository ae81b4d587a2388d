"""What is found out about models besides their calls: checks, tests, and use that was reported to us."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.model.calls import Usage


class Probe(StrEnum):
    """How a check asks a model's backends: not at all, for their models, or for one token."""

    NONE = "none"
    MODELS = "models"
    COMPLETION = "completion"


class CheckStatus(StrEnum):
    """HEALTHY: all that was asked answered. DEGRADED: some did, or nothing could serve it. UNHEALTHY: none did."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    UNHEALTHY = "UNHEALTHY"


class TrialStatus(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"


class ProbeResult(msgspec.Struct, frozen=True):
    """One backend's answer to a check. `words` say what it answered or why it did not."""

    backend_id: str
    backend: str
    is_ok: bool
    latency_ms: int
    words: str


class ModelCheck(msgspec.Struct, frozen=True):
    """`latency_ms` is the probe's at the first backend in the order of trying that answered; None without one."""

    id: str
    model_id: str
    at: int
    probe: Probe
    status: CheckStatus
    reason: str
    latency_ms: int | None
    results: tuple[ProbeResult, ...]
    actor: str


class ModelTest(msgspec.Struct, frozen=True):
    """One message sent to a model by an operator. `call_id` is its row in the ledger."""

    id: str
    model_id: str
    call_id: str
    at: int
    status: TrialStatus
    backend: str
    reply: str
    error: str
    input_tokens: int
    output_tokens: int
    is_estimated: bool
    latency_ms: int
    actor: str


class UsageReport(msgspec.Struct, frozen=True):
    """Use of a model that happened elsewhere. `cost_nano` None is unknown."""

    id: str
    model_id: str
    at: int
    source: str
    request_count: int
    success_count: int
    input_tokens: int
    output_tokens: int
    cost_nano: int | None
    reported_at: int
    actor: str


class Trial(msgspec.Struct, frozen=True):
    """A call that an operator makes: `model` is a public name, `backend_id` the only backend that may be asked."""

    model: str
    message: str
    system_prompt: str = ""
    backend_id: str | None = None
    max_tokens: int | None = None


class TrialOutcome(msgspec.Struct, frozen=True):
    """What became of a trial. `error` is empty where it passed; `backend` is who answered, empty for nobody."""

    call_id: str
    backend: str
    reply: str
    error: str
    usage: Usage
    latency_ms: int

    @property
    def is_ok(self) -> bool:
        return not self.error
