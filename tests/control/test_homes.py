"""What somebody sees and does of their own."""

from __future__ import annotations

import pytest

from gateway.control import api_keys, homes, users
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from gateway.model.people import Actor, User
from gateway.model.sums import DAY_MS
from gateway.store import calls
from tests.desks import SYSTEM, Office
from tests.store.rows import call

pytestmark = pytest.mark.anyio


PASSWORD = "nine green kettles"


async def person(desk: Desk, name: str = "bob", **fields: object) -> tuple[User, Actor]:
    made = await users.create(desk, SYSTEM, {"username": name, "password": PASSWORD, **fields})
    return made, Actor("user", made.id, made.username, "192.0.2.7")


async def test_a_key_belongs_to_whoever_makes_it(desk: Desk) -> None:
    bob, actor = await person(desk)
    eve, _ = await person(desk, "eve")

    _, key = await homes.create_key(desk, actor, bob, {"name": "laptop", "budget": 2})

    assert (key.user_id, key.budget_nano) == (bob.id, 2_000_000_000)
    assert await homes.keys(desk, bob) == (key,)
    assert await homes.keys(desk, eve) == ()
    assert await homes.key(desk, bob, key.id) == key


@pytest.mark.parametrize("field", ["user_id", "is_locked", "tpm_limit", "allowed_providers", "capabilities"])
async def test_what_an_administrator_sets_is_refused_by_name(desk: Desk, field: str) -> None:
    bob, actor = await person(desk)
    _, key = await homes.create_key(desk, actor, bob, {"name": "laptop"})

    for attempt in (
        homes.create_key(desk, actor, bob, {"name": "x", field: None}),
        homes.update_key(desk, actor, bob, key.id, {field: None}),
    ):
        with pytest.raises(InvalidFields) as caught:
            await attempt
        assert caught.value.fields == {field: "is set by an administrator"}
    assert await homes.keys(desk, bob) == (key,)


async def test_what_is_somebody_elses_is_not_found(desk: Desk) -> None:
    bob, actor = await person(desk)
    eve, _ = await person(desk, "eve")
    _, hers = await api_keys.create(desk, SYSTEM, {"name": "hers", "user_id": eve.id})
    _, alone = await api_keys.create(desk, SYSTEM, {"name": "alone"})

    for key in (hers, alone):
        for attempt in (
            homes.key(desk, bob, key.id),
            homes.update_key(desk, actor, bob, key.id, {"name": "mine"}),
            homes.rotate_key(desk, actor, bob, key.id, {}),
            homes.delete_key(desk, actor, bob, key.id),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert await api_keys.get(desk, key.id) == key


async def test_a_key_is_changed_rotated_and_deleted_by_its_owner(desk: Desk) -> None:
    bob, actor = await person(desk)
    _, key = await homes.create_key(desk, actor, bob, {"name": "laptop"})

    changed = await homes.update_key(desk, actor, bob, key.id, {"is_active": False, "version": key.version})
    secret, rotated = await homes.rotate_key(desk, actor, bob, key.id, {"grace_hours": 0})
    await homes.delete_key(desk, actor, bob, key.id)

    assert not changed.is_active
    assert secret.endswith(rotated.tail)
    assert await homes.keys(desk, bob) == ()


async def test_a_locked_key_is_not_deleted_by_its_owner(desk: Desk) -> None:
    bob, actor = await person(desk)
    _, key = await homes.create_key(desk, actor, bob, {"name": "laptop"})
    await api_keys.update(desk, SYSTEM, key.id, {"is_locked": True})

    with pytest.raises(Conflict):
        await homes.delete_key(desk, actor, bob, key.id)


async def test_there_are_only_so_many_keys_of_a_person(desk: Desk) -> None:
    bob, actor = await person(desk)
    for number in range(homes.MOST_KEYS):
        await homes.create_key(desk, actor, bob, {"name": f"key {number}"})

    with pytest.raises(Conflict):
        await homes.create_key(desk, actor, bob, {"name": "one more"})


async def test_a_profile_holds_nothing_but_what_is_ones_own(desk: Desk) -> None:
    bob, actor = await person(desk)

    after = await homes.save_profile(desk, actor, bob, {"email": "b@example.com", "time_zone": "Europe/Berlin"})

    assert (after.email, after.time_zone) == ("b@example.com", "Europe/Berlin")
    for field in ("role", "quota", "username", "password", "is_active", "allowed_models"):
        with pytest.raises(InvalidFields):
            await homes.save_profile(desk, actor, bob, {field: "admin"})
    with pytest.raises(InvalidFields):
        await homes.save_profile(desk, actor, bob, {"time_zone": "Nowhere/Land"})


async def test_usage_is_of_thirty_days_and_of_the_person_alone(office: Office) -> None:
    desk, now = office.desk, office.clock.wall
    bob, actor = await person(desk)
    _, key = await homes.create_key(desk, actor, bob, {"name": "laptop"})
    mine = {"user_id": bob.id, "api_key_id": key.id}
    rows = [
        call(now - 1, **mine, cost_nano=5),
        call(now - 2, **mine, cost_nano=7),
        call(now - 3, user_id="u2", api_key_id="ak2", cost_nano=100),
        call(now - 29 * DAY_MS, **mine, cost_nano=11),
        call(now - 31 * DAY_MS, **mine, cost_nano=1000),
    ]
    async with desk.db.write() as tx:
        await calls.insert_many(tx, rows)

    used = await homes.usage(desk, bob)

    assert len(used.days) == homes.DAYS
    assert (used.days[-1].sums.requests, used.days[-1].sums.cost_nano) == (2, 12)
    assert (used.days[0].sums.cost_nano, used.total.cost_nano, used.total.requests) == (11, 23, 3)
    assert {key_id: sums.cost_nano for key_id, sums in used.by_key.items()} == {key.id: 23}


async def test_an_audit_is_of_ones_own(desk: Desk) -> None:
    bob, actor = await person(desk)
    eve, other = await person(desk, "eve")
    await homes.create_key(desk, actor, bob, {"name": "laptop"})
    await homes.create_key(desk, other, eve, {"name": "hers"})

    page = await homes.audit(desk, bob, None, 50)

    assert [(row.entry.action, row.entry.object_kind) for row in page.items] == [
        ("create", "api_key"),
        ("create", "user"),
    ]
    assert "hers" not in str(page)
