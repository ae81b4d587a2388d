"""The first administrator."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control import sessions, setup
from gateway.control.desk import Desk
from gateway.errors import Conflict, Forbidden, GatewayError, Gone, InvalidFields
from tests.control.people import HERE, NAME, PASSWORD, FakeClock, administrator, audited, desk_at, dump

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, clock) as desk:
        yield desk


async def test_a_link_makes_the_administrator_and_signs_them_in(desk: Desk) -> None:
    link = await setup.new_link(desk)
    assert await setup.needs_setup(desk)
    assert await setup.is_open(desk, link)

    token, _ = await setup.finish(desk, link, "Ada", PASSWORD, HERE)

    recognised = await sessions.recognise(desk, token)
    assert recognised is not None
    assert (recognised[0].username, recognised[0].role) == (NAME, "admin")
    assert not await setup.needs_setup(desk)
    assert await audited(desk) == [("set_up", NAME, HERE.ip)]
    await sessions.sign_in(desk, NAME, PASSWORD, HERE)


async def test_looking_at_a_link_does_not_use_it_up_but_finishing_does(desk: Desk) -> None:
    link = await setup.new_link(desk)
    assert [await setup.is_open(desk, link) for _ in range(3)] == [True] * 3

    await setup.finish(desk, link, NAME, PASSWORD, HERE)

    assert not await setup.is_open(desk, link)
    with pytest.raises(Gone):
        await setup.finish(desk, link, "eve", PASSWORD, HERE)


async def test_a_link_is_good_for_a_quarter_of_an_hour(desk: Desk, clock: FakeClock) -> None:
    link = await setup.new_link(desk)

    clock.forward(15 * 60 - 1)
    assert await setup.is_open(desk, link)
    clock.forward(1)

    assert not await setup.is_open(desk, link)
    with pytest.raises(Gone):
        await setup.finish(desk, link, NAME, PASSWORD, HERE)


async def test_a_link_works_after_a_restart_and_is_not_in_the_database(tmp_path: Path) -> None:
    clock = FakeClock()
    async with desk_at(tmp_path, clock) as desk:
        link = await setup.new_link(desk)
        assert link not in await dump(desk)
    async with desk_at(tmp_path, clock) as desk:
        await setup.finish(desk, link, NAME, PASSWORD, HERE)


async def test_there_are_no_links_once_somebody_can_sign_in(desk: Desk) -> None:
    early = await setup.new_link(desk)
    await administrator(desk)

    assert not await setup.is_open(desk, early)
    with pytest.raises(Conflict):
        await setup.new_link(desk)


async def test_a_stranger_without_the_link_gets_nowhere(desk: Desk) -> None:
    await setup.new_link(desk)

    for token in ("", "x", "0" * 43):
        with pytest.raises(Gone):
            await setup.finish(desk, token, "eve", PASSWORD, HERE)
    assert await setup.needs_setup(desk)


async def test_fifty_people_with_the_same_link_make_one_administrator(desk: Desk) -> None:
    link = await setup.new_link(desk)

    async def finish(number: int) -> str:
        try:
            await setup.finish(desk, link, f"user-{number}", PASSWORD, HERE)
        except (Gone, Forbidden) as error:
            return type(error).__name__
        return "made"

    outcomes = Counter(await asyncio.gather(*(finish(number) for number in range(50))))

    assert outcomes["made"] == 1
    assert outcomes["Gone"] + outcomes["Forbidden"] == 49
    async with desk.db.read() as tx, tx.execute("SELECT count(*) FROM users") as rows:
        assert tuple(await rows.fetchone() or ()) == (1,)


async def test_fifty_people_with_a_link_each_make_one_administrator(desk: Desk) -> None:
    links = [await setup.new_link(desk) for _ in range(20)]

    async def finish(number: int, link: str) -> GatewayError | None:
        try:
            await setup.finish(desk, link, f"user-{number}", PASSWORD, HERE)
        except GatewayError as error:
            return error
        return None

    outcomes = await asyncio.gather(*(finish(number, link) for number, link in enumerate(links)))

    assert outcomes.count(None) == 1
    assert {error.status for error in outcomes if error} <= {403, 410}


@pytest.mark.parametrize(
    ("name", "password", "fields"),
    [
        ("", PASSWORD, {"username"}),
        ("a b", PASSWORD, {"username"}),
        ("<script>", PASSWORD, {"username"}),
        ("a" * 65, PASSWORD, {"username"}),
        (NAME, "too short", {"password"}),
        ("", "", {"username", "password"}),
    ],
)
async def test_bad_values_are_named_and_the_link_stays_good(
    desk: Desk, name: str, password: str, fields: set[str]
) -> None:
    link = await setup.new_link(desk)

    with pytest.raises(InvalidFields) as refusal:
        await setup.finish(desk, link, name, password, HERE)

    assert set(refusal.value.fields) == fields
    assert await setup.is_open(desk, link)


async def test_a_reset_gives_a_known_user_a_new_password_and_ends_their_sessions(desk: Desk) -> None:
    await administrator(desk)
    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    assert not await setup.reset_password(desk, NAME, "ten blue saucepans")

    assert await sessions.recognise(desk, token) is None
    await sessions.sign_in(desk, NAME, "ten blue saucepans", HERE)
    with pytest.raises(InvalidFields):
        await setup.reset_password(desk, "nobody", "ten blue saucepans")


async def test_a_reset_makes_the_administrator_where_there_is_none(desk: Desk) -> None:
    assert await setup.reset_password(desk, "admin", PASSWORD)

    assert not await setup.needs_setup(desk)
