"""How calls are decided, over the JSON API: one that would be made now, and one that was made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import limited

pytestmark = pytest.mark.anyio


def told(explanation: dict[str, Any]) -> list[tuple[str, bool, str]]:
    return [(one["backend"], one["taken"], one["reason"]) for one in explanation["candidates"]]


async def test_a_call_that_would_be_made_now_is_explained_and_nothing_is_sent(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    got = await api.post("/explain", json={"model": "demo/echo", "seed": 7, "session": "s"})

    found = got.json()
    assert got.status_code == 200
    assert told(found) == [("demo/main", True, ""), ("demo-spare/main", True, "")]
    assert (found["object"], found["seed"], found["session"], found["wanted"]) == ("gateway.plan", 7, "s", [])
    assert await gateway.rows() == []


async def test_a_wrong_field_and_an_unknown_model_are_refused_as_they_should(api: httpx.AsyncClient) -> None:
    wrong = await api.post("/explain", json={"model": "m", "api_key": "nobody", "tokens": -1})
    unknown = await api.post("/explain", json={"model": "no-such-model"})

    assert (wrong.status_code, list(wrong.json()["error"]["fields"])) == (400, ["tokens"])
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_call_that_was_made_is_explained_as_it_was_decided_then(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    first, second = await provider(limited(600)), await provider()
    made = await gateway.backend(first)
    await gateway.backend(second, pool="fallback")
    await gateway.call()
    tried = await gateway.row()
    await gateway.call()
    row = await gateway.row()
    await api.delete(f"/backends/{made.backend_id}")

    found = (await api.get(f"/requests/{row.id}/explain")).json()

    assert told(found) == [("p2/main", True, ""), ("p1/main", False, "cooling")]
    both = (await api.get(f"/requests/{tried.id}/explain")).json()
    assert told(both) == [("p1/main", True, ""), ("p2/main", True, "")]
    assert (found["seed"], found["config_version"]) == (row.seed, row.config_version)
    assert (found["session"], found["wanted"]) == (None, None)
    assert (await api.get("/requests/req_none/explain")).status_code == 404
