"""Each field that chooses, permits or requires, by itself: set over the JSON API, obeyed by the next real calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.place import Json, Place
from tests.provider import PICTURE_TURN, answer, limited, refused

pytestmark = pytest.mark.anyio

DRY = {"x-gateway-dry-run": "1"}
PAST = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

PASSED_OVER: list[tuple[str, Json, Json, str]] = [
    ("api-keys", {"allowed_providers": ["p2"]}, {}, "not_permitted"),
    ("api-keys", {"capabilities": ["context_1m"]}, {}, "capability_missing"),
    ("provider-keys", {"allowed_models": ["other"]}, {}, "model_not_allowed"),
    ("provider-keys", {"expires_at": PAST}, {}, "key_expired"),
    ("provider-keys", {"capabilities": ["cache_1h"]}, {}, "capability_exclusive"),
    ("mappings", {"is_available": False}, {}, "model_unavailable"),
    ("mappings", {"capabilities": ["vision"]}, {"tools": [{"type": "function"}]}, "capability_missing"),
]
"""What is changed, what the body of the call has besides, and the reason that the ledger gives."""


@pytest.mark.parametrize(
    ("noun", "change", "body", "reason"), PASSED_OVER, ids=[f"{n}:{c}" for n, c, _, _ in PASSED_OVER]
)
async def test_a_backend_that_does_not_fit_is_passed_over(
    place: Place, noun: str, change: Json, body: Json, reason: str
) -> None:
    await place.turn("provider-keys", spare=True, capabilities=["context_1m"])
    assert (await place.call(**body))[0] == "first"

    await place.turn(noun, **change)
    who, row = await place.call(**body)

    assert (who, len(place.first.heard)) == ("second", 1)
    assert [(skip.backend, skip.reason) for skip in row.skips] == [("p1/main", reason)]


async def test_a_models_capabilities_are_those_of_its_mappings_that_say_nothing(place: Place) -> None:
    await place.turn("models", capabilities=["tools"])
    await place.turn("mappings", spare=True, capabilities=["vision"])

    picture = await place.call(messages=[PICTURE_TURN])
    nobody = await place.call(messages=[PICTURE_TURN], tools=[{"type": "function"}])

    assert picture[0] == "second"
    assert (nobody[0], nobody[1].code, nobody[1].error_code) == ("nobody", 400, "capability_missing")
    assert place.first.heard == []


async def test_what_nobody_can_do_is_the_callers_to_change_unless_waiting_would_help(place: Place) -> None:
    await place.turn("mappings", capabilities=[])
    picture = {"messages": [PICTURE_TURN]}

    await place.turn("provider-keys", spare=True, is_active=False)
    assert (await place.call(**picture))[1].code == 400
    await place.turn("provider-keys", spare=True, is_active=True, rpm_limit=1)
    assert [(await place.call(**picture))[1].code for _ in range(2)] == [200, 429]


async def test_the_header_asks_for_what_a_key_alone_can_do_and_takes_away(place: Place) -> None:
    await place.turn("provider-keys", spare=True, capabilities=["cache_1h"])

    assert (await place.call(headers={"x-gateway-require": "cache_1h"}))[0] == "second"
    assert (await place.call())[0] == "first"
    await place.turn("api-keys", capabilities=["cache_1h"])
    assert (await place.call())[0] == "second"
    assert (await place.call(headers={"x-gateway-require": "-cache_1h"}))[0] == "first"
    assert (await place.call(headers={"x-gateway-require": "one hour"}))[1].error_code == "invalid_capability"


async def test_an_hour_of_cache_in_the_body_goes_to_a_key_that_has_it_where_there_is_one(place: Place) -> None:
    hour = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    body: Json = {"messages": [{"role": "user", "content": hour}]}

    assert (await place.call(**body))[0] == "first"
    await place.turn("provider-keys", spare=True, capabilities=["cache_1h"])
    assert (await place.call(**body))[0] == "second"


@pytest.mark.parametrize("allowed", [[], ["p9"]])
async def test_a_key_that_may_use_no_provider_of_a_model_is_told_that_there_is_none(
    place: Place, allowed: list[str]
) -> None:
    await place.turn("api-keys", allowed_providers=allowed)

    got = await place.gateway.call()
    listed = await place.gateway.client.get("/v1/models", headers=place.gateway.auth)

    assert (got.status_code, got.json()["error"]["code"]) == (404, "model_not_found")
    assert listed.json()["data"] == []
    for word in ("p1", "p2", "provider"):
        assert word not in got.json()["error"]["message"]


async def test_a_client_does_not_learn_of_a_provider_that_it_may_not_use(place: Place) -> None:
    await place.turn("api-keys", allowed_providers=["p2"])
    await place.turn("provider-keys", spare=True, is_active=False)

    dry = await place.gateway.call(headers=DRY)
    refusal = await place.gateway.call()
    listed = await place.gateway.client.get("/v1/models", headers=place.gateway.auth)

    assert [one["backend"] for one in dry.json()["candidates"]] == ["p2/main"]
    assert "p1" not in refusal.text
    assert "p1" not in listed.text
    assert "not_permitted" in [skip.reason for skip in (await place.gateway.rows())[-1].skips]


async def test_the_owner_of_a_listed_model_is_one_that_the_key_may_use(place: Place) -> None:
    await place.turn("api-keys", allowed_providers=["p2"])

    listed = await place.gateway.client.get("/v1/models/m", headers=place.gateway.auth)

    assert listed.json()["owned_by"] == "p2"


async def test_allowed_formats_refuse_with_the_reason(place: Place) -> None:
    for allowed, code in ((["openai_chat"], 200), ([], 403), (None, 200)):
        await place.turn("api-keys", allowed_formats=allowed)
        who, row = await place.call()
        assert (row.code, row.error_code) == (code, "" if code == 200 else "format_not_allowed")
        assert who == ("first" if code == 200 else "nobody")


async def test_a_purpose_of_the_api_key_or_the_call_chooses_the_model(place: Place) -> None:
    for name in ("coding", "selling", "seeing", "rest"):
        await place.gateway.backend(place.first, models=(name,))
    for kind, key, model in (("AGENT", "coder", "coding"), ("BUSINESS", "sales", "selling"),
                             ("CAPABILITY", "eyes", "seeing"), ("GLOBAL", "", "rest")):  # fmt: skip
        made = await place.send("POST", "/route-rules", route_type=kind, route_key=key, model_id=model)
        assert made.status_code == 201, made.text
    ids = {rule.route_type: rule.id for rule in place.gateway.desk.snapshot().registry.route_rules}

    async def served(**headers: str) -> tuple[str, str]:
        got = await place.gateway.call("auto", headers={name.replace("_", "-"): word for name, word in headers.items()})
        return got.headers.get("x-gateway-model", got.text), got.headers.get("x-gateway-route", "")

    assert await served() == ("rest", "GLOBAL")
    await place.turn("api-keys", default_capability="eyes")
    assert await served() == ("seeing", "CAPABILITY:eyes")
    await place.turn("api-keys", default_business="sales")
    assert await served() == ("selling", "BUSINESS:sales")
    await place.turn("api-keys", default_agent="coder")
    assert await served() == ("coding", "AGENT:coder")
    assert await served(x_gateway_agent="writer", x_gateway_business="none") == ("seeing", "CAPABILITY:eyes")
    assert (await place.gateway.rows())[-1].route == "CAPABILITY:eyes"
    await place.patch(f"/route-rules/{ids['CAPABILITY']}", is_enabled=False)
    assert await served(x_gateway_agent="writer", x_gateway_business="none") == ("rest", "GLOBAL")
    assert (await place.call(model="m"))[1].route == ""


async def test_aliases_of_a_model_and_of_a_mapping_name_it(place: Place) -> None:
    await place.turn("models", aliases=["old-name", "gpt-*"])
    await place.turn("mappings", aliases=[{"name": "theirs", "priority": 1}, {"name": "later", "priority": 2}])

    for asked in ("old-name", "gpt-anything"):
        who, row = await place.call(model=asked)
        assert (who, row.asked_model, row.served_model) == ("first", asked, "m")

    assert [heard.json()["model"] for heard in place.first.heard] == ["theirs", "theirs"]


async def test_a_mappings_price_is_charged_and_kept(place: Place) -> None:
    await place.turn("models", input_price="2", output_price="8")
    await place.turn("mappings", input_price="1", request_price="0.5")

    _, row = await place.call()
    place.first.always = refused(500)
    _, other = await place.call()

    assert row.price is not None and other.price is not None
    assert (row.price.input, row.price.output, row.price.per_request) == (10**9, 8 * 10**9, 10**9 // 2)
    assert row.cost_nano == 9 * 1000 + 3 * 8000 + 10**9 // 2
    assert (other.price.input, other.cost_nano) == (2 * 10**9, 9 * 2000 + 3 * 8000)


async def test_a_call_is_priced_by_the_tier_that_its_input_is_in(place: Place) -> None:
    above = {"above": 8, "input": "4", "output": "16", "cache_creation_1h": "7"}
    await place.turn("models", input_price="2", output_price="8", price_tiers=[above])

    _, row = await place.call()
    await place.turn("models", price_tiers=[{**above, "above": 9}])
    _, smaller = await place.call()
    await place.turn("mappings", price_tiers=[above], cache_creation_1h_price="3")
    _, mapped = await place.call()

    assert row.price is not None and smaller.price is not None and mapped.price is not None
    assert (row.price.input, row.price.cache_creation_1h) == (4 * 10**9, 7 * 10**9)
    assert (row.cost_nano, row.price_origin) == (9 * 4000 + 3 * 16000, "model v2")
    assert (smaller.price.input, smaller.cost_nano) == (2 * 10**9, 9 * 2000 + 3 * 8000)
    assert (mapped.price.input, mapped.price_origin) == (4 * 10**9, "mapping v2 over model v3")


async def test_an_endpoints_own_path_takes_the_place_of_the_formats(place: Place) -> None:
    await place.turn("endpoints", custom_path="/deployments/m/chat")

    assert (await place.call())[0] == "first"
    assert place.first.heard[0].path == "/v1/deployments/m/chat"


async def test_an_endpoint_is_reached_through_its_proxy_alone(place: Place) -> None:
    await place.turn("endpoints", proxy="http://127.0.0.1:1")
    assert (await place.call())[0] == "second"
    assert place.first.heard == []

    await place.turn("endpoints", proxy="")
    assert (await place.call())[0] == "first"


async def together(place: Place, **change: Any) -> None:
    """Both backends in one pool, the second one earlier by nothing."""
    await place.turn("provider-keys", spare=True, pool="primary", internal_priority=60)
    if change:
        await place.turn("pools", **change)


async def test_a_conversation_stays_for_the_keys_minutes_and_not_where_they_are_zero(place: Place) -> None:
    await together(place)
    talk = {"x-session-id": "talk"}
    place.first.then(refused(500))
    assert [(await place.call(headers=talk))[0] for _ in range(2)] == ["second", "second"]
    assert (await place.call(headers={"x-session-id": "another"}))[0] == "first"

    await place.turn("provider-keys", spare=True, cache_ttl_minutes=0)
    assert (await place.call(headers=talk))[0] == "first"


@pytest.mark.parametrize(
    ("strategy", "of_spare"),
    [
        ("global_priority", {"global_priority": {"openai_chat": 1}}),
        ("lowest_cost", {"rate_multiplier": 0.5}),
    ],
)
async def test_a_pools_strategy_puts_another_backend_first(place: Place, strategy: str, of_spare: Json) -> None:
    await place.turn("models", input_price="2", output_price="8")
    await together(place)
    await place.turn("provider-keys", spare=True, **of_spare)
    assert (await place.call())[0] == "first"

    await place.turn("pools", strategy=strategy)

    assert (await place.call())[0] == "second"


async def test_turns_go_round_and_a_look_takes_none(place: Place) -> None:
    await together(place, strategy="round_robin")
    served = []
    for _ in range(4):
        await place.gateway.call(headers=DRY)
        served.append((await place.call())[0])

    assert served in (["first", "second"] * 2, ["second", "first"] * 2)


async def test_the_quickest_is_found_by_trying_each(place: Place) -> None:
    await together(place, strategy="lowest_latency")
    names = {(await place.call())[0] for _ in range(2)}
    quick, slow = (
        place.gateway.desk.state.of(place.made.backend_id),
        place.gateway.desk.state.of(place.spare.backend_id),
    )
    quick.first_output_ms, slow.first_output_ms = 900.0, 50.0

    assert names == {"first", "second"}
    assert (await place.call())[0] == "second"


@pytest.mark.parametrize("noun", ["providers", "endpoints"])
@pytest.mark.parametrize(("most", "tries"), [(0, 1), (1, 2), (None, 3)])
async def test_max_retries_bound_a_calls_tries_there(place: Place, noun: str, most: int | None, tries: int) -> None:
    place.first.always = refused(500)
    for number in (2, 3):
        added = await place.send(
            "POST",
            "/provider-keys",
            **{"provider_id": "p1", "name": f"key{number}", "pool": "primary"},
            **{"api_key": f"sk-provider-key-{number:04d}", "api_formats": ["openai_chat"]},
        )
        assert added.status_code == 201, added.text
    await place.turn(noun, max_retries=most)

    who, row = await place.call()

    assert (who, len(place.first.heard)) == ("second", tries)
    assert len(row.attempts) == tries + 1


async def test_a_context_that_is_too_long_goes_only_where_a_longer_one_fits(place: Place) -> None:
    long = refused(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded")
    place.first.always = long
    await place.turn("models", context_limit=8192)
    who, row = await place.call()
    assert (who, row.code, len(place.second.heard)) == ("first", 400, 0)

    await place.turn("provider-keys", spare=True, capabilities=["context_1m"])
    who, row = await place.call()

    assert (who, row.code) == ("second", 200)
    assert [attempt.outcome for attempt in row.attempts] == ["not_served", "ok"]
    assert place.gateway.desk.state.of(place.made.backend_id).failures == 0


async def test_a_backend_at_its_limit_keeps_its_conversation(place: Place) -> None:
    await together(place)
    talk = {"x-session-id": "talk"}
    await place.call(headers=talk)
    place.first.then(limited(0.2), answer())

    assert (await place.call(headers=talk))[0] == "second"
    place.gateway.desk.state.clear(place.made.backend_id)
    assert (await place.call(headers=talk))[0] == "first"


async def test_what_has_no_price_is_not_served_where_money_is_limited(place: Place) -> None:
    await place.turn("models", input_price=None, output_price=None)
    assert (await place.call())[0] == "first"

    await place.turn("providers", monthly_quota="5")
    who, row = await place.call()
    assert (who, [skip.reason for skip in row.skips]) == ("second", ["price_unknown"])

    await place.turn("mappings", input_price="1", output_price="2")
    assert (await place.call())[0] == "first"
    await place.turn("mappings", input_price=None, output_price=None)
    await place.turn("providers", billing_type="free_tier")
    assert (await place.call())[0] == "first"
