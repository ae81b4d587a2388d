"""Backends over the JSON API, up to a call that one of them answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer, limited

pytestmark = pytest.mark.anyio


def form(base_url: str, **fields: Any) -> dict[str, Any]:
    return {"name": "acme", "base_url": base_url, "api_key": "sk-0123456789abcdef", "local_upstream": True, **fields}


async def test_one_post_makes_a_backend_that_answers(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    scripted = await provider()

    made = await api.post("/backends", json=form(scripted.base_url, models={"m": "upstream-m"}, rpm_limit=60))

    assert made.status_code == 201
    body = made.json()
    assert (body["provider"]["name"], body["key"]["rpm_limit"], body["notes"]) == ("acme", 60, [])
    assert body["id"] == f"{body['endpoint']['id']}:{body['key']['id']}"
    assert "sk-0123456789abcdef" not in made.text
    assert (await gateway.call("m")).status_code == 200
    assert scripted.heard[0].json()["model"] == "upstream-m"
    shown = (await api.get(f"/backends/{body['id']}")).json()
    assert (shown["status"], shown["rpm_left"], shown["models"]) == ("healthy", 59, ["m"])


async def test_a_bad_form_makes_nothing(api: httpx.AsyncClient) -> None:
    before = (await api.get("/providers")).json()

    refused = await api.post("/backends", json=form("https://a.example", pool="third", models=["m"]))

    assert refused.status_code == 400
    assert refused.json()["error"]["fields"] == {"pool": "names no pool; there are: primary, fallback"}
    assert (await api.get("/providers")).json() == before


async def test_a_backend_is_changed_and_deleted(api: httpx.AsyncClient) -> None:
    made = (await api.post("/backends", json=form("https://a.example/v1", models=["m"]))).json()

    changed = await api.patch(f"/backends/{made['id']}", json={"label": "new", "models": ["n"], "enabled": False})
    assert (changed.json()["key"]["name"], changed.json()["key"]["is_active"]) == ("new", False)
    assert (await api.get(f"/backends/{made['id']}")).json()["status"] == "disabled"

    assert (await api.delete(f"/backends/{made['id']}")).status_code == 204
    assert (await api.get(f"/backends/{made['id']}")).status_code == 404
    assert "acme" not in (await api.get("/providers")).text


async def test_a_cooling_backend_is_shown_and_can_be_cleared(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    scripted = await provider(limited(120), answer())
    made = (await api.post("/backends", json=form(scripted.base_url, models=["m"]))).json()
    assert (await gateway.call("m")).status_code == 429

    stats = (await api.get("/pools/stats")).json()
    primary = stats["items"][0]
    assert (primary["name"], primary["cooling"]) == ("primary", 1)
    cooling = next(backend for backend in primary["backends"] if backend["id"] == made["id"])
    assert cooling["status"] == "cooling"
    assert 118 < cooling["seconds_left"] <= 120

    cleared = await api.post(f"/backends/{made['id']}/clear-cooldown")
    assert (cleared.status_code, cleared.json()["seconds_left"]) == (200, 0)
    assert (await gateway.call("m")).status_code == 200


async def test_a_test_asks_the_provider_for_its_models(api: httpx.AsyncClient, provider: MakeProvider) -> None:
    listing = {"object": "list", "data": [{"id": "b", "object": "model"}, {"id": "a", "object": "model"}]}
    scripted = await provider(answer(listing), answer({"error": {"message": "bad sk-0123456789abcdef"}}, 401))
    made = (await api.post("/backends", json=form(scripted.base_url))).json()

    found = await api.post(f"/backends/{made['id']}/test")
    assert (found.status_code, sorted(found.json()["models"])) == (200, ["a", "b"])

    refused = await api.post(f"/backends/{made['id']}/test")
    assert refused.status_code == 502
    assert "sk-0123456789abcdef" not in refused.text


async def test_every_backend_is_listed_in_the_order_of_trying(api: httpx.AsyncClient) -> None:
    found = (await api.get("/backends")).json()
    assert [backend["name"] for backend in found["items"]] == ["demo/main", "demo-spare/main"]
    assert found["total"] == 2
    assert (await api.get("/backends", params={"offset": 1})).json()["items"][0]["name"] == "demo-spare/main"


async def test_the_second_of_two_changes_is_told_what_is_there_now(
    api: httpx.AsyncClient, provider: MakeProvider
) -> None:
    scripted = await provider()
    made = (await api.post("/backends", json=form(scripted.base_url))).json()
    path = f"/backends/{made['id']}"
    assert made["version"] == (await api.get(path)).json()["version"] == 3
    first = await api.patch(path, json={"weight": 9, "tpm_limit": 0, "version": 3})
    assert (first.status_code, first.json()["version"], first.json()["key"]["tpm_limit"]) == (200, 4, 0)

    second = await api.patch(path, json={"weight": 4, "version": 3})

    error = second.json()["error"]
    assert (second.status_code, error["code"]) == (409, "changed_meanwhile")
    assert (error["current"]["weight"], error["current"]["version"]) == (9, 4)
