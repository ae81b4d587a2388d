"""An operator asks where a call would go."""

from __future__ import annotations

import copy

import pytest

from gateway.control import api_keys, backends, explanations, route_rules
from gateway.control.desk import Desk
from gateway.errors import BadInput, Forbidden, InvalidFields, ModelNotFound
from tests.desks import ANN

pytestmark = pytest.mark.anyio


async def served(desk: Desk, name: str, models: list[str], **fields: object) -> str:
    made = await backends.create(
        desk,
        ANN,
        {"name": name, "base_url": f"https://{name}.example/v1", "api_key": f"sk-{name}-012345678", "models": models}
        | fields,
    )
    return made.backend_id


async def test_it_looks_at_the_live_state_and_changes_nothing(desk: Desk) -> None:
    first, _ = await served(desk, "a", ["m"]), await served(desk, "b", ["m"], pool="fallback")
    desk.state.of(first).rest(desk.clock.mono() + 60, "HTTP 429")
    before = copy.deepcopy((desk.state.backends, desk.state.turns, desk.state.places, desk.state.affinities))

    found = await explanations.explain(desk, {"model": "m"})

    assert [(one.backend, one.taken, one.reason) for one in found.candidates] == [
        ("b/main", True, ""),
        ("a/main", False, "cooling"),
    ]
    assert (desk.state.backends, desk.state.turns, desk.state.places, desk.state.affinities) == before


async def test_operators_see_what_the_named_key_may_not_use(desk: Desk) -> None:
    await served(desk, "a", ["m"])
    await served(desk, "b", ["m"])
    await api_keys.create(desk, ANN, {"name": "narrow", "allowed_providers": ["b"]})

    found = await explanations.explain(desk, {"model": "m", "api_key": "narrow"})

    assert {one.backend: one.reason for one in found.candidates} == {"a/main": "not_permitted", "b/main": ""}


async def test_auto_goes_by_the_rules_and_the_keys_own_purpose(desk: Desk) -> None:
    await served(desk, "a", ["small", "large"])
    await route_rules.create(desk, ANN, {"route_type": "AGENT", "route_key": "coder", "model_id": "large"})
    await route_rules.create(desk, ANN, {"route_type": "GLOBAL", "model_id": "small"})
    await api_keys.create(desk, ANN, {"name": "coders", "default_agent": "coder"})

    assert (await explanations.explain(desk, {})).route == "GLOBAL"
    by_key = await explanations.explain(desk, {"model": "auto", "api_key": "coders"})
    assert (by_key.model, by_key.route) == ("large", "AGENT:coder")
    by_word = await explanations.explain(desk, {"api_key": "coders", "agent": "writer"})
    assert (by_word.model, by_word.route) == ("small", "GLOBAL")


async def test_what_a_call_asks_for_is_told(desk: Desk) -> None:
    await served(desk, "a", ["m"])

    found = await explanations.explain(
        desk, {"model": "m", "require": "context_1m", "needs": ["tools"], "session": "s", "seed": 3}
    )

    assert (found.wanted, found.session, found.seed) == (("context_1m", "tools"), "s", 3)
    assert found.candidates[0].sentence == "It lacks what the call asks for: context_1m."


async def test_the_same_seed_gives_the_same_explanation(desk: Desk) -> None:
    for name in "abcd":
        await served(desk, name, ["m"])

    assert len({repr(await explanations.explain(desk, {"model": "m", "seed": 5})) for _ in range(5)}) == 1


async def test_it_is_refused_as_the_call_would_be(desk: Desk) -> None:
    await served(desk, "a", ["m"])
    await api_keys.create(desk, ANN, {"name": "mute", "allowed_formats": []})

    with pytest.raises(InvalidFields):
        await explanations.explain(desk, {"model": "m", "api_key": "nobody"})
    with pytest.raises(ModelNotFound):
        await explanations.explain(desk, {"model": "nothing"})
    with pytest.raises(Forbidden):
        await explanations.explain(desk, {"model": "m", "api_key": "mute"})
    with pytest.raises(BadInput, match="cache_1h,-context_1m"):
        await explanations.explain(desk, {"model": "m", "require": "one hour"})
