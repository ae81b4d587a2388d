"""One call on its way through the backends: what was tried, what may still be, what to say where nothing answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.errors import (
    BadInput,
    CredentialsExhausted,
    DeadlineExceeded,
    GatewayError,
    RateLimited,
    Unavailable,
    UpstreamFailed,
)
from gateway.hiding import hiding
from gateway.model.calls import Skip
from gateway.model.registry import Endpoint, Provider
from gateway.proxy.aside import LARGE
from gateway.proxy.attempt import Left, OpenStream, WholeAnswer
from gateway.proxy.call import Call, Trail
from gateway.routing.candidates import PRICE_UNKNOWN, soonest_recovery
from gateway.routing.health import Ending, Verdict
from gateway.routing.permissions import NOT_PERMITTED
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Backend, Lane
from gateway.routing.world import Ask, World

_OVERLOADED = 529
_BREAKER_REASONS = frozenset({"breaker_open", "breaker_trial"})
_LASTING_REASONS = frozenset({"out_of_quota", "quota_exhausted", "key_refused"})


class Finish(Protocol):
    """Ends an attempt: concludes the backend's health and writes the attempt down."""

    def __call__(self, ending: Ending, status: int | None) -> None: ...


class Reply(msgspec.Struct, frozen=True):
    """An answer that may be relayed, and the open attempt that it came from: `finish` ends it, exactly once."""

    target: Target
    lane: Lane
    answer: WholeAnswer | OpenStream
    finish: Finish
    is_refusal: bool = False

    __repr__ = hiding("finish")


