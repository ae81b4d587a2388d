"""The history of a provider key's secrets, and showing the one that is active."""

from __future__ import annotations

import contextlib

import pytest

from gateway.control import endpoints, provider_keys, providers, rotations, tokens
from gateway.control.desk import Desk
from gateway.errors import Conflict, Forbidden, InvalidFields, NotFound, RateLimited
from gateway.model.people import Actor
from gateway.store import users
from gateway.vault import fingerprint
from tests.control.people import NAME, PASSWORD, administrator
from tests.desks import ANN, SYSTEM
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

FIRST, SECOND = "sk-first-0123456789abcd", "sk-second-0123456789abc"


@pytest.fixture
async def key_id(desk: Desk) -> str:
    await providers.create(desk, ANN, {"name": "acme"})
    await endpoints.create(desk, ANN, {"provider_id": "acme", "base_url": "https://a.example/v1"})
    made = await provider_keys.create(
        desk, ANN, {"provider_id": "acme", "api_key": FIRST, "secret_note": "from the console"}
    )
    return made.id


async def bearer(desk: Desk) -> Actor:
    """Who presents a management token of the administrator."""
    await administrator(desk)
    async with desk.db.read() as tx:
        user = await users.by_username(tx, NAME)
    assert user is not None
    plain, _ = await tokens.mint(desk, Actor("user", user.id, NAME), "laptop")
    return await tokens.recognise(desk, plain, "192.0.2.7")


async def test_every_new_secret_is_a_version_and_the_newest_comes_first(desk: Desk, key_id: str) -> None:
    await provider_keys.update(desk, ANN, key_id, {"api_key": SECOND, "secret_note": "the old one leaked"})
    await provider_keys.update(desk, ANN, key_id, {"api_key": "env:OPENAI_API_KEY"})

    found = await rotations.history(desk, key_id)

    assert [(one.number, one.masked, one.fingerprint, one.note, one.actor) for one in found] == [
        (3, "env:OPENAI_API_KEY", "", "", "ann"),
        (2, "sk-s…9abc", fingerprint(SECOND), "the old one leaked", "ann"),
        (1, "sk-f…abcd", fingerprint(FIRST), "from the console", "ann"),
    ]
    assert all(len(one.fingerprint) in (0, 12) for one in found)
    assert found[0].at == desk.clock.wall_ms()


async def test_what_leaves_the_secret_alone_makes_no_version(desk: Desk, key_id: str) -> None:
    await provider_keys.update(desk, ANN, key_id, {"note": "x", "weight": 3})
    await provider_keys.update(desk, ANN, key_id, {"api_key": ""})  # keyless now

    assert [one.number for one in await rotations.history(desk, key_id)] == [1]


async def test_the_same_secret_entered_again_is_a_version_of_its_own(desk: Desk, key_id: str) -> None:
    await provider_keys.update(desk, ANN, key_id, {"api_key": FIRST})
    assert [one.number for one in await rotations.history(desk, key_id)] == [2, 1]


async def test_a_key_that_is_not_there_has_no_history(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await rotations.history(desk, "nowhere")


async def test_a_secret_that_is_shown_is_the_active_one_and_is_written_down(desk: Desk, key_id: str) -> None:
    await provider_keys.update(desk, ANN, key_id, {"api_key": SECOND})

    shown = await rotations.reveal(desk, ANN, key_id)

    assert (shown.reveal(), str(shown)) == (SECOND, "***")
    last = (await audit_rows(desk))[-1]
    assert (last.action, last.object_kind, last.object_id, last.actor_name) == ("reveal", "provider_key", key_id, "ann")
    assert SECOND not in f"{last.before}{last.after}"


@pytest.mark.parametrize("secret", ["env:OPENAI_API_KEY", ""])
async def test_a_secret_that_is_not_stored_here_cannot_be_shown(desk: Desk, key_id: str, secret: str) -> None:
    await provider_keys.update(desk, ANN, key_id, {"api_key": secret})
    before = await audit_rows(desk)

    with pytest.raises(Conflict):
        await rotations.reveal(desk, ANN, key_id)

    assert await audit_rows(desk) == before


async def test_a_secret_whose_address_moved_cannot_be_shown(desk: Desk, key_id: str) -> None:
    endpoint = (await endpoints.listing(desk))[0]
    await endpoints.update(desk, ANN, endpoint.id, {"base_url": "https://b.example/v1"})

    with pytest.raises(Conflict, match="enter it first"):
        await rotations.reveal(desk, ANN, key_id)


async def test_the_active_version_is_the_newest_while_the_key_has_a_secret(desk: Desk, key_id: str) -> None:
    async def active() -> int | None:
        key = await provider_keys.get(desk, key_id)
        return rotations.active_number(key, await rotations.history(desk, key_id))

    assert await active() == 1
    await provider_keys.update(desk, ANN, key_id, {"api_key": "env:OPENAI_API_KEY"})
    assert await active() == 2
    await provider_keys.update(desk, ANN, key_id, {"api_key": ""})
    assert await active() is None


async def test_a_token_shows_a_secret_only_with_its_users_password(desk: Desk, key_id: str) -> None:
    token = await bearer(desk)

    for wrong in ("", "wrong horse battery 9"):
        with pytest.raises(InvalidFields, match="is not your password"):
            await rotations.reveal_to_token(desk, token, key_id, wrong)
    assert [row.action for row in await audit_rows(desk)].count("reveal") == 0

    shown = await rotations.reveal_to_token(desk, token, key_id, PASSWORD)

    assert shown.reveal() == FIRST
    assert [row.action for row in await audit_rows(desk)].count("reveal") == 1


async def test_guessing_passwords_behind_a_token_is_slowed_down(desk: Desk, key_id: str) -> None:
    token = await bearer(desk)

    with pytest.raises(RateLimited):
        for _ in range(20):
            with contextlib.suppress(InvalidFields):
                await rotations.reveal_to_token(desk, token, key_id, "wrong horse battery 9")


async def test_a_token_without_a_user_shows_nothing(desk: Desk, key_id: str) -> None:
    plain, _ = await tokens.mint(desk, SYSTEM, "owner")
    actor = await tokens.recognise(desk, plain, "192.0.2.7")

    for nobody in (actor, ANN, Actor("token", "made-up", "x")):
        with pytest.raises(Forbidden, match="no user's"):
            await rotations.reveal_to_token(desk, nobody, key_id, "anything")
