from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.errors import ModelNotFound
from gateway.model.registry import GLOBAL_ROUTE_KEY, ModelStatus, Price, PriceTable, RouteRule, RouteType, UpstreamAlias
from gateway.routing.purposes import Purpose
from gateway.routing.resolve import models_for, resolve
from gateway.routing.snapshot import Registry, Snapshot, build_snapshot
from tests.routing.build import ANYONE, PRIMARY, endpoint, key, mapping, model, provider, rule, snapshot

PRICE = Price(1, 2, 3, 4, 5)
TABLE = PriceTable(PRICE, origin="model v1")


def test_a_code_is_found_in_any_case() -> None:
    found = snapshot(key("a"), models=(model("gpt-5", price=PRICE),))
    for asked in ("gpt-5", "GPT-5"):
        target = resolve(found, ANYONE, asked)
        assert (target.model, target.lanes[0].price, target.config_version) == ("gpt-5", TABLE, 7)
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
    assert (mapped.model, [lane.price for lane in mapped.lanes]) == ("m", [TABLE])
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


def test_an_alias_is_found_after_codes_and_before_wildcards_of_which_the_longest_wins() -> None:
    found = snapshot(
        key("a"),
        models=(
            model("exact", aliases=("gpt-4o",)),
            model("gpt-4o-mini"),
            model("broad", aliases=("gpt-*",)),
            model("narrow", aliases=("gpt-4o-*", "Old-Name")),
        ),
    )
    asked = {"gpt-4o": "exact", "GPT-4o": "exact", "gpt-4o-mini": "gpt-4o-mini", "gpt-5": "broad", "gpt-4o-x": "narrow"}
    asked |= {"gpt-": "broad", "old-name": "narrow"}
    assert {name: resolve(found, ANYONE, name).model for name in asked} == asked
    for name in ("gpt", "old-name-2"):
        with pytest.raises(ModelNotFound):
            resolve(found, ANYONE, name)


def test_a_name_belongs_to_its_model_even_while_that_does_not_serve() -> None:
    off = model("off", status=ModelStatus.DISABLED, aliases=("a/known", "gpt-5-*"))
    found = snapshot(key("a"), models=(off, model("on", aliases=("gpt-*",))))
    for name in ("off", "a/known", "gpt-5-x"):
        with pytest.raises(ModelNotFound):
            resolve(found, ANYONE, name)
    assert resolve(found, ANYONE, "gpt-4").model == "on"


def test_of_two_models_with_one_alias_the_enabled_one_serves() -> None:
    twins = (model("on", aliases=("x", "y-*")), model("off", status=ModelStatus.DRAFT, aliases=("x", "y-*")))
    for models in (twins, twins[::-1]):
        found = snapshot(key("a"), models=models)
        assert [resolve(found, ANYONE, name).model for name in ("x", "y-1")] == ["on", "on"]


def test_equal_aliases_of_a_mapping_are_spread_over_callers_and_each_keeps_its_own() -> None:
    names = (UpstreamAlias("first", 1), UpstreamAlias("second", 1), UpstreamAlias("third", 2))
    plain = snapshot(key("a")).registry
    found = build_snapshot(replace(plain, mappings=(mapping("a", "m", aliases=names),)))
    given = []
    for number in range(200):
        caller = replace(ANYONE, id=f"key {number}")
        given.append(resolve(found, caller, "m").lanes[0].upstream_name)
        assert resolve(found, caller, "m").lanes[0].upstream_name == given[-1]
    assert set(given) == {"first", "second"}
    assert 70 < given.count("first") < 130
    assert resolve(found, ANYONE, "a/third").model == "m"
    assert resolve(found, ANYONE, "a/third").lanes[0].upstream_name == "third"


def test_a_key_that_may_use_no_provider_of_a_model_does_not_learn_of_it() -> None:
    found = snapshot(key("a"), key("b"), models=(model("m"),))
    only_b = replace(ANYONE, allowed_providers=("b",))
    nobody = replace(ANYONE, allowed_providers=())
    assert resolve(found, only_b, "m").model == "m"
    assert (models_for(found, only_b), models_for(found, nobody)) == (["m"], [])
    for caller, name in ((nobody, "m"), (only_b, "a/a's m"), (only_b, "a/new")):
        with pytest.raises(ModelNotFound) as refused:
            resolve(found, caller, name)
        assert "provider" not in refused.value.message


