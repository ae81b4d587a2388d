"""People."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.control import api_keys, providers, setup, users
from gateway.control.desk import Desk
from gateway.errors import Conflict, Forbidden, InvalidFields, NotFound
from gateway.model.people import Actor
from gateway.store import users as rows
from tests.desks import ANN, open_office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

PASSWORD = "a long and odd password"
BEA = {"username": "Bea", "password": PASSWORD}
TOKEN = Actor("token", "t", "ci")


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await users.create(desk, ANN, {"username": "root-1", "password": PASSWORD, "role": "admin"})
    return desk


async def faults(attempt: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await attempt
    return refused.value.fields


async def test_a_person_is_made_changed_and_listed(desk: Desk) -> None:
    made = await users.create(
        desk, ANN, {**BEA, "allowed_models": ["m"], "rpm_limit": 0, "capabilities": {"*": ["eu"]}}
    )
    assert (made.username, made.role, made.rpm_limit, made.capabilities) == ("bea", "user", 0, {"*": ("eu",)})

    changed = await users.update(desk, ANN, made.id, {"email": "bea@example.com", "allowed_models": None})

    assert (changed.allowed_models, changed.version) == (None, 2)
    assert [user.username for user in await users.listing(desk)] == ["bea", "root-1"]
    assert desk.snapshot().users[made.id].email == "bea@example.com"
    assert desk.snapshot().users[made.id].password_hash == ""
    assert PASSWORD not in str(await audit_rows(desk)) and "argon2" not in str(await audit_rows(desk))


async def test_what_cannot_be_a_person_is_named(desk: Desk) -> None:
    await users.create(desk, ANN, BEA)
    assert list(await faults(users.create(desk, ANN, BEA))) == ["username"]
    assert list(await faults(users.create(desk, ANN, {"username": "c d", "password": PASSWORD}))) == ["username"]
    assert list(await faults(users.create(desk, ANN, {"username": "c"}))) == ["password"]
    assert list(await faults(users.create(desk, ANN, {"username": "c", "password": "short"}))) == ["password"]
    assert list(await faults(users.create(desk, ANN, {**BEA, "username": "c", "role": "root"}))) == ["role"]


async def test_a_deleted_person_is_gone_the_name_is_free_and_the_keys_are_refused(desk: Desk) -> None:
    made = await users.create(desk, ANN, BEA)
    _, key = await api_keys.create(desk, ANN, {"name": "laptop", "user_id": "BEA"})
    assert desk.snapshot().api_keys[key.key_hash].is_active

    await users.delete(desk, ANN, made.id)

    assert not desk.snapshot().api_keys[key.key_hash].is_active
    assert (await api_keys.get(desk, key.id)).user_id == made.id
    with pytest.raises(NotFound):
        await users.get(desk, made.id)
    assert list(await faults(api_keys.create(desk, ANN, {"name": "x", "user_id": made.id}))) == ["user_id"]
    assert (await users.create(desk, ANN, BEA)).id != made.id
    assert ("owner_deleted", "api_key") in [(row.action, row.object_kind) for row in await audit_rows(desk)]


async def test_the_last_administrator_stays(desk: Desk) -> None:
    root = next(user for user in await users.listing(desk) if user.username == "root-1")
    for change in ({"role": "user"}, {"is_active": False}):
        with pytest.raises(Conflict, match="last active administrator"):
            await users.update(desk, ANN, root.id, change)
    with pytest.raises(Conflict):
        await users.delete(desk, ANN, root.id)
    assert await users.get(desk, root.id) == root


async def test_a_management_token_cannot_make_or_change_administrators(desk: Desk) -> None:
    root = next(user for user in await users.listing(desk) if user.username == "root-1")
    made = await users.create(desk, TOKEN, BEA)
    for attempt in (
        users.create(desk, TOKEN, {**BEA, "username": "c", "role": "admin"}),
        users.update(desk, TOKEN, root.id, {"password": PASSWORD + "2"}),
        users.update(desk, TOKEN, made.id, {"role": "admin"}),
        users.delete(desk, TOKEN, root.id),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_a_new_password_is_stored_and_an_empty_one_keeps_the_old(desk: Desk) -> None:
    made = await users.create(desk, ANN, BEA)

    async def stored() -> str:
        async with desk.db.read() as tx:
            found = await rows.by_id(tx, made.id)
        assert found is not None
        return found.password_hash

    before = await stored()
    await users.update(desk, ANN, made.id, {"email": "x"})
    await users.update(desk, ANN, made.id, {"password": ""}, text=True)
    assert await stored() == before
    await users.update(desk, ANN, made.id, {"password": PASSWORD + "-2"})
    assert await stored() != before


async def test_a_persons_permission_follows_a_providers_new_name(desk: Desk) -> None:
    provider = await providers.create(desk, ANN, {"name": "acme"})
    made = await users.create(desk, ANN, {**BEA, "allowed_providers": ["acme"]})
    await providers.update(desk, ANN, provider.id, {"name": "apex"})
    assert (await users.get(desk, made.id)).allowed_providers == ("apex",)


async def test_a_person_without_rights_does_not_end_the_setup(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        await users.create(office.desk, ANN, BEA)
        assert await setup.needs_setup(office.desk)
