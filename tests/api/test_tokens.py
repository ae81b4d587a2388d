"""`/api/admin/tokens` and `/api/admin/settings`."""

from __future__ import annotations

import httpx
import pytest

from gateway.control import tokens
from tests.harness import OPERATOR, RunningGateway

pytestmark = pytest.mark.anyio


async def test_tokens_are_listed_without_their_secrets(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    plain, token = await tokens.create(gateway.desk, OPERATOR, {"name": "ci", "scopes": ["read"], "allowed_ips": []})

    page = (await api.get("/tokens")).json()
    one = (await api.get(f"/tokens/{token.id}")).json()

    assert one in page["items"] and page["total"] == 2
    assert (one["name"], one["scopes"], one["allowed_ips"], one["tail"]) == ("ci", ["read"], [], plain[-4:])
    assert plain not in str(page) and token.token_hash.hex() not in str(page)


async def test_a_token_cannot_make_one(api: httpx.AsyncClient) -> None:
    assert (await api.post("/tokens", json={"name": "more"})).status_code == 405


async def test_a_token_is_disabled_and_deleted(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    plain, token = await tokens.mint(gateway.desk, OPERATOR, "second")
    headers = {"authorization": f"Bearer {plain}"}

    assert (await api.post(f"/tokens/{token.id}/disable")).json()["is_active"] is False
    assert (await gateway.client.get("/api/admin/pools", headers=headers)).status_code == 401
    assert (await api.delete(f"/tokens/{token.id}")).status_code == 204
    assert (await api.get(f"/tokens/{token.id}")).status_code == 404
    assert (await api.delete(f"/tokens/{token.id}")).status_code == 404


async def test_settings_are_read_and_changed_by_version(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    before = (await api.get("/settings")).json()

    after = (await api.patch("/settings", json={"capture": "errors", "version": before["version"]})).json()
    late = await api.patch("/settings", json={"capture": "all", "version": before["version"]})

    assert after == {**before, "capture": "errors", "version": before["version"] + 1}
    assert (late.status_code, late.json()["error"]["current"]) == (409, after)
    assert gateway.desk.snapshot().settings.capture == "errors"
    assert (await api.patch("/settings", json={"capture": "some"})).status_code == 400
