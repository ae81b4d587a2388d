"""Credentials for the JSON admin API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.control import sessions, tokens
from gateway.control.desk import Desk
from gateway.errors import Forbidden, InvalidFields, NotAuthenticated, NotFound
from gateway.model.people import Actor
from tests.control.people import HERE, NAME, PASSWORD, FakeClock, administrator, audited, desk_at, dump

pytestmark = pytest.mark.anyio
CLI = Actor("cli", "init", "init")
CLOCK_MS = FakeClock().now_ms


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


async def test_a_token_carries_what_it_is_kept_to(desk: Desk) -> None:
    fields = {"name": "ci", "scopes": "models:read, pools:write", "allowed_ips": "192.0.2.77/24\n2001:db8::1"}
    plain, token = await tokens.create(desk, CLI, {**fields, "expires_at": "2030-01-01"}, text=True)

    actor = await tokens.recognise(desk, plain, "192.0.2.9")

    assert token.scopes == actor.scopes == ("models:read", "pools:write")
    assert token.allowed_ips == ("192.0.2.0/24", "2001:db8::1/128")
    assert await tokens.get(desk, token.id) == replace(token, last_used_at=CLOCK_MS, last_used_ip="192.0.2.9")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"scopes": ["modles:read"]}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"allowed_ips": ["192.0.2.0/33"]}, "allowed_ips"),
        ({"allowed_ips": ["home"]}, "allowed_ips"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"user_id": "u2"}, "user_id"),
    ],
    ids=str,
)
async def test_what_means_nothing_is_refused(desk: Desk, raw: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        await tokens.create(desk, CLI, {"name": "x", **raw})
    assert list(caught.value.fields) == [field]
    assert await tokens.every(desk) == ()


async def test_a_misspelt_scope_is_told_the_nearest(desk: Desk) -> None:
    with pytest.raises(InvalidFields, match="did you mean models:read"):
        await tokens.create(desk, CLI, {"name": "x", "scopes": ["modles:read"]})


@pytest.mark.parametrize(
    ("networks", "ip", "is_in"),
    [
        (None, "203.0.113.9", True),
        ([], "192.0.2.9", False),
        (["192.0.2.0/24"], "192.0.2.9", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.9", True),
        (["192.0.2.0/24"], "192.0.3.9", False),
        (["2001:db8::/32"], "2001:db8::9", True),
        (["2001:db8::/32"], "fe80::1%eth0", False),
        (["192.0.2.0/24"], "", False),
    ],
)
async def test_a_token_is_for_its_networks_alone(desk: Desk, networks: list[str] | None, ip: str, is_in: bool) -> None:
    plain, _ = await tokens.create(desk, CLI, {"name": "x", "allowed_ips": networks})
    if is_in:
        assert await tokens.recognise(desk, plain, ip)
    else:
        with pytest.raises(Forbidden) as caught:
            await tokens.recognise(desk, plain, ip)
        assert caught.value.code == "ip_not_allowed"
        assert (await tokens.every(desk))[0].last_used_at is None


async def test_another_address_is_written_down_sooner_but_not_each_time(desk: Desk, clock: FakeClock) -> None:
    plain, _ = await tokens.mint(desk, CLI, "one")
    seen = []
    for seconds, ip in ((0, "192.0.2.1"), (0.9, "192.0.2.2"), (0.1, "192.0.2.2"), (0.5, "192.0.2.1")):
        clock.forward(seconds)
        await tokens.recognise(desk, plain, ip)
        seen.append((await tokens.every(desk))[0].last_used_ip)

    assert seen == ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"]


async def test_a_token_can_disable_and_delete_but_not_enable(desk: Desk) -> None:
    plain, row = await tokens.mint(desk, CLI, "one")
    _, other = await tokens.mint(desk, CLI, "other")
    actor = await tokens.recognise(desk, plain, "127.0.0.1")

    assert not (await tokens.set_active(desk, actor, other.id, active=False)).is_active
    with pytest.raises(Forbidden):
        await tokens.set_active(desk, actor, other.id, active=True)
    assert (await tokens.set_active(desk, CLI, other.id, active=True)).is_active
    await tokens.delete(desk, actor, other.id)

    assert [token.id for token in await tokens.every(desk)] == [row.id]
    with pytest.raises(NotFound):
        await tokens.delete(desk, actor, other.id)
