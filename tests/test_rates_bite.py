"""Each field that limits how much, by itself: it is set over the JSON API, and the next real calls feel it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness import HELLO
from tests.place import Json, Place
from tests.provider import CHAT_ANSWER, Exchange, answer, refused

pytestmark = pytest.mark.anyio

NOTHING: list[tuple[str, str, str]] = [
    ("providers", "rpm_limit", "provider_rpm_zero"),
    ("providers", "concurrent_limit", "provider_concurrent_zero"),
    ("providers", "monthly_quota", "quota_exhausted"),
    ("endpoints", "rpm_limit", "endpoint_rpm_zero"),
    ("endpoints", "max_concurrent", "endpoint_concurrent_zero"),
    ("provider-keys", "tpm_limit", "tpm_zero"),
    ("provider-keys", "max_concurrent", "key_concurrent_zero"),
    ("provider-keys", "daily_limit", "daily_zero"),
    ("provider-keys", "monthly_limit", "monthly_zero"),
]


@pytest.mark.parametrize(("noun", "field", "reason"), NOTHING)
async def test_zero_takes_a_backend_out_and_null_brings_it_back(
    place: Place, noun: str, field: str, reason: str
) -> None:
    await place.turn(noun, **{field: "0" if field == "monthly_quota" else 0})
    who, row = await place.call()
    await place.turn(noun, **{field: None})

    assert (who, len(place.first.heard)) == ("second", 0)
    assert [(skip.reason, skip.seconds) for skip in row.skips] == [(reason, None)]
    assert (await place.call())[0] == "first"


RATES: list[tuple[str, str, str, float]] = [
    ("providers", "rpm_limit", "provider_rpm_empty", 30),
    ("endpoints", "rpm_limit", "endpoint_rpm_empty", 30),
    ("provider-keys", "daily_limit", "daily_empty", 43_200),
    ("provider-keys", "monthly_limit", "monthly_empty", 15 * 86_400),
]


@pytest.mark.parametrize(("noun", "field", "reason", "seconds"), RATES)
async def test_two_are_two_and_the_third_goes_elsewhere(
    place: Place, noun: str, field: str, reason: str, seconds: float
) -> None:
    await place.turn(noun, **{field: 2})

    answered = [await place.call() for _ in range(3)]

    assert [who for who, _ in answered] == ["first", "first", "second"]
    (skip,) = answered[-1][1].skips
    assert (skip.reason, skip.seconds) == (reason, pytest.approx(seconds, rel=0.05))
    assert " 2 requests a" in skip.sentence or " 2 requests per minute" in skip.sentence


PLACES: list[tuple[str, str, str]] = [
    ("providers", "concurrent_limit", "provider_busy"),
    ("endpoints", "max_concurrent", "endpoint_busy"),
    ("provider-keys", "max_concurrent", "key_busy"),
]


@contextlib.asynccontextmanager
async def one_held(place: Place) -> AsyncIterator[None]:
    """While a call is being answered by the first provider."""
    gate = asyncio.Event()

    async def held(exchange: Exchange) -> None:
        await gate.wait()
        await answer()(exchange)

    place.first.then(held)
    holding = asyncio.create_task(place.gateway.call())
    while not place.first.heard:
        await asyncio.sleep(0.005)
    yield
    gate.set()
    assert (await holding).status_code == 200


@pytest.mark.parametrize(("noun", "field", "reason"), PLACES)
async def test_a_place_is_taken_while_a_call_lasts_and_free_afterwards(
    place: Place, noun: str, field: str, reason: str
) -> None:
    await place.turn(noun, **{field: 1})

    async with one_held(place):
        who, row = await place.call()
    await place.gateway.rows()

    assert (who, [skip.reason for skip in row.skips]) == ("second", [reason])
    assert (await place.call())[0] == "first"
    assert place.gateway.desk.state.places == {}


async def test_a_call_waits_for_a_place_where_there_is_no_other(place: Place) -> None:
    await place.turn("providers", concurrent_limit=1)
    await place.turn("backends", spare=True, enabled=False)

    async with one_held(place):
        waiting = asyncio.create_task(place.gateway.call())
        await asyncio.sleep(0.1)
        heard = len(place.first.heard)
    assert (await waiting).status_code == 200
    assert (heard, len(place.first.heard)) == (1, 2)


async def test_tokens_are_those_that_were_used_and_not_those_that_were_guessed(place: Place) -> None:
    place.first.always = answer({**CHAT_ANSWER, "usage": {"prompt_tokens": 900, "completion_tokens": 90}})
    await place.turn("provider-keys", tpm_limit=1000)

    first, second = await place.call(), await place.call()
    third = await place.call()

    assert [found[0] for found in (first, second, third)] == ["first", "first", "second"]
    (skip,) = third[1].skips
    assert skip.reason == "tpm_empty"
    assert skip.seconds == pytest.approx((980 + 10) * 60 / 1000, abs=3)


async def test_tokens_of_an_attempt_that_failed_come_back(place: Place) -> None:
    await place.turn("provider-keys", tpm_limit=1000)
    place.first.then(refused(500))

    await place.call()

    bucket = place.gateway.desk.state.buckets[f"key:{place.made.key.id}:tpm"]
    assert bucket.level == pytest.approx(1000)


async def test_a_key_is_one_key_on_all_its_endpoints(place: Place) -> None:
    """Its requests are counted once, whichever format or model they are for."""
    await place.turn("provider-keys", rpm_limit=1)
    model = (await place.send("POST", "/models", code="other")).json()
    await place.send("POST", "/mappings", provider_id=place.made.provider.id, model_id="other")
    await place.patch(f"/models/{model['id']}", status="ENABLED")

    await place.call()
    other = await place.call(model="other")

    assert (other[0], [skip.reason for skip in other[1].skips]) == ("nobody", ["rpm_empty"])


async def test_a_quota_is_used_up_by_actual_cost_and_begins_anew_after_its_days(place: Place) -> None:
    await place.turn("models", input_price="1", output_price="0")
    place.first.always = answer({**CHAT_ANSWER, "usage": {"prompt_tokens": 1000, "completion_tokens": 1}})
    await place.turn("providers", monthly_quota="0.0015", quota_reset_days=7, billing_type="monthly_quota")

    answered = [await place.call() for _ in range(3)]

    assert [who for who, _ in answered] == ["first", "first", "second"]
    (skip,) = answered[-1][1].skips
    assert (skip.reason, skip.seconds) == ("quota_exhausted", pytest.approx(7 * 86_400, abs=30))

    spent = place.gateway.desk.state.spent
    provider_id = place.made.provider.id
    assert spent[provider_id].used_nano == 2_000_000
    await place.turn("providers", quota_reset_days=1)
    spent[provider_id] = type(spent[provider_id])(2_000_000, spent[provider_id].since - 86_400_000)
    assert (await place.call())[0] == "first"
    assert spent[provider_id].used_nano == 1_000_000


async def test_what_is_free_uses_no_quota(place: Place) -> None:
    await place.turn("models", input_price="1", output_price="0")
    await place.turn("providers", billing_type="free_tier", monthly_quota="0.000000001")

    answered = [await place.call() for _ in range(2)]

    assert [who for who, _ in answered] == ["first", "first"]
    assert place.gateway.desk.state.spent == {}
    assert {row.cost_nano for _, row in answered} == {9_000}


async def test_a_quota_that_expired_is_not_drawn_on(place: Place) -> None:
    for ends, who in ((timedelta(hours=1), "first"), (timedelta(hours=-1), "second")):
        await place.turn("providers", quota_expires_at=(datetime.now(UTC) + ends).isoformat())
        found, row = await place.call()
        assert found == who
    assert [(skip.reason, skip.seconds) for skip in row.skips] == [("quota_expired", None)]


MULTIPLIERS: list[tuple[Json, int]] = [
    ({}, 9_000),
    ({"rate_multiplier": "0.8"}, 7_200),
    ({"rate_multiplier": "0"}, 0),
    ({"rate_multiplier": "0.8", "rate_multipliers": {"openai_chat": "2"}}, 18_000),
]


@pytest.mark.parametrize(("change", "nano"), MULTIPLIERS, ids=str)
async def test_what_a_key_pays_is_in_the_actual_cost(place: Place, change: Json, nano: int) -> None:
    await place.turn("models", input_price="1", output_price="0")
    await place.turn("provider-keys", **change)

    await place.call()

    spent = place.gateway.desk.state.spent.get(place.made.provider.id)
    assert (spent.used_nano if spent else 0) == nano
    assert (await place.gateway.row()).cost_nano == 9_000


async def test_an_open_circuit_waits_no_longer_than_its_key_says(place: Place) -> None:
    await place.turn("provider-keys", max_probe_interval_minutes=2)
    breaker = place.gateway.desk.state.of(place.made.backend_id).breaker
    breaker.restore(9, 0.0)
    place.first.always = refused(500)

    await place.call()
    await place.call()
    _, row = await place.call()

    assert [skip.reason for skip in row.skips] == ["breaker_open"]
    assert row.skips[0].seconds == pytest.approx(120, abs=5)


async def test_an_api_keys_tokens_per_minute_stop_the_next_call(place: Place) -> None:
    place.first.always = answer({**CHAT_ANSWER, "usage": {"prompt_tokens": 190, "completion_tokens": 9}})
    await place.turn("api-keys", tpm_limit=100)

    got = [await place.gateway.call(messages=HELLO) for _ in range(2)]

    assert [one.status_code for one in got] == [200, 429]
    assert "This API key's limit of 100 tokens per minute" in got[1].json()["error"]["message"]
    assert int(got[1].headers["retry-after"]) == pytest.approx((99 + 10) * 60 / 100, abs=3)


async def test_an_api_keys_calls_at_once_stop_the_next_one(place: Place) -> None:
    await place.turn("api-keys", max_concurrent=1)

    async with one_held(place):
        got = await place.gateway.call()
    await place.gateway.rows()

    assert (got.status_code, got.headers["retry-after"]) == (429, "1")
    assert "1 calls at once" in got.json()["error"]["message"]
    assert (await place.call())[0] == "first"


@pytest.mark.parametrize("field", ["tpm_limit", "max_concurrent"])
async def test_zero_for_an_api_key_refuses_every_call(place: Place, field: str) -> None:
    await place.turn("api-keys", **{field: 0})
    got = await place.gateway.call()
    assert (got.status_code, got.headers["x-should-retry"], "retry-after" in got.headers) == (429, "false", False)

    await place.turn("api-keys", **{field: None})
    assert (await place.call())[0] == "first"


async def test_a_call_that_no_backend_could_take_counts_nothing_anywhere(place: Place) -> None:
    await place.turn("api-keys", rpm_limit=5, tpm_limit=1000)
    await place.turn("provider-keys", rpm_limit=5)
    await place.turn("providers", rpm_limit=0)
    await place.turn("backends", spare=True, enabled=False)

    assert (await place.gateway.call()).status_code == 503

    state = place.gateway.desk.state
    assert {name: bucket.limit - bucket.level for name, bucket in state.buckets.items() if bucket.level} == {
        f"api_key:{place.gateway.desk.snapshot().registry.api_keys[0].id}:rpm": 0,
        f"api_key:{place.gateway.desk.snapshot().registry.api_keys[0].id}:tpm": 0,
        f"key:{place.made.key.id}:rpm": 0,
    }
    assert state.places == {}
