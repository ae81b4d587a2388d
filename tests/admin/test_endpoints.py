"""An endpoint's page."""

from __future__ import annotations

import pytest

from gateway.control import endpoints, provider_keys, providers
from gateway.model.registry import ApiFormat, Auth, Endpoint
from tests.admin.browsing import PASSWORD, Operator, fault_of, parse, text_of, values_of, words_of
from tests.admin.test_providers import added, backend, grow_old
from tests.desks import ANN

pytestmark = pytest.mark.anyio


@pytest.fixture
async def endpoint(operator: Operator) -> Endpoint:
    found: Endpoint = (await added(operator, api_key="sk-0123456789abcdef")).endpoint
    return found


def stored(operator: Operator) -> Endpoint:
    found: Endpoint = backend(operator).endpoint
    return found


async def test_every_field_is_shown_saved_and_shown_again(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    change = {
        "base_url": "https://api.example.com/v2",
        "custom_path": "/deployments/x/chat/completions",
        "first_byte_seconds": "9.5",
        "idle_seconds": "8",
        "timeout_seconds": "70",
        "rpm_limit": "0",
        "max_concurrent": "3",
        "max_retries": "1",
        "headers": "x-team: a",
        "injects_usage": "",
    }
    values = values_of((await operator.get(page)).text)
    one_time = {"provider_id", "api_format"}
    assert set(values) - {"version", "csrf", "next"} == {field.name for field in endpoints.FIELDS} - one_time

    got = await operator.submit(page, page, **{**values, **change})

    assert got.status_code == 303, text_of(got.text)
    after = stored(operator)
    assert (after.rpm_limit, after.headers, after.injects_usage, after.is_active) == (0, {"x-team": "a"}, False, True)
    shown = values_of((await operator.get(page)).text)
    assert {name: shown[name].strip() for name in change} == {**change, "injects_usage": ""}


async def test_the_header_of_the_key_is_chosen_and_the_format_s_own_comes_back(
    operator: Operator, endpoint: Endpoint
) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    html = (await operator.get(page)).text
    choice = next(one for one in parse(html).iter("select") if one.get("name") == "auth")
    offered = [(one.get("value"), words_of(one)) for one in choice.iter("option")]

    await operator.submit(
        page, page, **{**values_of(html), "auth": "api-key", "custom_path": "/x/{model}/{action}?v=1"}
    )
    changed = stored(operator)
    shown = values_of((await operator.get(page)).text)
    await operator.submit(page, page, **{**shown, "auth": ""})

    assert offered[:2] == [("", "the format's own"), ("bearer", "authorization: Bearer …")]
    assert {value for value, _ in offered} == {"", *Auth}
    assert (changed.auth, changed.custom_path, shown["auth"]) == (Auth.API_KEY, "/x/{model}/{action}?v=1", "api-key")
    assert stored(operator).auth is None
    assert "{model} is the provider's name of the model" in text_of(html)


async def test_only_formats_that_the_provider_has_no_endpoint_for_can_be_added(
    operator: Operator, endpoint: Endpoint
) -> None:
    page = f"/admin/providers/{endpoint.provider_id}/endpoints/new"
    choice = next(
        one for one in parse((await operator.get(page)).text).iter("select") if one.get("name") == "api_format"
    )
    added = {"base_url": "https://api.example.com/v1", "api_format": "anthropic_messages", "auth": "bearer"}

    got = await operator.submit(page, page, **added)

    assert {one.get("value") for one in choice.iter("option")} == {*ApiFormat} - {"openai_chat"}
    assert got.status_code == 303, text_of(got.text)
    made = next(
        one
        for one in operator.gateway.desk.snapshot().registry.endpoints
        if one.api_format is ApiFormat.ANTHROPIC_MESSAGES
    )
    assert made.auth is Auth.BEARER


async def test_a_proxy_is_kept_by_an_empty_field_and_taken_away_by_a_word(
    operator: Operator, endpoint: Endpoint
) -> None:
    page = f"/admin/endpoints/{endpoint.id}"

    async def save(**change: str) -> str:
        values = values_of((await operator.get(page)).text)
        got = await operator.submit(page, page, **{**values, **change})
        assert got.status_code == 303, text_of(got.text)
        return stored(operator).proxy_shown

    assert await save(proxy="http://u:CANARY@proxy.example.com:3128") == "http://proxy.example.com:3128"
    shown = (await operator.get(page)).text
    assert "Now http://proxy.example.com:3128." in text_of(shown)
    assert "CANARY" not in shown
    assert await save(rpm_limit="4") == "http://proxy.example.com:3128"
    assert await save(proxy="None") == ""


async def test_a_proxy_s_password_is_not_shown_again_after_a_fault(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    values = values_of((await operator.get(page)).text)

    got = await operator.submit(page, page, **{**values, "proxy": "http://u:CANARY@p.example:1", "rpm_limit": "x"})

    assert (got.status_code, "CANARY" in got.text) == (422, False)


async def test_addresses_and_proxies_need_a_fresh_password_and_limits_do_not(
    operator: Operator, endpoint: Endpoint
) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    await grow_old(operator)
    values = values_of((await operator.get(page)).text)

    moved = await operator.submit(page, page, **{**values, "base_url": "https://elsewhere.example/v1"})
    local = await operator.submit(page, page, **{**values, "local_upstream": "on"})
    through = await operator.submit(page, page, **{**values, "proxy": "http://proxy.example.com:3128"})
    other = await operator.submit(page, page, **{**values, "custom_path": "/x"})
    slower = await operator.submit(page, page, **{**values, "idle_seconds": "90"})
    values = values_of((await operator.get(page)).text)
    known = await operator.submit(page, page, **{**values, "custom_path": "/x", "your_password": PASSWORD})

    assert {got.status_code for got in (moved, local, through, other)} == {422}
    assert fault_of(moved.text, "your_password").startswith("Is needed")
    assert (slower.status_code, known.status_code) == (303, 303)
    assert (stored(operator).idle_seconds, stored(operator).custom_path) == (90, "/x")


async def test_a_new_address_takes_the_key_again_in_one_go(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    shown = (await operator.get(page)).text
    assert "Now sk-0…cdef. Enter it again with another address" in text_of(shown)
    moved = {**values_of(shown), "base_url": "https://elsewhere.example/v1"}

    bare = await operator.submit(page, page, **moved)
    assert bare.status_code == 303
    assert backend(operator).key.bound_origin is None
    assert "enter key" in text_of((await operator.get(f"/admin/providers/{endpoint.provider_id}")).text)

    unbound = (await operator.get(page)).text
    assert "sk-0…cdef is not sent any more, because the address changed" in text_of(unbound)
    back = {**values_of(unbound), "base_url": "https://third.example/v1"}
    got = await operator.submit(page, page, **{**back, "api_key": "sk-CANARY-0123456789"})

    assert got.status_code == 303, text_of(got.text)
    assert (stored(operator).base_url, backend(operator).key.bound_origin) == (
        "https://third.example/v1",
        "https://third.example:443",
    )
    assert "CANARY" not in (await operator.get(page)).text


async def test_a_key_needs_a_fresh_password_and_is_not_shown_again(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    values = {**values_of((await operator.get(page)).text), "api_key": "sk-CANARY-0123456789"}
    await grow_old(operator)

    asked = await operator.submit(page, page, **values)
    wrong = await operator.submit(page, page, **{**values, "rpm_limit": "x", "your_password": PASSWORD})
    await endpoints.update(operator.gateway.desk, ANN, endpoint.id, {"idle_seconds": 30.0})
    late = await operator.submit(page, page, **{**values, "your_password": PASSWORD})

    assert fault_of(asked.text, "your_password").startswith("Is needed")
    assert [got.status_code for got in (asked, wrong, late)] == [422, 422, 409]
    assert not any("CANARY" in got.text for got in (asked, wrong, late))


async def test_with_several_keys_each_is_entered_at_its_own_page(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    values = values_of((await operator.get(page)).text)
    second = {"provider_id": endpoint.provider_id, "name": "second"}
    await provider_keys.create(operator.gateway.desk, ANN, second)

    late = await operator.submit(page, page, **{**values, "api_key": "sk-CANARY-0123456789"})

    assert "api_key" not in values_of((await operator.get(page)).text)
    assert late.status_code == 422
    assert "api_key: this provider has 2 keys" in text_of(late.text)


async def test_two_people_changing_one_endpoint_lose_nothing(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}"
    mine = {**values_of((await operator.get(page)).text), "idle_seconds": "7"}
    await endpoints.update(operator.gateway.desk, ANN, endpoint.id, {"idle_seconds": 30.0})

    late = await operator.submit(page, page, **mine)

    assert late.status_code == 409
    assert fault_of(late.text, "idle_seconds") == "Is now 30"
    assert (await operator.submit(page, page, **values_of(late.text))).status_code == 303
    assert stored(operator).idle_seconds == 7


async def test_an_endpoint_is_deleted_by_its_format_and_added_again(operator: Operator, endpoint: Endpoint) -> None:
    page = f"/admin/endpoints/{endpoint.id}/delete"
    wrong = await operator.submit(page, page, typed="x")
    assert fault_of(wrong.text, "typed") == "Must be openai_chat"

    gone = await operator.submit(page, page, typed="openai_chat")
    provider = f"/admin/providers/{endpoint.provider_id}"
    assert gone.headers["location"] == provider
    assert "nothing can be sent" in text_of((await operator.get(provider)).text)

    new = f"{provider}/endpoints/new"
    values = values_of((await operator.get(new)).text)
    bad = await operator.submit(new, new, **{**values, "base_url": "nothing"})
    assert bad.status_code == 422
    made = await operator.submit(new, new, **{**values, "base_url": "https://api.example.com/v1"})
    assert made.headers["location"] == provider
    assert [one.api_format for one in await endpoints.listing(operator.gateway.desk)].count(endpoint.api_format) == 3


async def test_a_new_endpoint_needs_a_fresh_password(operator: Operator) -> None:
    bare = await providers.create(operator.gateway.desk, ANN, {"name": "bare"})
    page = f"/admin/providers/{bare.id}/endpoints/new"
    await grow_old(operator)

    got = await operator.submit(page, page, base_url="https://api.example.com/v1", api_format="openai_chat")

    assert fault_of(got.text, "your_password").startswith("Is needed")


async def test_the_demo_s_endpoint_can_be_limited(operator: Operator) -> None:
    demo = backend(operator, "demo/main").endpoint
    page = f"/admin/endpoints/{demo.id}"
    values = values_of((await operator.get(page)).text)

    got = await operator.submit(page, page, **{**values, "rpm_limit": "60"})

    assert values["base_url"] == "builtin:demo"
    assert got.status_code == 303, text_of(got.text)
