"""Who is signed in where, and ending that from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control import session_list, sessions
from gateway.control.desk import Desk
from gateway.errors import NotFound
from gateway.model.people import Actor
from tests.control.people import ELSEWHERE, HERE, NAME, PASSWORD, FakeClock, administrator, audited, desk_at

pytestmark = pytest.mark.anyio
BOSS = Actor("user", "u9", "boss", "192.0.2.9")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, clock) as desk:
        await administrator(desk)
        yield desk


async def test_sessions_are_listed_last_seen_first_without_what_opens_them(desk: Desk, clock: FakeClock) -> None:
    token, first = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    clock.forward(60)
    _, second = await sessions.sign_in(desk, NAME, PASSWORD, ELSEWHERE)

    found = await session_list.listing(desk, first.user_id)

    assert [one.session.ip for one in found] == [ELSEWHERE.ip, HERE.ip]
    assert [one.id for one in found] == [session_list.session_id(second), session_list.session_id(first)]
    assert len(found[0].id) == 16 and found[0].id not in second.token_hash.hex()
    assert await sessions.recognise(desk, token)
    assert await sessions.recognise(desk, found[1].id) is None


async def test_sessions_that_are_over_are_not_listed(desk: Desk, clock: FakeClock) -> None:
    _, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    clock.forward(3599)
    assert len(await session_list.listing(desk, session.user_id)) == 1
    clock.forward(1)
    assert await session_list.listing(desk, session.user_id) == ()


async def test_one_session_ends_and_the_others_go_on(desk: Desk) -> None:
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    other, _ = await sessions.sign_in(desk, NAME, PASSWORD, ELSEWHERE)

    await session_list.end(desk, BOSS, session.user_id, session_list.session_id(session))

    assert await sessions.recognise(desk, token) is None
    assert await sessions.recognise(desk, other)
    assert (await audited(desk))[-1] == ("end_session", "boss", "192.0.2.9")


async def test_only_a_persons_own_sessions_are_ended_under_the_name(desk: Desk) -> None:
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    for user_id, wanted in (("nobody", session_list.session_id(session)), (session.user_id, "0" * 16)):
        with pytest.raises(NotFound):
            await session_list.end(desk, BOSS, user_id, wanted)

    assert await sessions.recognise(desk, token)
    for nobody in (session_list.listing(desk, "nobody"), session_list.end_all(desk, BOSS, "nobody")):
        with pytest.raises(NotFound):
            await nobody


async def test_all_of_them_end_at_once(desk: Desk) -> None:
    opened = [await sessions.sign_in(desk, NAME, PASSWORD, where) for where in (HERE, ELSEWHERE)]

    await session_list.end_all(desk, BOSS, opened[0][1].user_id)

    assert [await sessions.recognise(desk, token) for token, _ in opened] == [None, None]
    assert (await audited(desk))[-1][:2] == ("sign_out_everywhere", "boss")
