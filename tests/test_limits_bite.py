"""Every field that limits or permits does so: each alone is set over the JSON API, then a real call is made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.control import api_keys, endpoints, mappings, models, pools, provider_keys, providers, route_rules
from tests.place import Json, Place
from tests.provider import CHAT_ANSWER, Pause, answer, delta, hang, limited, refused, sse, stream

pytestmark = pytest.mark.anyio

TAKES_IT_OUT: list[tuple[str, Json, str]] = [
    ("providers", {"is_active": False}, "inactive"),
    ("endpoints", {"is_active": False}, "inactive"),
    ("provider-keys", {"is_active": False}, "inactive"),
    ("backends", {"enabled": False}, "inactive"),
    ("provider-keys", {"weight": 0}, "weight_zero"),
    ("backends", {"weight": 0}, "weight_zero"),
    ("provider-keys", {"rpm_limit": 0}, "rpm_zero"),
    ("backends", {"rpm_limit": 0}, "rpm_zero"),
    ("provider-keys", {"api_key": "env:NOT_THERE_API_KEY"}, "env_missing"),
    ("endpoints", {"base_url": "http://127.0.0.1:1/v1", "local_upstream": True}, "key_unbound"),
    ("backends", {"base_url": "http://127.0.0.1:1/v1", "local_upstream": True}, "key_unbound"),
    ("mappings", {"is_active": False}, ""),
    ("backends", {"models": ["other"]}, ""),
    ("provider-keys", {"pool": "fallback", "internal_priority": 51}, ""),
    ("pools", {"tier": 1000}, ""),
]
"""What is changed, how, and the reason that the ledger gives for passing the backend over, if it is a candidate."""


@pytest.mark.parametrize(("noun", "change", "reason"), TAKES_IT_OUT, ids=[f"{n}:{c}" for n, c, _ in TAKES_IT_OUT])
async def test_a_backend_that_may_not_be_used_is_passed_over(
    place: Place, noun: str, change: Json, reason: str
) -> None:
    assert (await place.call())[0] == "first"

    await place.turn(noun, **change)
    who, row = await place.call()

    assert (who, len(place.first.heard)) == ("second", 1)
    assert [skip.reason for skip in row.skips] == ([reason] if reason else [])
    assert len(row.attempts) == 1


BACK_IN: list[tuple[str, Json, Json]] = [
    ("providers", {"is_active": False}, {"is_active": True}),
    ("endpoints", {"is_active": False}, {"is_active": True}),
    ("provider-keys", {"is_active": False}, {"is_active": True}),
    ("provider-keys", {"weight": 0}, {"weight": 1}),
    ("provider-keys", {"rpm_limit": 0}, {"rpm_limit": None}),
    ("provider-keys", {"api_key": "env:NOT_THERE_API_KEY"}, {"api_key": "sk-provider-again-0001"}),
    ("mappings", {"is_active": False}, {"is_active": True}),
    ("pools", {"tier": 1000}, {"tier": 0}),
    ("models", {"status": "DISABLED"}, {"status": "ENABLED"}),
    ("api-keys", {"is_active": False}, {"is_active": True}),
    ("api-keys", {"expires_at": 1}, {"expires_at": None}),
    ("api-keys", {"allowed_models": []}, {"allowed_models": None}),
    ("api-keys", {"rpm_limit": 0}, {"rpm_limit": 5}),
]


@pytest.mark.parametrize(("noun", "off", "on"), BACK_IN, ids=[f"{n}:{c}" for n, c, _ in BACK_IN])
async def test_what_was_taken_back_serves_the_very_next_call(place: Place, noun: str, off: Json, on: Json) -> None:
    await place.turn(noun, **off)
    assert (await place.call())[0] != "first"

    await place.turn(noun, **on)

    assert (await place.call())[0] == "first"


ORDER: list[tuple[str, Json]] = [("providers", {"priority": 49}), ("backends", {"priority": 49})]


@pytest.mark.parametrize(("noun", "change"), ORDER, ids=[noun for noun, _ in ORDER])
async def test_the_lower_priority_of_a_provider_goes_first_within_a_pool(place: Place, noun: str, change: Json) -> None:
    await place.turn("backends", spare=True, pool="primary", priority=51)
    assert {(await place.call())[0] for _ in range(6)} == {"first"}

    await place.turn("providers", priority=52)
    assert {(await place.call())[0] for _ in range(6)} == {"second"}

    await place.turn(noun, **change)
    assert {(await place.call())[0] for _ in range(6)} == {"first"}


async def test_the_lower_priority_of_a_key_goes_first_within_a_provider(place: Place) -> None:
    secret = "sk-provider-other-0001"
    wanted = {"provider_id": place.made.provider.id, "api_key": secret, "internal_priority": 49}
    got = await place.send("POST", "/provider-keys", **wanted)
    assert got.status_code == 201, got.text

    await place.call()
    await place.patch(f"/provider-keys/{got.json()['id']}", internal_priority=51)
    await place.call()

    used = [heard.headers["authorization"].removeprefix("Bearer ") for heard in place.first.heard]
    assert used == [secret, "sk-provider-secret-0001"]


async def test_a_keys_requests_per_minute_are_counted_from_when_they_are_set(place: Place) -> None:
    await place.turn("provider-keys", rpm_limit=2)

    answered = [await place.call() for _ in range(3)]

    assert [who for who, _ in answered] == ["first", "first", "second"]
    assert [skip.reason for skip in answered[-1][1].skips] == ["rpm_empty"]


async def test_a_key_is_for_the_formats_it_names(place: Place) -> None:
    for formats in ([], ["gemini"]):
        got = await place.send("PATCH", place.path_of("provider-keys"), api_formats=formats)
        assert (got.status_code, list(got.json()["error"]["fields"])) == (400, ["api_formats"])

    assert (await place.call())[0] == "first"


async def test_the_provider_is_asked_for_the_name_of_its_mapping(place: Place) -> None:
    await place.turn("mappings", upstream_name="acme-large")
    await place.call()
    await place.turn("mappings", upstream_name="")
    await place.call()

    assert [heard.json()["model"] for heard in place.first.heard] == ["acme-large", "m"]


REFUSED: list[tuple[str, Json, int, str]] = [
    ("models", {"status": "DISABLED"}, 404, "model_not_found"),
    ("models", {"status": "DEPRECATED"}, 404, "model_not_found"),
    ("models", {"code": "renamed"}, 404, "model_not_found"),
    ("api-keys", {"allowed_models": []}, 404, "model_not_found"),
    ("api-keys", {"allowed_models": ["other"]}, 404, "model_not_found"),
    ("api-keys", {"is_active": False}, 401, "invalid_api_key"),
    ("api-keys", {"expires_at": 1}, 401, "invalid_api_key"),
    ("api-keys", {"expires_at": "2020-01-31"}, 401, "invalid_api_key"),
    ("api-keys", {"rpm_limit": 0}, 429, "rate_limit_exceeded"),
]


@pytest.mark.parametrize(("noun", "change", "status", "code"), REFUSED, ids=[f"{n}:{c}" for n, c, _, _ in REFUSED])
async def test_a_call_that_is_not_allowed_reaches_no_provider(
    place: Place, noun: str, change: Json, status: int, code: str
) -> None:
    await place.turn(noun, **change)

    who, row = await place.call()

    assert (who, row.code, row.error_code) == ("nobody", status, code)
    assert place.first.heard == place.second.heard == []


ALLOWED: list[Json] = [
    {"allowed_models": None},
    {"allowed_models": ["other", "M"]},
    {"expires_at": None},
    {"expires_at": "9000-01-31"},
    {"rpm_limit": None},
    {"rpm_limit": 1},
]


@pytest.mark.parametrize("change", ALLOWED, ids=str)
async def test_a_call_that_is_allowed_goes_through(place: Place, change: Json) -> None:
    await place.turn("api-keys", **change)

    assert (await place.call())[0] == "first"


async def test_a_draft_serves_only_once_it_is_enabled(place: Place) -> None:
    got = await place.send("POST", "/models", code="draft", status="DRAFT")
    await place.send("POST", "/mappings", provider_id=place.made.provider.id, model_id="draft")

    before = await place.call(model="draft")
    await place.patch(f"/models/{got.json()['id']}", status="ENABLED")
    after = await place.call(model="draft")

    assert (before[0], before[1].code, after[0]) == ("nobody", 404, "first")


async def test_an_api_key_ends_at_its_moment_and_not_before(place: Place) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    await place.turn("api-keys", expires_at=soon.isoformat())
    assert (await place.call())[0] == "first"

    await place.turn("api-keys", expires_at=(soon - timedelta(hours=2)).isoformat())
    assert (await place.call())[1].code == 401


async def test_an_api_keys_requests_per_minute_stop_the_next_one(place: Place) -> None:
    await place.turn("api-keys", rpm_limit=2)

    codes = [(await place.call())[1].code for _ in range(3)]

    assert codes == [200, 200, 429]
    assert len(place.first.heard) == 2


USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 300, "cache_creation_tokens": 200},
}
PRICES: list[tuple[Json, int | None]] = [
    ({"input_price": None, "output_price": None}, None),
    ({"input_price": "0", "output_price": "0"}, 0),
    ({"input_price": "1", "output_price": "0"}, 1_000_000),
    ({"input_price": "0", "output_price": "2"}, 200_000),
    ({"input_price": "1", "output_price": "2"}, 1_200_000),
    ({"input_price": "1", "output_price": "0", "cache_read_price": "0.1"}, 730_000),
    ({"input_price": "1", "output_price": "0", "cache_creation_price": "1.25"}, 1_050_000),
    ({"input_price": "0", "output_price": "0", "request_price": "0.005"}, 5_000_000),
]


@pytest.mark.parametrize(("prices", "nano"), PRICES, ids=[str(nano) for _, nano in PRICES])
async def test_a_price_is_in_the_cost_of_the_next_call(place: Place, prices: Json, nano: int | None) -> None:
    place.first.always = answer({**CHAT_ANSWER, "usage": USAGE})
    await place.turn("models", **prices)

    assert (await place.call())[1].cost_nano == nano


async def test_a_pools_attempts_end_before_its_backends_do(place: Place) -> None:
    place.first.always = place.second.always = refused(500)
    await place.turn("backends", spare=True, pool="primary")
    await place.turn("pools", max_attempts=1)

    _, row = await place.call()

    assert (row.code, len(row.attempts)) == (502, 1)
    await place.turn("pools", max_attempts=2)
    assert len((await place.call())[1].attempts) == 2


async def test_a_pools_patience_decides_whether_a_call_waits_for_a_rest(place: Place) -> None:
    await place.turn("backends", spare=True, enabled=False)
    place.first.then(limited("0.3"), limited("0.3"))

    await place.turn("pools", wait_seconds=0)
    at_once = await place.call()
    await place.turn("pools", wait_seconds=5)
    waited = await place.call()

    assert (at_once[0], at_once[1].code) == ("nobody", 429)
    assert (waited[0], waited[1].code) == ("first", 200)


@pytest.mark.parametrize(("setting", "served"), [("last", "second"), ("equal", "first"), ("never", "second")])
async def test_a_pool_says_where_its_translated_backends_come(place: Place, setting: str, served: str) -> None:
    """`first` speaks chat; a client of Messages would find it in the first tier."""
    message = {"type": "message", "role": "assistant", "model": "u", "content": [{"type": "text", "text": "Hi"}]}
    place.second.always = answer({"id": "msg_1", **message, "stop_reason": "end_turn", "usage": {"input_tokens": 1}})
    spare = {"provider_id": place.spare.provider.id, "api_format": "anthropic_messages", "local_upstream": True}
    made = await place.send("POST", "/endpoints", base_url=place.second.base_url, **spare)
    assert made.status_code == 201, made.text
    await place.turn("provider-keys", spare=True, api_formats=["openai_chat", "anthropic_messages"])
    await place.turn("pools", translated=setting)

    asked = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    got = await place.gateway.client.post("/v1/messages", headers=place.gateway.auth, json=asked)

    names = {place.made.provider.name: "first", place.spare.provider.name: "second"}
    assert (got.status_code, names[got.headers["x-gateway-provider"]]) == (200, served)
    skipped = [skip.reason for skip in (await place.gateway.row()).skips]
    assert skipped == (["translation_off"] if setting == "never" else [])


async def test_an_endpoints_auth_is_the_header_its_key_is_sent_in(place: Place) -> None:
    for style, header in (("api-key", "api-key"), ("x-goog-api-key", "x-goog-api-key"), ("bearer", "authorization")):
        await place.turn("endpoints", auth=style)
        await place.call()
        sent = place.first.heard[-1].headers
        carriers = {name for name in ("authorization", "api-key", "x-api-key", "x-goog-api-key") if name in sent}
        assert carriers == {header}


COOLDOWNS: list[tuple[Json, list[int]]] = [
    ({"cooldown_base_seconds": 7}, [7000, 14000, 28000]),
    ({"cooldown_base_seconds": 7, "cooldown_factor": 1}, [7000, 7000, 7000]),
    ({"cooldown_base_seconds": 7, "cooldown_factor": 3, "cooldown_cap_seconds": 30}, [7000, 21000, 30000]),
]


@pytest.mark.parametrize(("policy", "rests"), COOLDOWNS, ids=[str(rests) for _, rests in COOLDOWNS])
async def test_a_pools_cooldown_sets_the_rests_after_limits_that_name_no_time(
    place: Place, policy: Json, rests: list[int]
) -> None:
    place.first.always = limited()
    await place.turn("pools", cooldown_jitter=0, **policy)
    state = place.gateway.desk.state.of(place.made.backend_id)
    found = []
    for _ in rests:
        state.resting_until = 0.0
        found.append((await place.call())[1].attempts[0].rest_ms)

    assert found == rests


TIMEOUTS: list[tuple[Json, bool]] = [
    ({"timeout_seconds": 0.2}, False),
    ({"timeout_seconds": 0.2}, True),
    ({"first_byte_seconds": 0.2}, True),
]


@pytest.mark.parametrize(("change", "is_stream"), TIMEOUTS, ids=str)
async def test_a_silent_endpoint_is_left_after_its_time(place: Place, change: Json, is_stream: bool) -> None:
    place.first.always, place.second.always = hang(), stream() if is_stream else answer()
    await place.turn("endpoints", **change)

    who, row = await place.call(stream=is_stream)

    assert who == "second"
    assert 200 <= row.attempts[0].total_ms < 2000


async def test_without_a_stream_the_bound_for_the_first_byte_does_not_hold(place: Place) -> None:
    await place.turn("endpoints", first_byte_seconds=0.1)
    place.first.always = stream([Pause(0.3)])  # ends without output, but only after the bound

    _, row = await place.call()

    assert row.attempts[0].total_ms >= 300


async def test_a_stream_that_falls_silent_ends_after_the_endpoints_patience(place: Place) -> None:
    place.first.always = stream([*sse(delta("Hel")), Pause(20)])
    await place.turn("endpoints", idle_seconds=0.2)

    _, row = await place.call(stream=True)

    assert (row.error_code, len(row.attempts)) == ("stream_broken", 1)
    assert row.total_ms < 2000


async def test_a_private_address_is_never_without_its_switch(place: Place) -> None:
    for change in ({"local_upstream": False}, {"base_url": place.second.base_url}):
        got = await place.send("PATCH", place.path_of("endpoints"), **change)
        assert (got.status_code, list(got.json()["error"]["fields"])) == (400, ["local_upstream"])

    assert (await place.call())[0] == "first"


async def test_an_endpoints_headers_go_out_with_each_call(place: Place) -> None:
    await place.turn("endpoints", headers={"X-Team": "a"})
    await place.call()
    await place.turn("endpoints", headers={})
    await place.call()

    assert [heard.headers.get("x-team") for heard in place.first.heard] == ["a", None]


async def test_an_endpoint_is_asked_for_a_streams_usage_unless_that_is_off(place: Place) -> None:
    place.first.always = stream()
    await place.call(stream=True)
    await place.turn("endpoints", injects_usage=False)
    await place.call(stream=True)

    assert ["stream_options" in heard.json() for heard in place.first.heard] == [True, False]


GONE = ["backends", "providers", "endpoints", "provider-keys", "mappings"]


@pytest.mark.parametrize("noun", GONE)
async def test_what_is_deleted_serves_no_more(place: Place, noun: str) -> None:
    got = await place.send("DELETE", place.path_of(noun))

    assert got.status_code == 204
    assert (await place.call())[0] == "second"
    assert place.first.heard == []


async def test_a_locked_api_key_is_told_so_until_it_is_unlocked(place: Place) -> None:
    await place.turn("api-keys", is_locked=True)
    assert (await place.call())[1].error_code == "key_locked"

    await place.turn("api-keys", is_locked=False)
    assert (await place.call())[0] == "first"


async def test_an_api_key_that_deletes_itself_is_gone_once_it_has_ended(place: Place) -> None:
    await place.turn("api-keys", deletes_itself=True)
    assert await api_keys.delete_ended(place.gateway.desk) == ()

    await place.turn("api-keys", expires_at=1)

    assert len(await api_keys.delete_ended(place.gateway.desk)) == 1
    assert place.gateway.desk.snapshot().registry.api_keys == ()


async def test_a_deleted_api_key_is_refused(place: Place) -> None:
    await place.send("DELETE", place.path_of("api-keys"))

    assert (await place.call())[1].code == 401


ONLY_WORDS = {
    *("name", "display_name", "preset", "metadata", "api_format", "provider_id", "model_id", "description", "website"),
    *("note", "secret_note", "input_modalities", "output_modalities", "family", "knowledge_cutoff", "output_limit"),
}
TABLES = {
    noun.__name__: noun.FIELDS
    for noun in (providers, endpoints, provider_keys, pools, models, mappings, route_rules, api_keys)
}


@pytest.mark.parametrize("noun", TABLES)
def test_no_field_that_does_something_is_left_out_here(noun: str) -> None:
    files = Path(__file__).parent.glob("test_*_bite.py")
    words = set(re.findall(r"\w+", " ".join(file.read_text("utf-8") for file in files)))

    assert {field.name for field in TABLES[noun]} - ONLY_WORDS <= words
