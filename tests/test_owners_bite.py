"""Every field of a user that limits or permits does so for that person's API keys, alone and over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import users
from tests.place import Place

pytestmark = pytest.mark.anyio

BEA = {"username": "bea", "password": "a-long-and-odd-password"}


async def owned(place: Place, **fields: Any) -> str:
    """The id of a person with these fields, who owns the API key that calls."""
    made = await place.send("POST", "/users", **BEA, **fields)
    assert made.status_code == 201, made.text
    assert "password" not in made.text
    await place.turn("api-keys", user_id="bea")
    return str(made.json()["id"])


STOPS: list[tuple[dict[str, Any], int, str]] = [
    ({"is_active": False}, 401, "invalid_api_key"),
    ({"allowed_models": []}, 404, "model_not_found"),
    ({"allowed_models": ["other"]}, 404, "model_not_found"),
    ({"allowed_providers": []}, 404, "model_not_found"),
    ({"allowed_formats": []}, 403, "format_not_allowed"),
    ({"rpm_limit": 0}, 429, "rate_limit_exceeded"),
    ({"tpm_limit": 0}, 429, "rate_limit_exceeded"),
    ({"max_concurrent": 0}, 429, "rate_limit_exceeded"),
    ({"quota": "0", "quota_period": "none"}, 402, "budget_exceeded"),
    ({"capabilities": {"*": ["eu"]}}, 400, "capability_missing"),
    ({"capabilities": {"m": ["eu"]}}, 400, "capability_missing"),
]


@pytest.mark.parametrize(("fields", "status", "code"), STOPS, ids=[str(fields) for fields, _, _ in STOPS])
async def test_what_the_owner_may_not_the_key_may_not(
    place: Place, fields: dict[str, Any], status: int, code: str
) -> None:
    await owned(place, **fields)

    who, row = await place.call()

    assert (who, row.code, row.error_code) == ("nobody", status, code)
    assert place.first.heard == place.second.heard == []


LETS: list[dict[str, Any]] = [
    {},
    {"allowed_models": ["m"], "allowed_providers": None, "allowed_formats": ["openai_chat"]},
    {"rpm_limit": 1, "tpm_limit": 10_000, "max_concurrent": 1},
    {"capabilities": {"other": ["eu"]}},
]


@pytest.mark.parametrize("fields", LETS, ids=str)
async def test_what_the_owner_may_the_key_may(place: Place, fields: dict[str, Any]) -> None:
    await owned(place, **fields)
    assert (await place.call())[0] == "first"


async def test_an_owners_provider_reroutes_a_call(place: Place) -> None:
    await owned(place, allowed_providers=[place.spare.provider.name])
    assert (await place.call())[0] == "second"


async def test_a_deleted_owners_key_is_refused(place: Place) -> None:
    user_id = await owned(place)
    assert (await place.call())[0] == "first"
    assert (await place.send("DELETE", f"/users/{user_id}")).status_code == 204
    assert (await place.call())[1].code == 401


def test_every_field_of_a_user_is_tried_here() -> None:
    words = {"username", "password", "email", "role", "time_zone"}
    tried = {name for fields, _, _ in STOPS for name in fields}
    assert {field.name for field in users.FIELDS} - words <= tried


async def test_requests_say_whose_they_were_and_are_found_by_that(place: Place) -> None:
    await place.call()
    await owned(place)
    await place.call()

    found = (await place.send("GET", "/requests?user=bea")).json()["items"]
    assert [one["user_name"] for one in found] == ["bea"]
    detail = (await place.send("GET", f"/requests/{found[0]['id']}")).json()
    assert (detail["user_id"], detail["upstream_format"]) == (found[0]["user_id"], "openai_chat")
    assert detail["charged_at"] >= detail["started_at"] and detail["reserved_nano"] is None
    everything = (await place.send("GET", "/requests")).json()["items"]
    assert [one["user_name"] for one in everything] == ["bea", ""]
