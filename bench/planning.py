"""What a decision costs: name to model to plan, with two backends and in a large registry, in turns of one run.

    python -m bench.planning

A call's model has two backends in both; what differs is everything around it. `one` asks for the same model with the
same API key each time; `all` goes through every model and API key, so that the processor's caches help less.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle
from random import Random
from statistics import median

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
from gateway.routing.candidates import plan_candidates
from gateway.routing.resolve import resolve
from gateway.routing.snapshot import Registry, Snapshot, build_snapshot
from gateway.routing.state import RuntimeState
from gateway.routing.world import Ask, World

ROUNDS = 9
CALLS = 4000
PRICE = Price(10**9, 4 * 10**9, 10**8, 10**9, 0)


def registry(backends: int, models: int, api_keys: int) -> Registry:
    """Each model has two backends of its own where there are enough, so that all of the backends are spread."""
    names = [f"p{number}" for number in range(backends)]
    codes = [f"model-{number}" for number in range(models)]
    served = [(names[2 * number % backends], code) for number, code in enumerate(codes)]
    served += [(names[(2 * number + 1) % backends], code) for number, code in enumerate(codes)]
    return Registry(
        version=1,
        providers=tuple(_provider(name) for name in names),
        endpoints=tuple(_endpoint(name) for name in names),
        keys=tuple(_key(name) for name in names),
        pools=(Pool("primary", "primary", 0, 5.0, 2.0, 300.0, 0.2, 4, 10.0, 0, 0),),
        models=tuple(Model(code, code, code, ModelStatus.ENABLED, PRICE, 0, 0) for code in codes),
        mappings=tuple(_mapping(name, code) for name, code in served),
        api_keys=tuple(_api_key(number) for number in range(api_keys)),
    )


def _provider(name: str) -> Provider:
    return Provider(name, name, name, "custom", 50, is_active=True, metadata={}, created_at=0, updated_at=0)


def _mapping(name: str, code: str) -> ModelMapping:
    return ModelMapping(f"{name}-{code}", name, code, code, is_active=True, created_at=0, updated_at=0)


def _endpoint(name: str) -> Endpoint:
    return Endpoint(
        id=f"e-{name}",
        provider_id=name,
        api_format=ApiFormat.OPENAI_CHAT,
        base_url=f"https://{name}.test/v1",
        headers={},
        timeout_seconds=600,
        first_byte_seconds=60,
        idle_seconds=60,
        local_upstream=None,
        injects_usage=True,
        is_active=True,
        created_at=0,
        updated_at=0,
    )


def _key(name: str) -> ProviderKey:
    return ProviderKey(
        id=f"k-{name}",
        provider_id=name,
        pool_id="primary",
        name="main",
        api_formats=(ApiFormat.OPENAI_CHAT.value,),
        sealed=None,
        env_name=None,
        bound_origin=None,
        masked="",
        fingerprint="",
        internal_priority=50,
        weight=1,
        rpm_limit=600,
        is_active=True,
        created_at=0,
        updated_at=0,
    )


def _api_key(number: int) -> ApiKey:
    return ApiKey(
        id=f"key-{number}",
        name=f"key-{number}",
        key_hash=number.to_bytes(32),
        prefix="sk",
        tail="tail",
        allowed_models=None,
        rpm_limit=None,
        is_active=True,
        expires_at=None,
        created_at=0,
        updated_at=0,
    )


def decide(snapshot: Snapshot, hashes: Iterator[bytes], codes: Iterator[str], calls: int) -> float:
    """Microseconds of CPU for one decision, over that many."""
    state, rng = RuntimeState(), Random(1)
    began = time.process_time()
    for number in range(calls):
        api_key = snapshot.api_keys[next(hashes)]
        target = resolve(snapshot, api_key, next(codes))
        ask = Ask(api_key, ApiFormat.OPENAI_CHAT, target.model, 100, session=f"s{number}", seed=rng.getrandbits(32))
        plan = plan_candidates(target.lanes, ask, World(state, 1000.0, rng, (), 1_000_000))
        assert len(plan.lanes) == 2
    return (time.process_time() - began) / calls * 1_000_000


def main() -> None:
    sizes = {"2 × 1 × 1": (2, 1, 1), "500 × 200 × 5 000": (500, 200, 5000)}
    worlds = {name: build_snapshot(registry(*size)) for name, size in sizes.items()}
    ways = {
        (name, way): (
            snapshot,
            cycle(list(snapshot.api_keys)[: None if way == "all" else 1]),
            cycle(list(snapshot.models)[: None if way == "all" else 1]),
        )
        for name, snapshot in worlds.items()
        for way in ("one", "all")
    }
    found: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, (snapshot, hashes, codes) in ways.items():
            found[way].append(decide(snapshot, hashes, codes, CALLS))
    print("| backends × models × API keys | µs a decision, one | µs a decision, all |")
    print("| --- | ---: | ---: |")
    for name in worlds:
        print(f"| {name} | {median(found[name, 'one']):.1f} | {median(found[name, 'all']):.1f} |")
    ratios = [_ratio(found, way, *worlds) for way in ("one", "all")]
    print(f"\nThe large registry costs {ratios[0]:.2f} × the small one, {ratios[1]:.2f} × through all of it.")


def _ratio(found: dict[tuple[str, str], list[float]], way: str, small: str, large: str) -> float:
    """The median of the rounds' own ratios: what else the machine does weighs on both sides of a round."""
    return median(b / a for a, b in zip(found[small, way], found[large, way], strict=True))


if __name__ == "__main__":
    main()
