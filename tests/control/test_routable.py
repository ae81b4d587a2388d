"""What a model lacks before anything can serve it, and what an operator is told of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.control.routable import is_routable, missing, named, notes
from gateway.model.registry import ModelStatus
from gateway.routing.snapshot import Registry, build_snapshot
from tests.store.rows import ENDPOINT, KEY, MAPPING, MODEL, POOL, PROVIDER, ROUTE_RULE

READY = replace(MAPPING, is_available=True)
WHOLE = Registry(1, (PROVIDER,), (ENDPOINT,), (KEY,), (POOL,), (MODEL,), (READY,), (), (ROUTE_RULE,))

GAPS: list[tuple[Registry, str]] = [
    (replace(WHOLE, mappings=()), "no provider is mapped to it; map one first"),
    (
        replace(WHOLE, mappings=(replace(READY, is_active=False),)),
        "every mapping of it is switched off; switch one on first",
    ),
    (replace(WHOLE, providers=(replace(PROVIDER, is_active=False),)), "provider openai is disabled; enable it"),
    (
        replace(WHOLE, mappings=(replace(READY, is_available=False),)),
        "provider openai does not list it at present; refresh its models, or set is_available",
    ),
    (replace(WHOLE, endpoints=()), "provider openai has no active endpoint; add or enable one"),
    (
        replace(WHOLE, endpoints=(replace(ENDPOINT, is_active=False),)),
        "provider openai has no active endpoint; add or enable one",
    ),
    (replace(WHOLE, keys=(replace(KEY, is_active=False),)), "provider openai has no active key; add or enable one"),
    (
        replace(WHOLE, keys=(replace(KEY, api_formats=("other",)),)),
        "no active key of provider openai is for the API format of an active endpoint; add it there",
    ),
]


@pytest.mark.parametrize(("registry", "words"), GAPS, ids=[words for _, words in GAPS])
def test_what_is_missing_is_named_with_the_way_to_mend_it(registry: Registry, words: str) -> None:
    assert not is_routable(build_snapshot(registry), MODEL.id)
    assert missing(registry, MODEL.id) == words


def test_where_all_is_there_nothing_is_missing() -> None:
    assert is_routable(build_snapshot(WHOLE), MODEL.id)
    assert missing(WHOLE, MODEL.id) == ""
    assert notes(build_snapshot(WHOLE), MODEL) == ()


def test_each_provider_of_a_model_is_spoken_of() -> None:
    second = replace(PROVIDER, id="prov2", name="groq", is_active=False)
    registry = replace(
        WHOLE,
        providers=(PROVIDER, second),
        keys=(),
        mappings=(READY, replace(READY, id="map2", provider_id="prov2")),
    )

    assert missing(registry, MODEL.id) == (
        "provider openai has no active key; add or enable one; provider groq is disabled; enable it"
    )


def test_a_model_that_does_not_serve_says_which_rules_pass_it_over() -> None:
    off = replace(MODEL, status=ModelStatus.DISABLED)

    assert notes(build_snapshot(replace(WHOLE, models=(off,))), off) == (
        "Route rules point at it and pass it over while it is DISABLED: AGENT coder.",
    )


def test_an_enabled_model_that_cannot_serve_says_why() -> None:
    assert notes(build_snapshot(replace(WHOLE, keys=())), MODEL) == (
        "It is ENABLED and cannot serve: provider openai has no active key; add or enable one.",
    )


def test_up_to_five_rules_are_named() -> None:
    rules = [replace(ROUTE_RULE, route_key=f"agent-{number}") for number in range(7)]

    assert named(rules[:5]).endswith("AGENT agent-4")
    assert named(rules).endswith("AGENT agent-4 and 2 more")
