"""What bounds the calls of a backend, an API key or a user, as configured: worked out once and looked at often."""

from __future__ import annotations

import functools

import msgspec

from gateway.model.people import ApiKey, User
from gateway.model.registry import Endpoint, Provider, ProviderKey
from gateway.routing.buckets import DAY, MINUTE, MONTH

REQUESTS = "requests per minute"
_TOKENS = "tokens per minute"
_OURS = "This API key's limit of"
_OWNERS = "The limit of this API key's owner of"
_KEYS = "Its limit of"


class Rate(msgspec.Struct, frozen=True):
    """Each call takes one, or its tokens where it `counts_tokens`, from the bucket `name`, which holds `limit` a
    `period`. `code` and `words` explain it.
    """

    name: str
    limit: int
    code: str
    words: str
    owner: str = _KEYS
    period: float = MINUTE
    counts_tokens: bool = False

    def amount(self, tokens: int) -> int:
        """What a call of so many tokens takes."""
        return max(1, tokens) if self.counts_tokens else 1


class Places(msgspec.Struct, frozen=True):
    """`most` calls at once, counted under `name`; None is any number. They are counted all the same."""

    name: str
    most: int | None
    code: str
    owner: str = _KEYS


class Bounds(msgspec.Struct, frozen=True):
    """`names` are those of `places`, `tight` the places of which there is not any number."""

    rates: tuple[Rate, ...] = ()
    places: tuple[Places, ...] = ()
    names: tuple[str, ...] = ()
    tight: tuple[Places, ...] = ()


def bounds(rates: tuple[Rate, ...], places: tuple[Places, ...]) -> Bounds:
    names = tuple(place.name for place in places)
    return Bounds(rates, places, names, tuple(place for place in places if place.most is not None))


def of_backend(provider: Provider, endpoint: Endpoint, key: ProviderKey) -> Bounds:
    """Those of its provider, its endpoint and its key, but for what was learned."""
    rates: list[Rate] = []
    if provider.rpm_limit is not None:
        name, words = f"provider:{provider.id}:rpm", "Its provider's limit of"
        rates.append(Rate(name, provider.rpm_limit, "provider_rpm", REQUESTS, words))
    if endpoint.rpm_limit is not None:
        name, words = f"endpoint:{endpoint.id}:rpm", "Its endpoint's limit of"
        rates.append(Rate(name, endpoint.rpm_limit, "endpoint_rpm", REQUESTS, words))
    if key.rpm_limit is not None:
        rates.append(Rate(key_requests(key), key.rpm_limit, "rpm", REQUESTS))
    if key.tpm_limit is not None:
        rates.append(Rate(f"key:{key.id}:tpm", key.tpm_limit, "tpm", _TOKENS, counts_tokens=True))
    if key.daily_limit is not None:
        rates.append(Rate(f"key:{key.id}:daily", key.daily_limit, "daily", "requests a day", period=DAY))
    if key.monthly_limit is not None:
        rates.append(Rate(f"key:{key.id}:monthly", key.monthly_limit, "monthly", "requests a month", period=MONTH))
    places = (
        Places(f"provider:{provider.id}", provider.concurrent_limit, "provider", "Its provider's limit of"),
        Places(f"endpoint:{endpoint.id}", endpoint.max_concurrent, "endpoint", "Its endpoint's limit of"),
        Places(f"key:{key.id}", key.max_concurrent, "key", "Its key's limit of"),
    )
    return bounds(tuple(rates), places)


def of_caller(api_key: ApiKey, owner: User | None) -> Bounds:
    """Those of an API key and of its owner together."""
    own = _of_person("api_key", api_key.id, api_key.rpm_limit, api_key.tpm_limit, api_key.max_concurrent)
    if owner is None:
        return own
    theirs = _of_person("user", owner.id, owner.rpm_limit, owner.tpm_limit, owner.max_concurrent)
    return _together(own, theirs)


def key_requests(key: ProviderKey) -> str:
    """The name of the bucket of a provider key's requests per minute."""
    return f"key:{key.id}:rpm"


@functools.lru_cache(16_384)
def _of_person(kind: str, person_id: str, rpm: int | None, tpm: int | None, most: int | None) -> Bounds:
    words = _OURS if kind == "api_key" else _OWNERS
    rates: list[Rate] = []
    if rpm is not None:
        rates.append(Rate(f"{kind}:{person_id}:rpm", rpm, "rpm", REQUESTS, words))
    if tpm is not None:
        rates.append(Rate(f"{kind}:{person_id}:tpm", tpm, "tpm", _TOKENS, words, counts_tokens=True))
    return bounds(tuple(rates), (Places(f"{kind}:{person_id}", most, kind, words),))


def _together(one: Bounds, other: Bounds) -> Bounds:
    return Bounds(one.rates + other.rates, one.places + other.places, one.names + other.names, one.tight + other.tight)
