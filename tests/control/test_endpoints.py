"""Endpoints: which addresses they may have, and what another address does to the keys."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import endpoints, provider_keys, providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from gateway.model.registry import Endpoint, Provider, ProviderKey
from gateway.vault import provider_key_binding
from tests.desks import ANN, SYSTEM
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

URL = "https://api.example.com/v1"
SECRET = "sk-CANARY-0123456789"


@pytest.fixture
async def provider(desk: Desk) -> Provider:
    return await providers.create(desk, ANN, {"name": "a"})


@pytest.fixture
async def endpoint(desk: Desk, provider: Provider) -> Endpoint:
    return await endpoints.create(desk, ANN, {"provider_id": provider.id, "base_url": URL})


@pytest.fixture
async def key(desk: Desk, endpoint: Endpoint) -> ProviderKey:
    return await provider_keys.create(desk, ANN, {"provider_id": endpoint.provider_id, "api_key": SECRET})


async def faults(attempt: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await attempt
    return refused.value.fields


async def test_an_endpoint_is_made_for_a_provider_by_id_or_name(desk: Desk, provider: Provider) -> None:
    made = await endpoints.create(desk, ANN, {"provider_id": "a", "base_url": f"{URL}/", "headers": {"X-A": "1"}})

    assert (made.provider_id, made.base_url, made.headers, made.local_upstream) == (
        provider.id,
        URL,
        {"x-a": "1"},
        None,
    )
    assert (made.timeout_seconds, made.first_byte_seconds, made.idle_seconds) == (600, 120, 60)
    assert await endpoints.get(desk, made.id) == made
    assert await endpoints.listing(desk) == (made,)


async def test_a_provider_has_one_endpoint_for_each_format(desk: Desk, endpoint: Endpoint) -> None:
    attempt = endpoints.create(desk, ANN, {"provider_id": "a", "base_url": URL})
    assert list(await faults(attempt)) == ["api_format"]


async def test_the_provider_must_be_there(desk: Desk, provider: Provider) -> None:
    attempt = endpoints.create(desk, ANN, {"provider_id": "b", "base_url": URL})
    assert await faults(attempt) == {"provider_id": "names no provider; there are: a"}


@pytest.mark.parametrize(
    "url", ["http://api.example.com/v1", "https://127.0.0.1/v1", "http://localhost:1234/v1", "http://192.168.1.5:8000"]
)
async def test_a_target_that_is_not_public_needs_the_switch(desk: Desk, provider: Provider, url: str) -> None:
    raw = {"provider_id": "a", "base_url": url}
    assert list(await faults(endpoints.create(desk, ANN, raw))) == ["local_upstream"]
    assert await endpoints.listing(desk) == ()

    made = await endpoints.create(desk, ANN, {**raw, "local_upstream": True})

    assert made.local_upstream is not None
    assert made.local_upstream in desk.snapshot().local_upstreams


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/v1",
        "http://metadata.google.internal",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200",
    ],
)
async def test_metadata_addresses_are_refused_even_with_the_switch(desk: Desk, provider: Provider, url: str) -> None:
    attempt = endpoints.create(desk, SYSTEM, {"provider_id": "a", "base_url": url, "local_upstream": True})
    assert list(await faults(attempt)) == ["base_url"]


async def test_the_switch_is_for_one_address(desk: Desk, provider: Provider) -> None:
    made = await endpoints.create(
        desk, ANN, {"provider_id": "a", "base_url": "http://127.0.0.1:1234/v1", "local_upstream": True}
    )
    moved = await endpoints.update(desk, ANN, made.id, {"base_url": "http://127.0.0.1:1234/v2"})
    assert moved.local_upstream == "127.0.0.1:1234"

    attempt = endpoints.update(desk, ANN, made.id, {"base_url": "http://127.0.0.1:22/v1"})
    assert list(await faults(attempt)) == ["local_upstream"]
    assert list(await faults(endpoints.update(desk, ANN, made.id, {"local_upstream": False}))) == ["local_upstream"]

    moved = await endpoints.update(desk, ANN, made.id, {"base_url": "https://api.example.com"})
    assert moved.local_upstream is None


async def test_the_builtin_address_is_kept_for_the_program(desk: Desk, provider: Provider) -> None:
    attempt = endpoints.create(desk, ANN, {"provider_id": "a", "base_url": "builtin:demo"})
    assert list(await faults(attempt)) == ["base_url"]

    made = await endpoints.create(desk, SYSTEM, {"provider_id": "a", "base_url": "builtin:demo"})
    changed = await endpoints.update(desk, ANN, made.id, {"idle_seconds": 5, "local_upstream": False})

    assert (changed.base_url, changed.idle_seconds) == ("builtin:demo", 5)
    moved = await endpoints.update(desk, ANN, made.id, {"base_url": URL})
    assert list(await faults(endpoints.update(desk, ANN, moved.id, {"base_url": "builtin:demo"}))) == ["base_url"]


@pytest.mark.parametrize(
    "base_url", ["https://evil.example/v1", "https://api.example.com:8443/v1", "http://api.example.com/v1"]
)
async def test_another_scheme_host_or_port_takes_the_key_away(
    desk: Desk, endpoint: Endpoint, key: ProviderKey, base_url: str
) -> None:
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": base_url, "local_upstream": True})

    found = await provider_keys.get(desk, key.id)

    assert (found.sealed, found.env_name, found.bound_origin) == (None, None, None)
    assert found.masked == key.masked
    assert ("unbind", key.id) in [(row.action, row.object_id) for row in await audit_rows(desk)]


async def test_a_reference_to_the_environment_does_not_follow_either(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": "env:OPENAI_API_KEY"})
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": "https://evil.example/v1"})

    found = await provider_keys.get(desk, made.id)

    assert (found.env_name, found.bound_origin, found.masked) == (None, None, "env:OPENAI_API_KEY")


async def test_going_back_does_not_bring_the_key_back(desk: Desk, endpoint: Endpoint, key: ProviderKey) -> None:
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": "https://evil.example/v1"})
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": URL})

    found = await provider_keys.get(desk, key.id)

    assert (found.sealed, found.bound_origin) == (None, None)


async def test_another_path_keeps_the_key(desk: Desk, endpoint: Endpoint, key: ProviderKey) -> None:
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": "https://API.example.com:443/v2/"})
    assert await provider_keys.get(desk, key.id) == key


async def test_a_keyless_key_follows_its_endpoint(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a"})
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": "https://other.example/v1"})
    assert (await provider_keys.get(desk, made.id)).bound_origin == "https://other.example:443"


async def test_the_same_call_may_carry_the_new_key(desk: Desk, endpoint: Endpoint, key: ProviderKey) -> None:
    await endpoints.update(
        desk, ANN, endpoint.id, {"base_url": "https://new.example/v1", "api_key": "sk-NEW-0123456789"}
    )

    found = await provider_keys.get(desk, key.id)

    assert found.bound_origin == "https://new.example:443"
    assert found.sealed is not None
    opened = desk.vault.unseal(found.sealed, provider_key_binding(key.id, "https://new.example:443"))
    assert opened.reveal() == "sk-NEW-0123456789"


async def test_a_new_key_for_several_must_be_entered_at_the_key(
    desk: Desk, endpoint: Endpoint, key: ProviderKey
) -> None:
    await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": "sk-second-0123456789"})
    attempt = endpoints.update(desk, ANN, endpoint.id, {"base_url": "https://new.example", "api_key": "x"})
    assert await faults(attempt) == {"api_key": "this provider has 2 keys; enter it at the key itself"}
    assert await provider_keys.get(desk, key.id) == key


async def test_deleting_an_endpoint_unbinds_its_keys(desk: Desk, endpoint: Endpoint, key: ProviderKey) -> None:
    await endpoints.delete(desk, ANN, endpoint.id)

    assert (await provider_keys.get(desk, key.id)).bound_origin is None
    with pytest.raises(NotFound):
        await endpoints.get(desk, endpoint.id)
    with pytest.raises(NotFound):
        await endpoints.delete(desk, ANN, endpoint.id)


async def test_a_form_sends_the_switch_as_a_checkbox(desk: Desk, provider: Provider) -> None:
    form = {
        "provider_id": "a",
        "base_url": "http://127.0.0.1:1234/v1",
        "local_upstream": "on",
        "is_active": "",
        "timeout_seconds": "2.5",
        "headers": "X-A: 1",
        "api_key": "",
    }
    made = await endpoints.create(desk, ANN, {k: v for k, v in form.items() if k != "api_key"}, text=True)

    assert (made.local_upstream, made.is_active, made.timeout_seconds) == ("127.0.0.1:1234", False, 2.5)
