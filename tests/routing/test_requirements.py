"""What a call asks for, and who lacks it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.errors import BadInput, Forbidden
from gateway.model.registry import ApiFormat
from gateway.routing.permissions import may_reach, require_format
from gateway.routing.requirements import unfit, wanted
from gateway.routing.snapshot import Lane
from tests.routing.build import ANYONE, ask, backend, world

NOTHING: frozenset[str] = frozenset()


def lane_of(able: frozenset[str] | None = None, **of_key: Any) -> Lane:
    return Lane(backend(**of_key), "m", capabilities=able)


def reason(lane: Lane, **of_ask: Any) -> str:
    found = unfit(lane, ask(**of_ask), world())
    return "" if found is None else found.reason


def test_a_call_wants_what_its_key_header_and_body_say_less_what_the_header_takes_away() -> None:
    forced = frozenset({"context_1m", "eu"})

    assert wanted(forced, "", NOTHING, ()) == {"context_1m", "eu"}
    assert wanted(forced, " Cache_1h , -context_1m,", NOTHING, ()) == {"cache_1h", "eu"}
    assert wanted(NOTHING, "", frozenset({"tools", "vision"}), ()) == {"tools", "vision"}
    assert wanted(NOTHING, "-tools", frozenset({"tools"}), ()) == NOTHING


def test_what_only_the_body_shows_is_wanted_where_somebody_offers_it() -> None:
    offered = [lane_of(), lane_of(capabilities=("cache_1h",))]

    assert wanted(NOTHING, "", frozenset({"cache_1h"}), offered[:1]) == NOTHING
    assert wanted(NOTHING, "", frozenset({"cache_1h"}), offered) == {"cache_1h"}
    assert wanted(NOTHING, "cache_1h", frozenset({"cache_1h"}), offered[:1]) == {"cache_1h"}


@pytest.mark.parametrize("header", ["cache 1h", "--a", "-", "a;b", "ä", "x" * 64, ",".join("abc" * 20)])
def test_a_header_that_says_something_else_is_refused_with_what_to_write(header: str) -> None:
    with pytest.raises(BadInput, match="cache_1h,-context_1m") as refused:
        wanted(NOTHING, header, NOTHING, ())
    assert (refused.value.code, refused.value.param) == ("invalid_capability", "x-gateway-require")


@pytest.mark.parametrize(
    ("lane", "asked", "expected"),
    [
        (lane_of(), {"tools"}, ""),
        (lane_of(frozenset()), {"tools"}, "capability_missing"),
        (lane_of(frozenset({"tools"})), {"tools"}, ""),
        (lane_of(frozenset({"tools"})), {"tools", "vision"}, "capability_missing"),
        (lane_of(frozenset(), capabilities=("tools",)), {"tools"}, ""),
        (lane_of(), {"context_1m"}, "capability_missing"),
        (lane_of(capabilities=("context_1m",)), {"context_1m"}, ""),
        (lane_of(capabilities=("context_1m",)), set(), ""),
        (lane_of(capabilities=("cache_1h",)), set(), "capability_exclusive"),
        (lane_of(capabilities=("cache_1h",)), {"cache_1h"}, ""),
        (lane_of(frozenset({"cache_1h"})), set(), ""),
    ],
)
def test_a_lane_serves_what_its_key_or_model_can(lane: Lane, asked: set[str], expected: str) -> None:
    assert reason(lane, wanted=frozenset(asked)) == expected


def test_what_is_missing_is_named() -> None:
    found = unfit(lane_of(frozenset()), ask(wanted=frozenset({"vision", "tools"})), world())

    assert found is not None
    assert found.sentence == "It lacks what the call asks for: tools, vision."


def test_a_provider_that_offers_the_model_no_more_is_passed_over() -> None:
    assert reason(replace(lane_of(), is_available=False)) == "model_unavailable"


def test_a_key_serves_until_it_expires() -> None:
    now = world().wall_ms

    assert reason(lane_of(expires_at=now + 1)) == ""
    assert reason(lane_of(expires_at=now)) == "key_expired"


@pytest.mark.parametrize(("allowed", "expected"), [(None, ""), (("m",), ""), (("n",), "model_not_allowed"),
                                                   ((), "model_not_allowed")])  # fmt: skip
def test_a_provider_key_serves_the_models_it_is_for(allowed: tuple[str, ...] | None, expected: str) -> None:
    assert reason(lane_of(allowed_models=allowed)) == expected


@pytest.mark.parametrize(("allowed", "may"), [(None, True), (("a", "b"), True), (("b",), False), ((), False)])
def test_an_api_key_reaches_the_providers_it_may_use(allowed: tuple[str, ...] | None, may: bool) -> None:
    caller = replace(ANYONE, allowed_providers=allowed)

    assert may_reach(caller, backend("a")) is may
    assert reason(lane_of(), api_key=caller) == ("" if may else "not_permitted")


def test_an_api_key_speaks_the_formats_it_may() -> None:
    for allowed in (None, ("openai_chat",)):
        require_format(replace(ANYONE, allowed_formats=allowed), ApiFormat.OPENAI_CHAT)
    for allowed, words in (((), "no API format at all"), (("other",), "only other")):
        with pytest.raises(Forbidden, match=words) as refused:
            require_format(replace(ANYONE, allowed_formats=allowed), ApiFormat.OPENAI_CHAT)
        assert refused.value.code == "format_not_allowed"
