from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import ModelNotFound
from gateway.model.registry import ModelStatus, Price
from gateway.routing.resolve import models_for, resolve
from gateway.routing.snapshot import Registry, build_snapshot
from tests.routing.build import ANYONE, PRIMARY, endpoint, key, mapping, model, provider, snapshot

PRICE = Price(1, 2, 3, 4, 5)


def test_a_code_is_found_in_any_case() -> None:
    found = snapshot(key("a"), models=(model("gpt-5", price=PRICE),))
    for asked in ("gpt-5", "GPT-5"):
        target = resolve(found, ANYONE, asked)
        assert (target.model, target.lanes[0].price, target.config_version) == ("gpt-5", PRICE, 7)
        assert [lane.upstream_name for lane in target.lanes] == ["a's gpt-5"]


@pytest.mark.parametrize("status", [ModelStatus.DRAFT, ModelStatus.DISABLED, ModelStatus.DEPRECATED])
def test_only_enabled_models_serve_by_either_name(status: ModelStatus) -> None:
    found = snapshot(key("a"), models=(model("m", status=status),))
    for asked in ("m", "a/a's m"):
        with pytest.raises(ModelNotFound):
            resolve(found, ANYONE, asked)


def test_a_provider_is_reached_by_its_own_names() -> None:
    found = snapshot(key("a"), key("b"), models=(model("m", price=PRICE),))
    mapped, unmapped = resolve(found, ANYONE, "b/b's m"), resolve(found, ANYONE, "b/vendor/new-1")
    assert (mapped.model, [lane.price for lane in mapped.lanes]) == ("m", [PRICE])
    assert (unmapped.model, [lane.price for lane in unmapped.lanes]) == ("b/vendor/new-1", [None])
    for target in (mapped, unmapped):
        assert {lane.backend.provider.name for lane in target.lanes} == {"b"}


def test_a_code_with_a_slash_goes_before_a_provider_of_that_name() -> None:
    found = snapshot(key("demo"), key("b"), models=(model("demo/echo"),))
    assert {lane.backend.provider.name for lane in resolve(found, ANYONE, "demo/echo").lanes} == {"demo", "b"}


def test_a_key_sees_and_uses_only_what_it_may() -> None:
    found = snapshot(key("a"), models=(model("m"), model("n")))
    narrow = replace(ANYONE, allowed_models=("n",))
    nothing = replace(ANYONE, allowed_models=())
    assert models_for(found, ANYONE) == ["m", "n"]
    assert models_for(found, narrow) == ["n"]
    assert models_for(found, nothing) == []
    assert resolve(found, narrow, "n").model == "n"
    for caller, asked in ((narrow, "m"), (narrow, "a/a's m"), (narrow, "a/other"), (nothing, "n")):
        with pytest.raises(ModelNotFound):
            resolve(found, caller, asked)


def test_a_refusal_names_the_three_nearest_that_the_key_may_use() -> None:
    names = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "claude-sonnet", "gemini-pro")
    found = snapshot(key("a"), models=tuple(model(name) for name in names))
    with pytest.raises(ModelNotFound, match="The nearest names: gpt-5-mini, gpt-5-nano, gpt-5\\."):
        resolve(found, ANYONE, "gpt-5-minni")
    with pytest.raises(ModelNotFound, match="The nearest names: gemini-pro\\."):
        resolve(found, replace(ANYONE, allowed_models=("gemini-pro",)), "gpt-5")
    with pytest.raises(ModelNotFound, match="may use no model"):
        resolve(found, replace(ANYONE, allowed_models=()), "gpt-5")


def test_an_inactive_mapping_serves_nothing() -> None:
    registry = Registry(
        version=1,
        providers=(provider("a"),),
        endpoints=(endpoint("a"),),
        keys=(key("a"),),
        pools=(PRIMARY,),
        models=(model("m"),),
        mappings=(mapping("a", "m", is_active=False),),
        api_keys=(ANYONE,),
    )
    with pytest.raises(ModelNotFound):
        resolve(build_snapshot(registry), ANYONE, "m")


def test_a_key_serves_only_the_formats_it_is_for() -> None:
    assert snapshot(key("a", api_formats=("other",))).backends == {}
