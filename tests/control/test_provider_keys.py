"""Provider keys: sealed to their address, referred to, or none."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import endpoints, pools, provider_keys, providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from gateway.model.registry import Endpoint
from gateway.vault import provider_key_binding
from tests.desks import ANN, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

SECRET = "sk-CANARY-0123456789-abcdefgh"
ORIGIN = "https://api.example.com:443"


@pytest.fixture
async def endpoint(desk: Desk) -> Endpoint:
    provider = await providers.create(desk, ANN, {"name": "a"})
    return await endpoints.create(desk, ANN, {"provider_id": provider.id, "base_url": "https://api.example.com/v1"})


async def faults(attempt: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await attempt
    return refused.value.fields


async def test_a_secret_is_sealed_to_its_row_and_its_address(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})

    assert made.sealed is not None
    assert desk.vault.unseal(made.sealed, provider_key_binding(made.id, ORIGIN)).reveal() == SECRET
    with pytest.raises(ValueError, match="sealed for something else"):
        desk.vault.unseal(made.sealed, provider_key_binding(made.id, "https://evil.example:443"))
    assert (made.bound_origin, made.masked) == (ORIGIN, "sk-C…efgh")
    assert len(made.fingerprint) == 12


async def test_no_secret_is_written_down_in_plain(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})
    await provider_keys.update(desk, ANN, made.id, {"api_key": SECRET + "2"})

    logged = "".join(f"{row.before}{row.after}" for row in await audit_rows(desk))
    stored = b"".join(path.read_bytes() for path in desk.settings.data_dir.iterdir())

    assert "CANARY" not in logged
    assert "sealed" not in logged
    assert b"CANARY" not in stored
    assert "CANARY" not in repr(await provider_keys.get(desk, made.id))


async def test_a_reference_to_the_environment_is_kept_as_a_name(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": "env:OPENAI_API_KEY"})

    assert (made.sealed, made.env_name, made.masked) == (None, "OPENAI_API_KEY", "env:OPENAI_API_KEY")
    assert (made.fingerprint, made.bound_origin) == ("", ORIGIN)


@pytest.mark.parametrize(
    "name", ["HOME", "PATH", "", "openai_api_key", "GATEWAY_MASTER_KEY", "GATEWAY_X_TOKEN", "1_KEY", "A-B_KEY", "_KEY"]
)
async def test_only_variables_that_hold_provider_keys_may_be_named(desk: Desk, endpoint: Endpoint, name: str) -> None:
    attempt = provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": f"env:{name}"})
    assert list(await faults(attempt)) == ["api_key"]


async def test_a_local_server_may_have_no_key(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a"})
    assert (made.sealed, made.env_name, made.masked, made.bound_origin) == (None, None, "", ORIGIN)


async def test_a_secret_needs_an_endpoint_to_be_bound_to(desk: Desk) -> None:
    await providers.create(desk, ANN, {"name": "a"})
    assert list(await faults(provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET}))) == ["api_key"]

    keyless = await provider_keys.create(desk, ANN, {"provider_id": "a"})
    await endpoints.create(desk, ANN, {"provider_id": "a", "base_url": "https://api.example.com/v1"})

    assert (await provider_keys.get(desk, keyless.id)).bound_origin == ORIGIN


async def test_names_are_made_up_and_unique_inside_a_provider(desk: Desk, endpoint: Endpoint) -> None:
    names = [(await provider_keys.create(desk, ANN, {"provider_id": "a"})).name for _ in range(3)]
    assert names == ["main", "key-2", "key-3"]
    assert list(await faults(provider_keys.create(desk, ANN, {"provider_id": "a", "name": "key-2"}))) == ["name"]

    await providers.create(desk, ANN, {"name": "b"})
    assert (await provider_keys.create(desk, ANN, {"provider_id": "b", "name": "key-2"})).name == "key-2"


async def test_the_same_secret_may_be_there_twice(desk: Desk, endpoint: Endpoint) -> None:
    one = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})
    two = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})
    assert one.fingerprint == two.fingerprint
    assert one.sealed != two.sealed


async def test_the_pool_is_chosen_by_name_and_is_the_first_by_default(desk: Desk, endpoint: Endpoint) -> None:
    primary, fallback = await pools.listing(desk)
    default = await provider_keys.create(desk, ANN, {"provider_id": "a"})
    named = await provider_keys.create(desk, ANN, {"provider_id": "a", "pool": "fallback"})

    assert (default.pool_id, named.pool_id) == (primary.id, fallback.id)
    attempt = provider_keys.create(desk, ANN, {"provider_id": "a", "pool": "third"})
    assert await faults(attempt) == {"pool": "names no pool; there are: primary, fallback"}
    moved = await provider_keys.update(desk, ANN, named.id, {"pool": primary.id})
    assert moved.pool_id == primary.id


async def test_unknown_formats_are_refused(desk: Desk, endpoint: Endpoint) -> None:
    for formats in ([], ["carrier_pigeon"]):
        attempt = provider_keys.create(desk, ANN, {"provider_id": "a", "api_formats": formats})
        assert list(await faults(attempt)) == ["api_formats"]


async def test_an_update_without_a_secret_keeps_it(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})

    changed = await provider_keys.update(desk, ANN, made.id, {"rpm_limit": 60, "name": "new"})
    from_form = await provider_keys.update(desk, ANN, made.id, {"api_key": "", "rpm_limit": ""}, text=True)

    assert (changed.sealed, changed.rpm_limit, changed.name) == (made.sealed, 60, "new")
    assert (from_form.sealed, from_form.rpm_limit) == (made.sealed, None)


async def test_an_empty_secret_makes_it_keyless(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})
    changed = await provider_keys.update(desk, ANN, made.id, {"api_key": ""})
    assert (changed.sealed, changed.masked, changed.fingerprint, changed.bound_origin) == (None, "", "", ORIGIN)


async def test_the_hidden_columns_cannot_be_written(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "api_key": SECRET})
    for field in ("sealed", "bound_origin", "masked", "fingerprint", "env_name", "id", "provider_id", "created_at"):
        assert list(await faults(provider_keys.update(desk, ANN, made.id, {field: "x"}))) == [field]
    assert await provider_keys.get(desk, made.id) == made


async def test_a_deleted_key_is_gone_from_routing(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a"})
    assert len(desk.snapshot().backends) == 1

    await provider_keys.delete(desk, ANN, made.id)

    assert desk.snapshot().backends == {}
    with pytest.raises(NotFound):
        await provider_keys.get(desk, made.id)


async def test_an_empty_name_in_an_edit_form_keeps_the_old_one(desk: Desk, endpoint: Endpoint) -> None:
    made = await provider_keys.create(desk, ANN, {"provider_id": "a", "name": "mine"})
    assert (await provider_keys.update(desk, ANN, made.id, {"name": ""}, text=True)).name == "mine"


async def test_a_key_without_formats_is_for_all_that_are_spoken_where_the_first_endpoint_is(office: Office) -> None:
    desk = office.desk
    await providers.create(desk, ANN, {"name": "many"})
    for api_format, host in (("anthropic_messages", "a"), ("openai_chat", "a"), ("openai_embeddings", "b")):
        address = f"https://{host}.example/v1"
        office.clock.advance(1)
        await endpoints.create(desk, ANN, {"provider_id": "many", "base_url": address, "api_format": api_format})
    await providers.create(desk, ANN, {"name": "none"})

    made = await provider_keys.create(desk, ANN, {"provider_id": "many", "api_key": "sk-0123456789abcdef"})
    early = await provider_keys.create(desk, ANN, {"provider_id": "none"})
    narrowed = await provider_keys.update(desk, ANN, made.id, {"api_formats": ["openai_chat"]})
    widened = await provider_keys.update(desk, ANN, made.id, {"api_formats": None})

    assert set(made.api_formats) == {"anthropic_messages", "openai_chat"}
    assert (early.api_formats, narrowed.api_formats) == (("openai_chat",), ("openai_chat",))
    assert (set(widened.api_formats), widened.bound_origin) == (set(made.api_formats), made.bound_origin)
