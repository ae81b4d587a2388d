"""Taking a catalogue of list prices."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from gateway.control import catalogue, mappings, models, providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields
from gateway.resources import PRICES
from gateway.routing.snapshot import build_snapshot
from gateway.store import catalogue as rows
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio


def offered(**changes: Any) -> bytes:
    found = {
        "date": "2027-01-02",
        "version": "9.0",
        "source": "tests",
        "licence": "none",
        "providers": {"acme": [["big", ["big"], [1, 2, None, None, None, 0], []]]},
    }
    return json.dumps({**found, **changes}).encode()


async def test_the_packaged_catalogue_is_taken_once_and_is_sound(office: Office) -> None:
    assert await catalogue.take_packaged(office.desk.db, office.clock) is True
    assert await catalogue.take_packaged(office.desk.db, office.clock) is False

    packaged = json.loads(PRICES.read_bytes())
    async with office.desk.db.read() as tx:
        found = await rows.of_providers(tx, packaged["providers"])
    assert (found.date, found.version, found.licence) == (packaged["date"], packaged["version"], packaged["licence"])
    assert date.fromisoformat(found.date).year >= 2026
    assert sum(map(len, found.listings.values())) > 1000
    assert "MIT" in found.licence


async def test_an_upgrade_says_that_list_prices_are_others(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    await catalogue.take(office.desk, ANN, offered(version="0.0.1"))

    with caplog.at_level("INFO", "gateway"):
        assert await catalogue.take_packaged(office.desk.db, office.clock) is True

    assert "take the place of those of 2027-01-02" in caplog.text


async def test_a_newer_catalogue_prices_what_nobody_priced(desk: Desk) -> None:
    await providers.create(desk, ANN, {"name": "acme"})
    await models.create(desk, ANN, {"code": "m"})
    await mappings.create(desk, ANN, {"provider_id": "acme", "model_id": "m", "upstream_name": "big"})

    taken = await catalogue.take(desk, ANN, offered())

    assert (taken.is_taken, taken.date, taken.version) == (True, "2027-01-02", "9.0")
    registry = desk.snapshot().registry
    assert registry.catalogue.listings["acme"][0].model == "big"
    assert build_snapshot(registry).book.price(registry.providers[0], ("big",)) is not None


async def test_what_is_not_newer_changes_nothing(desk: Desk) -> None:
    await catalogue.take(desk, ANN, offered())
    version = desk.snapshot().version

    again = await catalogue.take(desk, ANN, offered(date="2027-02-02"))

    assert (again.is_taken, again.date) == (False, "2027-01-02")
    assert desk.snapshot().version == version


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        offered(date="soon"),
        offered(extra=1),
        offered(providers={"acme": [["big"]]}),
        offered(providers=[]),
    ],
)
async def test_what_is_no_catalogue_is_refused(desk: Desk, raw: bytes) -> None:
    with pytest.raises(InvalidFields) as refused:
        await catalogue.take(desk, ANN, raw)
    assert list(refused.value.fields) == ["catalogue"]
