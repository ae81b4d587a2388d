"""Prices over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.resources import PRICES
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer

pytestmark = pytest.mark.anyio


async def served(api: httpx.AsyncClient, **of_model: str) -> str:
    """A model `m` at the provider `acme`; the id of its mapping."""
    await api.post("/backends", json={"name": "acme", "base_url": "https://acme.example/v1", "models": ["m"]})
    if of_model:
        model = next(one for one in (await api.get("/models")).json()["items"] if one["code"] == "m")
        assert (await api.patch(f"/models/{model['id']}", json=of_model)).status_code == 200
    return str((await price(api))["mapping_id"])


async def price(api: httpx.AsyncClient, name: str = "acme") -> dict[str, Any]:
    found: list[dict[str, Any]] = (await api.get("/prices", params={"q": name})).json()["items"]
    return found[0]


async def test_the_effective_price_is_told_with_its_origin_and_tiers(api: httpx.AsyncClient) -> None:
    mapping = await served(api, input_price="1", output_price="4", cache_read_price="0.1")

    found = await price(api)

    assert (found["model"], found["provider"], found["origin"]) == ("m", "acme", "model v2")
    first = {"input": "1", "output": "4", "cache_read": "0.1", "cache_creation": "1", "cache_creation_1h": "1"}
    assert found["tiers"] == [{"up_to": None, **first}]
    assert (await api.get(f"/prices/{mapping}")).json() == found
    assert (await api.get("/prices/nowhere")).status_code == 404
    assert (await api.get("/prices?q=nobody")).json() == {"items": [], "total": 0}


async def test_an_override_is_put_whole_and_taken_away(api: httpx.AsyncClient) -> None:
    mapping = await served(api, input_price="1", output_price="4")
    tier = {"above": 200_000, "input": "2", "output": "8", "cache_creation_1h": "3"}

    put = await api.put(f"/prices/{mapping}", json={"input_price": "0.5", "price_tiers": [tier]})

    assert put.status_code == 200
    assert (put.json()["origin"], put.json()["is_overridden"]) == ("mapping v2 over model v2", True)
    assert [(one["up_to"], one["input"], one["output"]) for one in put.json()["tiers"]] == [
        (200_000, "0.5", "4"),
        (None, "2", "8"),
    ]
    assert put.json()["tiers"][1]["cache_creation_1h"] == "3"
    again = await api.put(f"/prices/{mapping}", json={"output_price": "5"})
    assert [(one["input"], one["output"]) for one in again.json()["tiers"]] == [("1", "5")]
    assert (await api.delete(f"/prices/{mapping}")).status_code == 204
    assert ((await price(api))["origin"], (await price(api))["is_overridden"]) == ("model v2", False)


async def test_an_override_holds_prices_only_and_knows_its_version(api: httpx.AsyncClient) -> None:
    mapping = await served(api)

    assert (await api.put(f"/prices/{mapping}", json={"upstream_name": "x"})).status_code == 400
    assert (await api.put(f"/prices/{mapping}", json={"input_price": "x"})).status_code == 400
    assert (await api.put(f"/prices/{mapping}", json={"input_price": "1", "version": 99})).status_code == 409
    assert (await api.put("/prices/nowhere", json={})).status_code == 404
    assert (await price(api))["tiers"] == []


async def test_models_that_were_used_without_a_price_are_named(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    heard = await provider(answer(), answer(), answer())
    await gateway.backend(heard, models=["m"])
    await gateway.call("m")
    await gateway.call("demo/echo")
    await gateway.row()

    (found,) = (await api.get("/prices/unpriced")).json()["items"]

    assert (found["model"], found["calls"]) == ("m", 1)
    assert [one["model"] for one in found["mappings"]] == ["m"]
    mapping = found["mappings"][0]["mapping_id"]
    await api.put(f"/prices/{mapping}", json={"input_price": "1", "output_price": "2"})
    assert (await api.get("/prices/unpriced")).json()["items"] == [{"model": "m", "calls": 1, "mappings": []}]


async def test_a_newer_catalogue_is_taken_and_an_older_one_is_not(api: httpx.AsyncClient) -> None:
    catalogue = json.loads(PRICES.read_bytes())

    same = (await api.post("/prices/sync", json=catalogue)).json()
    newer = (await api.post("/prices/sync", json={**catalogue, "version": "99.0", "date": "2027-01-01"})).json()

    assert (same["is_taken"], newer["is_taken"], newer["date"]) == (False, True, "2027-01-01")
    assert (await api.post("/prices/sync", json={**catalogue, "providers": {"x": [1]}})).status_code == 400
    assert (await api.post("/prices/sync", json={})).status_code == 400
