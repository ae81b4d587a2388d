"""Credentials for the JSON admin API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control import sessions, tokens
from gateway.control.desk import Desk
from gateway.errors import Forbidden, InvalidFields, NotAuthenticated, NotFound
from gateway.model.people import Actor
from tests.control.people import HERE, NAME, PASSWORD, FakeClock, administrator, audited, desk_at, dump

pytestmark = pytest.mark.anyio
CLI = Actor("cli", "init", "init")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, clock) as desk:
        yield desk


async def refusal(desk: Desk, token: str) -> tuple[int, str | None, str]:
    with pytest.raises(NotAuthenticated) as caught:
        await tokens.recognise(desk, token, "127.0.0.1")
    return caught.value.status, caught.value.code, caught.value.message


async def test_a_token_is_recognised_and_stored_as_a_hash(desk: Desk) -> None:
    plain, token = await tokens.mint(desk, CLI, " deploy ")

    actor = await tokens.recognise(desk, plain, "127.0.0.1")

    assert actor == Actor("token", token.id, "deploy", "127.0.0.1")
    assert plain.startswith("gwm-") and plain.endswith(token.tail) and len(plain) >= 40
    assert plain not in await dump(desk)
    assert await audited(desk) == [("create", "init", "")]


async def test_unknown_disabled_and_expired_tokens_get_the_same_answer(desk: Desk, clock: FakeClock) -> None:
    disabled, row = await tokens.mint(desk, CLI, "disabled")
    await tokens.disable(desk, CLI, row.id)
    expired, row = await tokens.mint(desk, CLI, "expired")
    async with desk.db.write() as tx:
        await tx.execute(
            "UPDATE management_tokens SET expires_at = :at WHERE id = :id", {"at": clock.now_ms, "id": row.id}
        )

    answers = {await refusal(desk, token) for token in (disabled, expired, "gwm-unknown", "", row.token_hash.hex())}

    assert len(answers) == 1


async def test_tokens_that_begin_alike_are_different_people(desk: Desk) -> None:
    plain, _ = await tokens.mint(desk, CLI, "one")

    for other in (plain[:-1], plain + "x", plain[:-1] + ("A" if plain[-1] != "A" else "B"), plain.upper()):
        await refusal(desk, other)


async def test_a_token_cannot_make_tokens(desk: Desk) -> None:
    plain, _ = await tokens.mint(desk, CLI, "one")
    actor = await tokens.recognise(desk, plain, "127.0.0.1")

    with pytest.raises(Forbidden):
        await tokens.mint(desk, actor, "two")


async def test_a_users_token_ends_with_the_user(desk: Desk) -> None:
    await administrator(desk)
    _, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    plain, token = await tokens.mint(desk, Actor("user", session.user_id, NAME), "mine")
    assert token.user_id == session.user_id
    assert await tokens.recognise(desk, plain, "127.0.0.1")

    async with desk.db.write() as tx:
        await tx.execute("UPDATE users SET is_active = 0")

    await refusal(desk, plain)


async def test_the_last_use_is_written_down_once_a_minute_at_most(desk: Desk, clock: FakeClock) -> None:
    plain, _ = await tokens.mint(desk, CLI, "one")
    seen = []
    for seconds in (0, 59, 1):
        clock.forward(seconds)
        await tokens.recognise(desk, plain, "127.0.0.1")
        seen.append((await tokens.every(desk))[0].last_used_at)

    assert seen == [clock.now_ms - 60_000, clock.now_ms - 60_000, clock.now_ms]


async def test_a_name_is_required_and_an_unknown_token_cannot_be_disabled(desk: Desk) -> None:
    with pytest.raises(InvalidFields):
        await tokens.mint(desk, CLI, "  ")
    with pytest.raises(NotFound):
        await tokens.disable(desk, CLI, "0" * 16)


async def test_a_token_stays_good_until_it_is_disabled_expires_or_its_user_goes(desk: Desk, clock: FakeClock) -> None:
    await administrator(desk)
    _, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    owner = Actor("user", session.user_id, NAME)
    disabled, expiring, owned = [(await tokens.mint(desk, owner, name))[1] for name in ("a", "b", "c")]
    _, free = await tokens.mint(desk, CLI, "d")
    every = (disabled, expiring, owned, free)
    assert [await tokens.is_good(desk, token.id) for token in every] == [True] * 4
    assert not await tokens.is_good(desk, "nobody's")

    await tokens.disable(desk, owner, disabled.id)
    async with desk.db.write() as tx:
        await tx.execute(
            "UPDATE management_tokens SET expires_at = :at WHERE id = :id",
            {"at": clock.wall_ms() + 1000, "id": expiring.id},
        )
    clock.forward(1)
    assert [await tokens.is_good(desk, token.id) for token in every] == [False, False, True, True]

    async with desk.db.write() as tx:
        await tx.execute("UPDATE users SET is_active = 0")
    assert [await tokens.is_good(desk, token.id) for token in every] == [False, False, False, True]
    assert {token.last_used_at for token in await tokens.every(desk)} == {None}
