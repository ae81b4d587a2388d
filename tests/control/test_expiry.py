"""API keys that delete themselves."""

from __future__ import annotations

import asyncio

import pytest

from gateway.control import api_keys, expiry
from gateway.control.desk import Desk
from gateway.model.people import ApiKey
from tests.desks import ANN, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


async def key_of(desk: Desk, name: str, expires_at: int | None, *, deletes_itself: bool) -> ApiKey:
    fields = {"name": name, "expires_at": expires_at, "deletes_itself": deletes_itself}
    return (await api_keys.create(desk, ANN, fields))[1]


async def names(desk: Desk) -> set[str]:
    return {key.name for key in await api_keys.listing(desk)}


async def test_only_keys_that_are_over_and_delete_themselves_go(office: Office) -> None:
    desk, now = office.desk, office.clock.wall
    await key_of(desk, "goes", now + 1000, deletes_itself=True)
    await key_of(desk, "stays for good", None, deletes_itself=True)
    await key_of(desk, "ends, but stays", now + 1000, deletes_itself=False)
    await key_of(desk, "still has time", now + 2000, deletes_itself=True)
    assert await api_keys.delete_ended(desk) == ()

    office.clock.advance(1)

    assert await api_keys.delete_ended(desk) == ("goes",)
    assert await names(desk) == {"stays for good", "ends, but stays", "still has time"}
    row = (await audit_rows(desk))[-1]
    assert (row.action, row.object_kind, row.actor_name) == ("delete", "api_key", "expiry")
    assert {key.name for key in desk.snapshot().registry.api_keys} == await names(desk)


async def test_nothing_is_written_while_nothing_is_over(desk: Desk) -> None:
    await key_of(desk, "stays", None, deletes_itself=True)
    version = desk.snapshot().version

    assert await api_keys.delete_ended(desk) == ()

    assert desk.snapshot().version == version


async def test_the_watch_looks_again_and_again(office: Office) -> None:
    await key_of(office.desk, "goes", office.clock.wall + 1000, deletes_itself=True)
    async with expiry.watching(office.desk, 0.01):
        await asyncio.sleep(0.03)
        assert await names(office.desk) == {"goes"}
        office.clock.advance(1)
        for _ in range(200):
            if not await names(office.desk):
                break
            await asyncio.sleep(0.01)
    assert await names(office.desk) == set()
