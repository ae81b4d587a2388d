"""Limits at every level: provider, endpoint, provider key and API key.

What is full is said before anything is taken, and everything is taken together, so that a refused call consumes
nothing anywhere. Tokens are reserved by estimate and settled by what was really used.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from gateway.errors import RateLimited
from gateway.model.calls import Skip
from gateway.model.registry import ProviderKey
from gateway.money import format_dollars
from gateway.routing import quota
from gateway.routing.bounds import REQUESTS, Bounds, Places, Rate
from gateway.routing.breaker import TRIAL_PATIENCE
from gateway.routing.buckets import TokenBucket
from gateway.routing.cost import actual_cost, most_for
from gateway.routing.snapshot import Backend, Lane
from gateway.routing.state import RuntimeState
from gateway.routing.world import Ask, World, skip


class Grant(msgspec.Struct, frozen=True):
    """What a call holds: places and requests by name, and `reserved` tokens of each of the buckets `tokens`.

    `quota` is the provider of whose quota `quota_nano` nano-dollars are reserved.
    """

    places: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    reserved: int = 0
    quota: str = ""
    quota_nano: int = 0


class _Full(msgspec.Struct, frozen=True):
    reason: str
    sentence: str
    seconds: float | None
    name: str = ""
    limit: int | None = None
    used: int | None = None


def full(lane: Lane, ask: Ask, world: World) -> Skip | None:
    """Why there is no room for this call at this backend now, or None. Takes nothing.

    Of several reasons the one that lasts longest, so that its seconds are those until a call can be sent.
    """
    backend, state = lane.backend, world.state
    bounds, provider = backend.bounds, backend.provider
    found: list[_Full] = []
    if provider.monthly_quota is not None or provider.quota_expires_at is not None:
        found += _quota(lane, ask, world)
    if state.endpoint_rests and backend.endpoint.base_url in state.endpoint_rests:
        found += _endpoint(backend, world)
    there = state.backends.get(backend.id)
    if there is not None and there.allowance is not None and there.in_flight >= there.allowance:
        sentence = f"It was seen to take no more than {there.allowance} calls at once."
        found.append(_Full("allowance_full", sentence, TRIAL_PATIENCE))
    if bounds.tight:
        found += _no_places(bounds.tight, world)
    if rates := _rates_of(backend, world):
        found += _empty(rates, ask.tokens, world)
    if not found:
        return None
    worst = _longest(found)
    return skip(backend, worst.reason, worst.sentence, worst.seconds)


def take(lane: Lane, ask: Ask, world: World) -> Grant:
    """Everything that the call takes at this backend; `full` has just answered None."""
    backend, provider = lane.backend, lane.backend.provider
    if backend.key.rpm_limit is None:
        (world.state.learned.get(backend.key.id) or world.state.learned_of(backend.key.id)).sent(world.now)
    grant = _take(_rates_of(backend, world), backend.bounds.names, ask.tokens, world)
    most = _most(lane, ask) if provider.monthly_quota is not None else 0
    if not most:
        return grant
    world.state.promised[provider.id] = world.state.promised.get(provider.id, 0) + most
    return replace(grant, quota=provider.id, quota_nano=most)


def admit(bounds: Bounds, tokens: int, world: World) -> Grant:
    """What a call takes of the limits of its caller. Raises RateLimited, having taken nothing."""
    if not (bounds.tight or bounds.rates):
        return _take((), bounds.names, tokens, world)
    found = [*_no_places(bounds.tight, world), *_empty(bounds.rates, tokens, world)]
    if found:
        worst = _longest(found)
        refusal = RateLimited(worst.sentence, retry_after=worst.seconds, retryable=worst.seconds is not None)
        kind = worst.name.partition(":")[0]
        which = worst.name.rpartition(":")[2] if worst.name.count(":") > 1 else "concurrent"
        refusal.details = {
            "limit": f"{kind}_{which}",
            "limit_value": worst.limit,
            "used": worst.used,
            "resets_in": None if worst.seconds is None else round(worst.seconds, 3),
        }
        raise refusal
    return _take(bounds.rates, bounds.names, tokens, world)


def give_back(grant: Grant, state: RuntimeState) -> None:
    """Nothing was sent: the requests were not made. Places and tokens are ended by `leave` and `settle`."""
    for name in grant.requests:
        _give(name, 1, state)


def leave(grant: Grant, state: RuntimeState) -> None:
    """The call is over: its places are free, exactly once."""
    places = state.places
    for name in grant.places:
        left = places.get(name, 0) - 1
        if left > 0:
            places[name] = left
        else:
            places.pop(name, None)


def settle(grant: Grant, used: int, state: RuntimeState) -> None:
    """`used` tokens in place of those that were reserved, exactly once; what it cost is another's to write down."""
    for name in grant.tokens:
        _give(name, grant.reserved - used, state)
    if grant.quota:
        left = state.promised.get(grant.quota, 0) - grant.quota_nano
        if left > 0:
            state.promised[grant.quota] = left
        else:
            state.promised.pop(grant.quota, None)


def count_learned(key: ProviderKey, world: World) -> None:
    """A limit was learned: what was sent in the last minute has been taken from it already."""
    limit, name = _learned(key, world), _learned_requests(key)
    bucket = None if limit is None else world.state.bucket(name, limit, world.now)
    if bucket is not None:
        sent = world.state.learned_of(key.id).requests_last_minute(world.now)
        bucket.level = min(bucket.level, max(0.0, float(bucket.limit - sent)))
        world.state.dirty.buckets.add(name)


