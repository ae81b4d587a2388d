"""The picture of configuration: every join, every order, and nothing that can be changed."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.model.registry import ModelStatus
from gateway.routing.snapshot import Registry, Snapshot, build_snapshot
from tests.routing.build import ANYONE, FALLBACK, PRIMARY, endpoint, key, mapping, model, provider


def registry(**rows: Any) -> Registry:
    """Provider `a` with one endpoint and one key for model `m`, but for what is named."""
    usual: dict[str, Any] = {
        "version": 3,
        "providers": (provider("a"),),
        "endpoints": (endpoint("a"),),
        "keys": (key("a"),),
        "pools": (PRIMARY, FALLBACK),
        "models": (model("m"),),
        "mappings": (mapping("a", "m"),),
        "api_keys": (ANYONE,),
    }
    return Registry(**{**usual, **rows})


def lanes_of(found: Snapshot, model_id: str = "m") -> list[tuple[str, str]]:
    return [(lane.backend.id, lane.upstream_name) for lane in found.lanes.get(model_id, ())]


def test_a_backend_is_each_endpoint_with_each_key_of_its_provider() -> None:
    found = build_snapshot(
        registry(
            providers=(provider("a"), provider("b")),
            endpoints=(endpoint("a"), endpoint("a", id="e-a2"), endpoint("b")),
            keys=(key("a"), key("a", id="k-a2"), key("b")),
        )
    )
    assert set(found.backends) == {"e-a:k-a", "e-a:k-a2", "e-a2:k-a", "e-a2:k-a2", "e-b:k-b"}
    for backend_id, backend in found.backends.items():
        assert backend.id == backend_id == f"{backend.endpoint.id}:{backend.key.id}"
        assert backend.provider.id == backend.endpoint.provider_id == backend.key.provider_id
    assert {name: len(backends) for name, backends in found.provider_backends.items()} == {"a": 4, "b": 1}


def test_a_backend_is_in_the_pool_of_its_key() -> None:
    found = build_snapshot(registry(keys=(key("a"), key("a", id="k-a2", pool_id="fallback"))))
    assert {backend.key.id: backend.pool for backend in found.backends.values()} == {"k-a": PRIMARY, "k-a2": FALLBACK}


def test_an_endpoint_without_key_and_a_key_without_endpoint_are_no_backend() -> None:
    both = (provider("a"), provider("b"))
    found = build_snapshot(registry(providers=both, endpoints=(endpoint("a"),), keys=(key("b"),)))
    assert (dict(found.backends), dict(found.lanes), dict(found.provider_backends)) == ({}, {}, {})


def test_each_mapping_gives_its_provider_its_own_name_of_the_model() -> None:
    found = build_snapshot(
        registry(
            providers=(provider("a"), provider("b")),
            endpoints=(endpoint("a"), endpoint("b")),
            keys=(key("a"), key("b")),
            models=(model("m"), model("n")),
            mappings=(mapping("a", "m"), mapping("b", "m", upstream_name="vendor/m-1"), mapping("b", "n")),
        )
    )
    assert lanes_of(found) == [("e-a:k-a", "a's m"), ("e-b:k-b", "vendor/m-1")]
    assert lanes_of(found, "n") == [("e-b:k-b", "b's n")]
    assert {asked: row.id for asked, row in found.upstream_models.items()} == {
        ("a", "a's m"): "m",
        ("b", "vendor/m-1"): "m",
        ("b", "b's n"): "n",
    }


def test_an_inactive_mapping_neither_serves_nor_claims_the_providers_name() -> None:
    found = build_snapshot(registry(mappings=(mapping("a", "m", is_active=False),)))
    assert (dict(found.lanes), dict(found.upstream_models)) == ({}, {})


def test_disabled_rows_stay_in_the_picture_so_that_a_skip_can_name_them() -> None:
    for rows in (
        {"providers": (provider("a", is_active=False),)},
        {"endpoints": (endpoint("a", is_active=False),)},
        {"keys": (key("a", is_active=False),)},
    ):
        found = build_snapshot(registry(**rows))
        assert [lane.backend.is_enabled for lane in found.lanes["m"]] == [False]


def test_lanes_are_in_the_order_of_pool_provider_and_key_whatever_the_rows_order() -> None:
    keys = (
        key("a", id="k1", pool_id="fallback", internal_priority=0),
        key("a", id="k2", internal_priority=60),
        key("a", id="k3", internal_priority=10),
        key("b", id="k4", internal_priority=90),
    )
    for shuffled in permutations(keys):
        found = build_snapshot(
            registry(
                providers=(provider("a", priority=50), provider("b", priority=1)),
                endpoints=(endpoint("b"), endpoint("a")),
                keys=shuffled,
                mappings=(mapping("a", "m"), mapping("b", "m")),
            )
        )
        assert [lane.backend.key.id for lane in found.lanes["m"]] == ["k4", "k3", "k2", "k1"]
        assert [backend.key.id for backend in found.provider_backends["a"]] == ["k3", "k2", "k1"]


def test_two_pools_of_one_tier_do_not_mix() -> None:
    twin = replace(PRIMARY, id="twin", name="twin")
    keys = [key("a", id=f"k{n}", pool_id=("primary", "twin")[n % 2], internal_priority=n) for n in range(6)]
    found = build_snapshot(registry(pools=(PRIMARY, twin), keys=tuple(keys)))
    pools = [lane.backend.pool.id for lane in found.lanes["m"]]
    assert pools == sorted(pools)


def test_no_part_of_it_can_be_changed() -> None:
    found = build_snapshot(registry())
    for table in ("backends", "models", "lanes", "api_keys", "providers", "provider_backends", "upstream_models"):
        with pytest.raises(TypeError):
            getattr(found, table)["x"] = None
    with pytest.raises(AttributeError):
        found.version = 4  # type: ignore[misc]
    assert isinstance(found.lanes["m"], tuple)
    assert isinstance(found.provider_backends["a"], tuple)


def test_it_is_found_by_what_callers_send() -> None:
    found = build_snapshot(registry(models=(model("gpt-5", id="id-1"),), mappings=(mapping("a", "id-1"),)))
    assert found.version == 3
    assert found.models["gpt-5"].id == "id-1"
    assert found.providers["a"].id == "a"
    assert found.api_keys[ANYONE.key_hash] is ANYONE
    assert [lane.upstream_name for lane in found.lanes["id-1"]] == ["a's id-1"]


def test_only_addresses_that_an_operator_named_are_local() -> None:
    rows = (endpoint("a"), endpoint("a", id="e2", local_upstream="127.0.0.1:11434"), endpoint("a", id="e3"))
    assert build_snapshot(registry(endpoints=rows)).local_upstreams == {"127.0.0.1:11434"}
    assert build_snapshot(registry()).local_upstreams == frozenset()


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ({}, ["m"]),
        ({"mappings": ()}, []),
        ({"keys": ()}, []),
        ({"models": (model("m", status=ModelStatus.DISABLED),)}, []),
        ({"keys": (key("a", is_active=False), key("a", id="k-2"))}, ["m"]),
        ({"keys": (key("a", is_active=False), key("a", id="k-2", is_active=False))}, []),
        ({"models": (model("m"), model("n"))}, ["m"]),
    ],
)
def test_a_model_is_shown_where_one_enabled_backend_serves_it(rows: dict[str, Any], shown: list[str]) -> None:
    assert [row.code for row in build_snapshot(registry(**rows)).serving_models()] == shown


def test_an_empty_registry_is_a_picture_too() -> None:
    empty = Registry(1, (), (), (), (), (), (), ())
    found = build_snapshot(empty)
    assert (found.serving_models(), len(found.backends), found.registry) == ([], 0, empty)
