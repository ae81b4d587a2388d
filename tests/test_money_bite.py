"""Every field that limits money does so, alone and over real sockets; nothing is sent that it does not allow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.place import Place

pytestmark = pytest.mark.anyio

PRICED = {"input_price": "0", "output_price": "0", "request_price": "1"}
BEA = {"username": "bea", "password": "a-long-and-odd-password"}


async def stopped(place: Place, limit: str) -> None:
    heard = len(place.first.heard)
    who, row = await place.call()
    assert (who, row.code, row.error_code, len(place.first.heard)) == ("nobody", 402, "budget_exceeded", heard)
    assert limit in row.error


@pytest.mark.parametrize("period", ["none", "daily", "weekly", "monthly"])
async def test_a_budget_stops_the_key_that_has_used_it_up(place: Place, period: str) -> None:
    await place.turn("models", **PRICED)
    await place.turn("api-keys", budget="2", budget_period=period)

    assert [(await place.call())[0] for _ in range(2)] == ["first", "first"]
    await stopped(place, "This API key's budget of $2.0000")
    await place.turn("api-keys", budget=None)
    assert (await place.call())[0] == "first"


@pytest.mark.parametrize("field", ["budget", "quota"])
async def test_no_money_at_all_is_not_the_same_as_no_limit(place: Place, field: str) -> None:
    await place.turn("models", **PRICED)
    if field == "budget":
        await place.turn("api-keys", budget="0")
    else:
        assert (await place.send("POST", "/users", **BEA, quota="0")).status_code == 201
        await place.turn("api-keys", user_id="bea")

    await stopped(place, "$0")


@pytest.mark.parametrize("period", ["none", "daily", "weekly", "monthly"])
async def test_a_quota_stops_every_key_of_the_user_who_has_used_it_up(place: Place, period: str) -> None:
    await place.turn("models", **PRICED)
    made = await place.send("POST", "/users", **BEA, quota="1", quota_period=period)
    await place.turn("api-keys", user_id="bea")

    assert (await place.call())[0] == "first"
    await stopped(place, "The quota of this API key's owner of $1.0000")
    await place.patch(f"/users/{made.json()['id']}", quota="2")
    assert (await place.call())[0] == "first"


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("budget", {"budget": "-1"}),
    ("budget", {"budget": "0.0000000001"}),
    ("budget_period", {"budget_period": "yearly"}),
    ("budget_period", {"budget_period": None}),
]


@pytest.mark.parametrize(("field", "change"), WRONG, ids=[str(change) for _, change in WRONG])
async def test_a_limit_of_money_that_makes_no_sense_is_refused(
    place: Place, field: str, change: dict[str, Any]
) -> None:
    got = await place.send("PATCH", place.path_of("api-keys"), **change)

    assert (got.status_code, list(got.json()["error"]["fields"])) == (400, [field])


async def test_a_key_with_a_balance_gets_no_owner_and_one_with_an_owner_no_balance(place: Place) -> None:
    await place.send("POST", "/users", **BEA)
    path = place.path_of("api-keys")
    assert (await place.send("POST", f"{path}/top-ups", amount="0")).status_code == 400
    assert (await place.send("POST", f"{path}/top-ups", amount="5")).status_code == 201
    assert (await place.send("PATCH", path, user_id="bea")).json()["error"]["fields"].keys() == {"user_id"}

    assert (await place.send("DELETE", f"{path}/balance")).status_code == 204
    await place.turn("api-keys", user_id="bea")
    assert (await place.send("POST", f"{path}/top-ups", amount="5")).status_code == 409
