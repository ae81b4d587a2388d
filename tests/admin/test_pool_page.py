"""A pool's page: its strategy, its order and its settings."""

from __future__ import annotations

import pytest

from gateway.control import backends, pools
from gateway.model.registry import Pool, Strategy, Translated
from tests.admin.browsing import Operator, fault_of, parse, text_of, values_of, words_of
from tests.desks import ANN

pytestmark = pytest.mark.anyio


def pool(operator: Operator, name: str = "primary") -> Pool:
    return next(one for one in operator.gateway.desk.snapshot().registry.pools if one.name == name)


def settings(html: str) -> dict[str, str]:
    """The fields of the form, with the strategy that is ticked."""
    ticked = [
        one.get("value", "")
        for one in parse(html).iter("input")
        if one.get("type") == "radio" and "checked" in one.attrib
    ]
    return {**values_of(html), "strategy": ticked[0]} if ticked else values_of(html)


async def test_every_strategy_is_offered_with_what_it_does(operator: Operator) -> None:
    page = (await operator.get(f"/admin/pools/{pool(operator).id}")).text

    offered = {one.get("value") for one in parse(page).iter("input") if one.get("type") == "radio"}
    assert offered == {strategy.value for strategy in Strategy}
    assert settings(page)["strategy"] == "priority"


async def test_the_order_is_told_with_its_reasons(operator: Operator) -> None:
    desk = operator.gateway.desk
    demo = next(one for one in desk.snapshot().backends.values() if one.name == "demo/main")
    await pools.update(desk, ANN, demo.pool.id, {"strategy": "least_busy"})

    fit = text_of((await operator.get(f"/admin/pools/{demo.pool.id}?model=demo%2Fecho")).text)
    assert "1 demo/main least busy (0 in flight)" in fit

    desk.state.of(demo.id).rest(desk.clock.mono() + 60, "rate limited")
    resting = text_of((await operator.get(f"/admin/pools/{demo.pool.id}?model=unknown")).text)
    assert "– demo/main passed by It rests for" in resting


async def test_a_pool_without_backends_says_so(operator: Operator) -> None:
    made = await pools.create(operator.gateway.desk, ANN, {"name": "third", "tier": 3})
    assert "No backend is in this pool yet" in text_of((await operator.get(f"/admin/pools/{made.id}")).text)


async def test_settings_are_saved_and_shown_again(operator: Operator) -> None:
    page = f"/admin/pools/{pool(operator).id}"
    change = {"strategy": "weighted", "max_attempts": "2", "wait_seconds": "0", "cooldown_base_seconds": "1.5"}

    got = await operator.submit(page, page, **{**settings((await operator.get(page)).text), **change})

    assert got.headers["location"] == page, text_of(got.text)
    assert (pool(operator).strategy, pool(operator).max_attempts, pool(operator).wait_seconds) == (
        Strategy.WEIGHTED,
        2,
        0,
    )
    shown = settings((await operator.get(page)).text)
    assert {name: shown[name] for name in change} == change


async def test_where_backends_of_another_format_come_is_chosen_in_plain_words(operator: Operator) -> None:
    page = f"/admin/pools/{pool(operator).id}"
    html = (await operator.get(page)).text
    choice = next(one for one in parse(html).iter("select") if one.get("name") == "translated")

    offered = {one.get("value"): words_of(one) for one in choice.iter("option")}
    got = await operator.submit(page, page, **{**settings(html), "translated": "never"})

    assert "Backends of another API format" in text_of(html)
    assert set(offered) == set(Translated)
    assert offered["last"] == "last, after all that need no translation"
    assert (settings(html)["translated"], got.status_code) == ("last", 303)
    assert pool(operator).translated is Translated.NEVER
    assert settings((await operator.get(page)).text)["translated"] == "never"


async def test_a_new_pool_begins_with_translation_last(operator: Operator) -> None:
    page = "/admin/pools/new"
    values = settings((await operator.get(page)).text)
    await operator.submit(page, page, **{**values, "name": "third", "translated": "equal"})

    assert values["translated"] == "last"
    assert pool(operator, "third").translated is Translated.EQUAL


async def test_faults_and_other_people_s_changes_are_told_beside_their_fields(operator: Operator) -> None:
    page = f"/admin/pools/{pool(operator).id}"
    values = settings((await operator.get(page)).text)

    wrong = await operator.submit(page, page, **{**values, "tier": "-1", "strategy": "best"})
    await pools.update(operator.gateway.desk, ANN, pool(operator).id, {"tier": 4})
    late = await operator.submit(page, page, **{**values, "max_attempts": "3"})

    assert (wrong.status_code, late.status_code) == (422, 409)
    assert fault_of(wrong.text, "tier").startswith("Must be")
    assert fault_of(wrong.text, "strategy").lower().startswith("must be one of")
    assert fault_of(late.text, "tier") == "Is now 4"
    assert settings(late.text)["max_attempts"] == "3"


async def test_a_pool_is_added_and_deleted_and_one_in_use_is_not(operator: Operator) -> None:
    new = "/admin/pools/new"
    begun = settings((await operator.get(new)).text)
    assert (begun["strategy"], begun["tier"], begun["max_attempts"]) == ("priority", "10", "4")

    taken = await operator.submit(new, new, **{**begun, "name": "primary"})
    made = await operator.submit(new, new, **{**begun, "name": "third"})

    assert fault_of(taken.text, "name").startswith("Is taken")
    assert made.headers["location"] == f"/admin/pools/{pool(operator, 'third').id}"
    used, unused = (f"/admin/pools/{pool(operator, name).id}/delete" for name in ("primary", "third"))
    refused = await operator.submit(used, used)
    assert refused.status_code == 409
    assert "Pool primary is in use by demo/main" in text_of(refused.text)
    assert (await operator.submit(unused, unused)).status_code == 303
    assert [one.name for one in operator.gateway.desk.snapshot().registry.pools] == ["primary", "fallback"]


async def test_the_order_is_shown_for_one_api_format_and_says_what_is_translated(operator: Operator) -> None:
    desk = operator.gateway.desk
    made = await backends.create(desk, ANN, {"name": "openai", "preset": "openai", "models": ["m"]})
    page = f"/admin/pools/{made.key.pool_id}?model=m"

    chat = text_of((await operator.get(page)).text)
    vectors = text_of((await operator.get(f"{page}&api_format=openai_embeddings")).text)
    messages = text_of((await operator.get(f"{page}&api_format=anthropic_messages")).text)
    ranks = text_of((await operator.get(f"{page}&api_format=rerank")).text)

    assert "1 openai/main openai_chat by priority 2 openai/main openai_responses translated by priority" in chat
    assert "1 openai/main openai_embeddings by priority" in vectors
    assert "translated by" not in vectors
    assert messages.count("translated by priority") == 2
    assert "No backend of this pool can serve a call in rerank for m." in ranks


async def test_a_format_that_there_is_not_is_that_of_chats(operator: Operator) -> None:
    html = (await operator.get(f"/admin/pools/{pool(operator).id}?api_format=smoke")).text
    assert settings(html)["api_format"] == "openai_chat"
