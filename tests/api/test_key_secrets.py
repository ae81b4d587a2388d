"""The history of a key's secrets over HTTP, and showing the active one."""

from __future__ import annotations

import httpx
import pytest

from gateway.control import setup, tokens
from gateway.model.people import Actor
from gateway.store import users
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio

FIRST, SECOND = "sk-CANARY-first-0123456", "sk-CANARY-second-012345"
PASSWORD = "nine green kettles"


@pytest.fixture
async def path(api: httpx.AsyncClient) -> str:
    """Of a key that has had two secrets."""
    await api.post("/providers", json={"name": "acme"})
    await api.post("/endpoints", json={"provider_id": "acme", "base_url": "https://api.acme.example/v1"})
    made = await api.post("/provider-keys", json={"provider_id": "acme", "api_key": FIRST})
    path = f"/provider-keys/{made.json()['id']}"
    await api.patch(path, json={"api_key": SECOND, "secret_note": "the old one leaked"})
    return path


@pytest.fixture
async def personal(gateway: RunningGateway, api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same client with a token of the administrator's own."""
    desk = gateway.desk
    assert await setup.make_administrator(desk, "ada", PASSWORD)
    async with desk.db.read() as tx:
        ada = await users.by_username(tx, "ada")
    assert ada is not None
    plain, _ = await tokens.mint(desk, Actor("user", ada.id, "ada"), "laptop")
    api.headers["authorization"] = f"Bearer {plain}"
    return api


async def test_versions_tell_who_set_what_and_never_the_secret(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(f"{path}/versions")

    found = [(one["number"], one["masked"], one["note"], one["is_active"]) for one in answer.json()["items"]]
    assert found == [(2, "sk-C…2345", "the old one leaked", True), (1, "sk-C…3456", "", False)]
    assert all(len(one["fingerprint"]) == 12 for one in answer.json()["items"])
    assert "CANARY" not in answer.text
    assert (await api.get("/provider-keys/nowhere/versions")).status_code == 404


async def test_the_active_secret_is_shown_for_the_password_of_the_tokens_user(
    personal: httpx.AsyncClient, path: str
) -> None:
    answer = await personal.post(f"{path}/reveal", json={"password": PASSWORD})

    assert (answer.status_code, answer.json()) == (200, {"secret": SECOND})
    assert answer.headers["cache-control"] == "no-store"


async def test_nothing_is_shown_without_it(personal: httpx.AsyncClient, path: str) -> None:
    for body in ({}, {"password": ""}, {"password": "wrong horse battery 9"}):
        answer = await personal.post(f"{path}/reveal", json=body)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["password"])
        assert "CANARY" not in answer.text
    assert (await personal.get(f"{path}/reveal")).status_code == 405


async def test_the_token_of_the_machines_owner_has_no_password_to_prove(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.post(f"{path}/reveal", json={"password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
