"""The headers an answer has besides the provider's: which call, which backend, how far from the limits."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from gateway.formats.errors import ANTHROPIC
from gateway.proxy import headers as passing
from gateway.proxy.call import Call, Header, Trail
from gateway.proxy.entrance import Entrance
from gateway.proxy.relay import Relay
from gateway.proxy.sending import id_headers
from gateway.routing import budgets, limits
from gateway.routing.outlook import Outlooks
from gateway.routing.state import RuntimeState

_LONGEST_LISTING = 1000


class AnswerHeaders:
    """`state` has the buckets that the caller's limits are counted in, `outlooks` what those limits are."""

    def __init__(self, entrance: Entrance, state: RuntimeState, outlooks: Outlooks) -> None:
        self._entrance = entrance
        self._state = state
        self._outlooks = outlooks

    def of_answer(self, relay: Relay, trail: Trail, now: float) -> list[Header]:
        """`now` is when the first byte goes out, in monotonic seconds."""
        arrival, reply = relay.call.arrival, relay.reply
        overhead = ((trail.sent_at or now) - arrival.received) * 1000
        total = (now - arrival.received) * 1000
        backend, target = reply.lane.backend, reply.target
        found = [
            *id_headers(arrival),
            *_from_where(target.model, backend.provider.name, backend.name, target.config_version),
            (b"x-gateway-attempts", b"%d" % (len(trail.attempts) + (not reply.is_refusal))),
            (b"x-gateway-overhead-ms", b"%.2f" % overhead),
            (b"server-timing", b"gateway;dur=%.2f, total;dur=%.2f" % (overhead, total)),
            *self.of_limits(relay.call),
        ]
        if target.route:
            found.append((b"x-gateway-route", target.route.encode("latin-1", "replace")))
        if dropped := reply.answer.dropped:
            found += _dropped(dropped)
        return found

    def of_limits(self, call: Call) -> list[Header]:
        """How far the caller is from the limits of its API key and of the key's owner."""
        caller = self._outlooks.caller(call.api_key)
        held, bounds = caller.money, caller.bounds
        if not held and not bounds.rates:
            return []
        state, clock = self._state, self._entrance.clock
        now = clock.mono()
        requests = passing.narrowest(limits.buckets_of(bounds, "rpm", state), now)
        tokens = passing.narrowest(limits.buckets_of(bounds, "tpm", state), now)
        found = [*passing.of_limit(b"requests", requests), *passing.of_limit(b"tokens", tokens)]
        wall_ms = clock.wall_ms()
        if call.arrival.family is ANTHROPIC:
            moment = datetime.fromtimestamp(wall_ms / 1000, UTC)
            found += passing.of_anthropic_limit(b"requests", requests, moment)
            found += passing.of_anthropic_limit(b"tokens", tokens, moment)
        return [*found, *passing.of_money(budgets.standing(limit, state.spends, wall_ms) for limit in held)]


def _from_where(model: str, provider: str, backend: str, config_version: int) -> tuple[Header, ...]:
    # Made anew each time: with many backends what was made before lies in memory that is slower to reach.
    return (
        (b"x-gateway-model", model.encode("latin-1", "replace")),
        (b"x-gateway-provider", provider.encode()),
        (b"x-gateway-backend", backend.encode("latin-1", "replace")),
        _version(config_version),
    )


@functools.lru_cache(8)
def _version(config_version: int) -> Header:
    return b"x-gateway-config-version", b"%d" % config_version


def _dropped(names: tuple[str, ...]) -> list[Header]:
    """What translation could not carry, where there was anything."""
    listing = ", ".join(name for name in names if name.isascii() and name.isprintable())
    return [(b"x-gateway-dropped", listing[:_LONGEST_LISTING].encode())] if listing else []
