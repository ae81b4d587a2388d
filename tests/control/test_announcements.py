"""What an administrator tells everybody, and who has read it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.control import announcements, users
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound, Stale
from gateway.model.people import User
from tests.desks import ANN, SYSTEM, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


async def person(desk: Desk, name: str) -> User:
    return await users.create(desk, SYSTEM, {"username": name, "password": "nine green kettles"})


async def titles(desk: Desk, user: User) -> list[str]:
    return [one.title for one in await announcements.unread(desk, user)]


async def test_they_come_pinned_first_then_by_priority_then_the_newest(office: Office) -> None:
    desk = office.desk
    for title, fields in (
        ("old", {}),
        ("new", {}),
        ("urgent", {"priority": 1}),
        ("pinned", {"is_pinned": True, "priority": 99}),
    ):
        office.clock.advance(1)
        await announcements.create(desk, ANN, {"title": title, **fields})

    assert await titles(desk, await person(desk, "bob")) == ["pinned", "urgent", "new", "old"]


async def test_one_holds_in_its_window_and_while_it_is_active(office: Office) -> None:
    desk, now = office.desk, office.clock.wall
    bob = await person(desk, "bob")
    made = await announcements.create(desk, ANN, {"title": "x", "starts_at": now + 1000, "ends_at": now + 2000})
    seen = []
    for _ in range(3):
        seen.append(await titles(desk, bob))
        office.clock.advance(1)
    assert seen == [[], ["x"], []]

    await announcements.update(desk, ANN, made.id, {"starts_at": None, "ends_at": None})
    assert await titles(desk, bob) == ["x"]
    await announcements.update(desk, ANN, made.id, {"is_active": False})
    assert await titles(desk, bob) == []


async def test_what_one_has_read_is_unread_for_the_others(desk: Desk) -> None:
    bob, eve = await person(desk, "bob"), await person(desk, "eve")
    made = await announcements.create(desk, ANN, {"title": "x"})

    for _ in range(2):
        await announcements.mark_read(desk, bob, made.id)

    assert (await titles(desk, bob), await titles(desk, eve)) == ([], ["x"])
    assert [one.title for one in await announcements.shown(desk)] == ["x"]


async def test_what_says_something_else_is_unread_again(desk: Desk) -> None:
    bob = await person(desk, "bob")
    made = await announcements.create(desk, ANN, {"title": "x", "body": "one"})
    await announcements.mark_read(desk, bob, made.id)

    await announcements.update(desk, ANN, made.id, {"priority": 3})
    assert await titles(desk, bob) == []
    await announcements.update(desk, ANN, made.id, {"body": "two"})
    assert await titles(desk, bob) == ["x"]


async def test_only_what_is_shown_can_be_read(desk: Desk) -> None:
    bob = await person(desk, "bob")
    made = await announcements.create(desk, ANN, {"title": "x", "is_active": False})

    for wanted in (made.id, "nobody's"):
        with pytest.raises(NotFound):
            await announcements.mark_read(desk, bob, wanted)


@pytest.mark.parametrize(
    "raw",
    [{"title": ""}, {"kind": "party"}, {"priority": -1}, {"ends_at": 1, "starts_at": 2}, {"ends_at": "soon"}],
    ids=str,
)
async def test_what_means_nothing_is_refused(desk: Desk, raw: Mapping[str, object]) -> None:
    with pytest.raises(InvalidFields):
        await announcements.create(desk, ANN, {"title": "x", **raw})
    assert await announcements.listing(desk) == ()


async def test_changes_are_versioned_and_audited(desk: Desk) -> None:
    made = await announcements.create(desk, ANN, {"title": "x"})
    await announcements.update(desk, ANN, made.id, {"title": "y", "version": 1})
    with pytest.raises(Stale):
        await announcements.update(desk, ANN, made.id, {"title": "z", "version": 1})
    await announcements.delete(desk, ANN, made.id)

    assert [row.action for row in await audit_rows(desk)] == ["create", "update", "delete"]
    assert made.author == "ann"
    with pytest.raises(NotFound):
        await announcements.get(desk, made.id)