class Journey(msgspec.Struct):
    """One call on its way: what was tried, what may still be. `world` is what the plan that is being tried went by;
    `asked` are the backends that it was sent to, one for each attempt.
    """

    call: Call
    target: Target
    ask: Ask
    trail: Trail
    world: World
    deadline: float
    last_refusal: Reply | None = None
    untranslatable: BadInput | None = None
    tried: set[str] = set()
    unserved: set[tuple[str, str]] = set()
    too_small: int | None = None
    asked: list[Backend] = []
    lefts: list[Left] = []
    _waiting_since: float | None = None
    _count: int = 0

    def allows(self, lane: Lane) -> bool:
        """Not one that said it cannot serve this, nor the same again, nor one more than the attempts that pool,
        provider and endpoint allow; where the context was too long, only one that takes a longer one.
        """
        backend = lane.backend
        if backend.id in self.tried or (backend.endpoint.id, lane.upstream_name) in self.unserved:
            return False
        if self.too_small is not None and lane.context <= self.too_small:
            return False
        if sum(one.pool.id == backend.pool.id for one in self.asked) >= backend.pool.max_attempts:
            return False
        of_provider = sum(one.provider.id == backend.provider.id for one in self.asked)
        of_endpoint = sum(one.endpoint.id == backend.endpoint.id for one in self.asked)
        return _has_retries(backend.provider, of_provider) and _has_retries(backend.endpoint, of_endpoint)

    @property
    def is_just_planned(self) -> bool:
        """Whether nothing was waited for since the plan was made in its `world`; its first lane is as free as then."""
        return not (self._count or self.lefts or self.ask.is_metered or self.call.size >= LARGE)

    def next_claim_id(self) -> str:
        self._count += 1
        return f"{self.call.arrival.id}.{self._count}"

    def started(self, lane: Lane) -> int:
        """The number of this attempt, from 1."""
        self.asked.append(lane.backend)
        return len(self.asked)

    def leave(self, lane: Lane, left: Left) -> Reply | None:
        """Take note of a failed attempt; the client's own fault is a reply that ends the journey."""
        self.lefts.append(left)
        if left.ending.verdict is Verdict.LIMITED:
            # It may be asked again once it has rested, if this call waits for it.
            return None
        self.tried.add(lane.backend.id)
        if left.is_too_long:
            self.too_small = max(lane.context, self.too_small or 0)
        if left.answer is not None:
            # The same endpoint under another key would say the same.
            self.unserved.add((lane.backend.endpoint.id, lane.upstream_name))
            refusal = Reply(self.target, lane, left.answer, already_finished, is_refusal=True)
            if left.ending.verdict is Verdict.CLIENT_FAULT:
                return refusal
            self.last_refusal = refusal
        return None

    def waits_since(self, now: float) -> float:
        """When this call began to wait: its patience is for all its waits together."""
        if self._waiting_since is None:
            self._waiting_since = now
        return self._waiting_since

    def error(self, skips: Sequence[Skip]) -> GatewayError:
        """What to tell the client when nothing answered and nothing will soon. `skips` are of all its backends."""
        skips = [found for found in skips if found.reason != NOT_PERMITTED]
        if self.untranslatable is not None and not self.lefts and not any(found.seconds is not None for found in skips):
            return self.untranslatable
        unable = [found for found in skips if found.reason == "capability_missing"]
        if unable and not self.lefts and all(found.seconds is None for found in skips):
            return self._nothing_able(unable)
        verdicts = {left.ending.verdict for left in self.lefts}
        resting = [found for found in skips if found.seconds is not None]
        if verdicts <= {Verdict.REFUSED} and {found.reason for found in resting} == {"key_refused"}:
            provider = resting[0].backend.partition("/")[0]
            return CredentialsExhausted(
                f"Provider {provider} refused the gateway's key; the operator must renew it.", retryable=False
            )
        is_free_again = bool(self.lefts) and not resting
        if verdicts <= {Verdict.LIMITED} and (
            is_free_again or any(found.reason not in _BREAKER_REASONS for found in resting)
        ):
            return self._all_limited(resting)
        if not self.lefts and skips and all(found.reason == PRICE_UNKNOWN for found in skips):
            return self._no_price(skips)
        if self.lefts:
            return self._attempts_failed()
        reasons = "; ".join(f"{found.backend}: {found.sentence}" for found in skips[:3])
        return Unavailable(
            f"No backend of '{self.call.request.model}' can be used now. {reasons}",
            retry_after=soonest_recovery(resting),
        )

    def _nothing_able(self, skips: Sequence[Skip]) -> GatewayError:
        return BadInput(
            f"No backend of '{self.call.request.model}' can do what this call asks for. "
            f"{skips[0].backend}: {skips[0].sentence}",
            code="capability_missing",
            retryable=False,
        )

    def _no_price(self, skips: Sequence[Skip]) -> GatewayError:
        return Unavailable(
            f"'{self.call.request.model}' has no price, and money is limited here, so it cannot be served: "
            f"{skips[0].sentence}",
            code="price_unknown",
            retryable=False,
        )

    def _all_limited(self, resting: Sequence[Skip]) -> GatewayError:
        soonest = soonest_recovery(resting) or 0.0
        is_passing = not resting or any(found.reason not in _LASTING_REASONS for found in resting)
        return RateLimited(
            f"Every backend of '{self.call.request.model}' is at its provider's limit. "
            f"The first one is free again in {soonest:.1f} s.",
            retry_after=soonest,
            retryable=is_passing,
        )

    def _attempts_failed(self) -> GatewayError:
        last, provider = self.lefts[-1], self.asked[-1].provider.name
        if last.is_timeout:
            return DeadlineExceeded(f"Provider {provider} gave {last.ending.reason}.", retryable=True)
        if last.status == _OVERLOADED:
            return Unavailable(f"Provider {provider} is overloaded: {last.ending.reason}.", retryable=True)
        return UpstreamFailed(
            f"No backend answered after {len(self.lefts)} tries. Provider {provider}: {last.ending.reason}.",
            retryable=True,
        )


def _has_retries(owner: Provider | Endpoint, asked: int) -> bool:
    return owner.max_retries is None or asked <= owner.max_retries


def already_finished(ending: Ending, status: int | None) -> None:
    """A refusal was concluded when it came."""