def _learned_requests(key: ProviderKey) -> str:
    return f"key:{key.id}:learned"


def buckets_of(bounds: Bounds, code: str, state: RuntimeState) -> list[TokenBucket]:
    """The buckets of a caller that were taken from: of requests (`rpm`) or tokens (`tpm`)."""
    return [state.buckets[rate.name] for rate in bounds.rates if rate.code == code and rate.name in state.buckets]


def _rates_of(backend: Backend, world: World) -> tuple[Rate, ...]:
    """As configured, and as learned where nothing is said of the key's requests per minute."""
    rates, key = backend.bounds.rates, backend.key
    if key.rpm_limit is not None or not world.state.learned or (learned := _learned(key, world)) is None:
        return rates
    return (*rates, Rate(_learned_requests(key), learned, "rpm_learned", f"{REQUESTS} that was learned"))


def _learned(key: ProviderKey, world: World) -> int | None:
    found = world.state.learned.get(key.id)
    return None if found is None or found.limit is None else found.enforced(world.now)


def _empty(rates: Iterable[Rate], tokens: int, world: World) -> Iterable[_Full]:
    for rate in rates:
        bucket = world.state.bucket(rate.name, rate.limit, world.now, rate.period)
        if bucket is None or (seconds := bucket.seconds_until(world.now, rate.amount(tokens))) == 0.0:
            continue
        if seconds is None:
            yield _Full(f"{rate.code}_zero", f"{rate.owner} 0 {rate.words} admits nothing.", None, rate.name, 0, 0)
        else:
            sentence = f"{rate.owner} {rate.limit} {rate.words} is used up for {seconds:.1f} s."
            yield _Full(f"{rate.code}_empty", sentence, seconds, rate.name, rate.limit, rate.limit - int(bucket.level))


def _no_places(places: Iterable[Places], world: World) -> Iterable[_Full]:
    for place in places:
        if place.most is None or world.state.places.get(place.name, 0) < place.most:
            continue
        if place.most == 0:
            yield _Full(
                f"{place.code}_concurrent_zero",
                f"{place.owner} 0 calls at once admits nothing.",
                None,
                place.name,
                0,
                0,
            )
        else:
            sentence = f"{place.owner} {place.most} calls at once is used up."
            yield _Full(
                f"{place.code}_busy", sentence, TRIAL_PATIENCE, place.name, place.most, world.state.places[place.name]
            )


def _quota(lane: Lane, ask: Ask, world: World) -> Iterable[_Full]:
    provider = lane.backend.provider
    if provider.quota_expires_at is not None and provider.quota_expires_at <= world.wall_ms:
        yield _Full("quota_expired", "Its provider's quota has expired.", None)
    if provider.monthly_quota is None:
        return
    spend = quota.current(world.state.spent.get(provider.id) or quota.Spend(0, world.wall_ms), provider, world.wall_ms)
    total, promised = provider.monthly_quota, world.state.promised.get(provider.id, 0)
    most = _most(lane, ask)
    if spend.used_nano < total and spend.used_nano + promised + most <= total:
        return
    seconds = quota.seconds_until_reset(spend, provider, world.wall_ms) if total else None
    sentence = f"Its provider's quota of {format_dollars(total)} is used up."
    if spend.used_nano < total:
        left = format_dollars(max(0, total - spend.used_nano - promised))
        sentence = (
            f"Its provider's quota of {format_dollars(total)} has {left} left, "
            f"and this call may cost {format_dollars(most)}."
        )
    yield _Full("quota_exhausted", sentence, seconds)


def _most(lane: Lane, ask: Ask) -> int:
    """The actual cost that the call can have there."""
    return actual_cost(most_for(lane.price, ask.most_input, ask.most_output), lane.backend) or 0


def _endpoint(backend: Backend, world: World) -> Iterable[_Full]:
    rest = world.state.endpoint_rests.get(backend.endpoint.base_url)
    if rest is None:
        return
    left = rest.seconds_left(world.now)
    if left > 0:
        yield _Full("endpoint_cooling", f"Its whole endpoint rests for {left:.1f} s more: {rest.reason}.", left)
    elif rest.probe_holder:
        sentence = "Its endpoint's rest is over and one call is trying it first."
        yield _Full("endpoint_probing", sentence, TRIAL_PATIENCE)


def _longest(found: Iterable[_Full]) -> _Full:
    return max(found, key=lambda one: float("inf") if one.seconds is None else one.seconds)


def _take(rates: tuple[Rate, ...], names: tuple[str, ...], tokens: int, world: World) -> Grant:
    places = world.state.places
    for name in names:
        places[name] = places.get(name, 0) + 1
    return _take_of(rates, names, tokens, world) if rates else Grant(names)


def _take_of(rates: tuple[Rate, ...], names: tuple[str, ...], tokens: int, world: World) -> Grant:
    requests: list[str] = []
    of_tokens: list[str] = []
    state, reserved = world.state, 0
    for rate in rates:
        bucket, amount = state.bucket(rate.name, rate.limit, world.now, rate.period), rate.amount(tokens)
        if bucket is None or not bucket.take(world.now, amount):
            continue
        state.dirty.buckets.add(rate.name)
        if rate.counts_tokens:
            of_tokens.append(rate.name)
            reserved = amount
        else:
            requests.append(rate.name)
    return Grant(names, tuple(requests), tuple(of_tokens), reserved)


def _give(name: str, amount: int, state: RuntimeState) -> None:
    bucket = state.buckets.get(name)
    if bucket is not None and amount:
        bucket.give_back(amount)
        state.dirty.buckets.add(name)