def test_a_model_that_only_a_forbidden_or_closed_backend_serves_is_not_listed() -> None:
    found = snapshot(key("a", is_active=False), key("b"))
    assert models_for(found, replace(ANYONE, allowed_providers=("a",))) == []
    assert models_for(found, replace(ANYONE, allowed_formats=())) == []
    gone = build_snapshot(replace(found.registry, mappings=(mapping("b", "m", is_available=False),)))
    assert models_for(gone, ANYONE) == []


def ruled(*rules: RouteRule, **of_m: object) -> Snapshot:
    models = (model("m", **of_m), model("n"), model("global"), model("off", status=ModelStatus.DISABLED))
    return build_snapshot(replace(snapshot(key("a"), models=models).registry, route_rules=rules))


EVERY_TYPE = (
    rule(RouteType.GLOBAL, GLOBAL_ROUTE_KEY, "global"),
    rule(RouteType.CAPABILITY, "code", "n"),
    rule(RouteType.BUSINESS, "sales", "n"),
    rule(RouteType.AGENT, "coder", "m"),
)


@pytest.mark.parametrize(
    ("purpose", "served", "route"),
    [
        (Purpose(), "global", "GLOBAL"),
        (Purpose(agent="coder"), "m", "AGENT:coder"),
        (Purpose("coder", "sales", "code"), "m", "AGENT:coder"),
        (Purpose("writer", "sales", "code"), "n", "BUSINESS:sales"),
        (Purpose("writer", "support", "code"), "n", "CAPABILITY:code"),
        (Purpose("writer", "support", "chat"), "global", "GLOBAL"),
    ],
)
def test_the_most_specific_rule_that_fits_chooses_the_model(purpose: Purpose, served: str, route: str) -> None:
    for asked in ("auto", "AUTO"):
        target = resolve(ruled(*EVERY_TYPE), ANYONE, asked, purpose)
        assert (target.model, target.route) == (served, route)


def test_an_api_keys_defaults_stand_in_for_words_that_a_call_does_not_say() -> None:
    caller = replace(ANYONE, default_agent="coder", default_business="sales")
    assert resolve(ruled(*EVERY_TYPE), caller, "auto").route == "AGENT:coder"
    assert resolve(ruled(*EVERY_TYPE), caller, "auto", Purpose(agent="writer")).route == "BUSINESS:sales"


def test_a_chain_goes_by_priority_then_id_past_what_cannot_serve() -> None:
    def of(number: int, target: str, **changes: object) -> RouteRule:
        return rule(RouteType.AGENT, "coder", target, id=f"r{number}", **changes)

    chain = [of(3, "m", priority=2), of(2, "n", priority=2), of(1, "off", priority=1), of(4, "m", is_enabled=False)]
    purpose = Purpose(agent="coder")
    assert resolve(ruled(*chain), ANYONE, "auto", purpose).model == "n"
    assert resolve(ruled(*chain), replace(ANYONE, allowed_models=("m",)), "auto", purpose).model == "m"
    closed = ruled(*chain).registry
    closed = replace(closed, mappings=tuple(one for one in closed.mappings if one.model_id != "n"))
    assert resolve(build_snapshot(closed), ANYONE, "auto", purpose).model == "m"


def test_a_name_that_is_known_never_asks_the_rules() -> None:
    rules = (rule(RouteType.GLOBAL, GLOBAL_ROUTE_KEY, "global"),)
    assert resolve(ruled(*rules), ANYONE, "m", Purpose(agent="coder")).route == ""
    assert resolve(ruled(*rules, aliases=("auto",)), ANYONE, "auto").model == "m"
    assert resolve(ruled(*rules, aliases=("a*",)), ANYONE, "auto").model == "global"


def test_when_no_rule_fits_the_refusal_says_what_was_tried_and_what_to_do() -> None:
    for rules in ((), (rule(RouteType.AGENT, "coder", "off"),)):
        with pytest.raises(ModelNotFound) as refused:
            resolve(ruled(*rules), ANYONE, "auto", Purpose(agent="coder", capability="code"))
        assert "Tried: AGENT:coder, CAPABILITY:code, GLOBAL." in refused.value.message
        assert "x-gateway-agent" in refused.value.message
