"""The history of a provider key's secrets, and showing the one that is active."""

from __future__ import annotations

import pytest

from gateway.control import endpoints, provider_keys, providers, rotations
from gateway.control.desk import Desk
from gateway.errors import Conflict, NotFound
from gateway.vault import fingerprint
from tests.desks import ANN
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
