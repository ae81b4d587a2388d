"""`/api/admin/audit`, and what it says about who was not let in."""

from __future__ import annotations

import httpx
import pytest

from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_changes_are_listed_newest_first_with_their_fields(api: httpx.AsyncClient) -> None:
    pool = (await api.post("/pools", json={"name": "third"})).json()
    await api.patch(f"/pools/{pool['id']}", json={"tier": 7})

    page = (await api.get("/audit", params={"object_id": pool["id"]})).json()

    assert [row["action"] for row in page["items"]] == ["update", "create"]
    assert [change["after"] for change in page["items"][0]["changes"] if change["name"] == "tier"] == ["7"]
    assert page["items"][0]["object_name"] == "third"
    assert len(page["items"][0]["hash"]) == 64
    assert page["next_before"] is None


async def test_pages_follow_each_other(api: httpx.AsyncClient) -> None:
    for number in range(3):
        await api.post("/pools", json={"name": f"pool-{number}"})

    first = (await api.get("/audit", params={"limit": 2})).json()
    second = (await api.get("/audit", params={"limit": 2, "before": first["next_before"]})).json()

    numbers = [row["seq"] for row in [*first["items"], *second["items"]]]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == 4


async def test_a_filter_that_means_nothing_is_refused(api: httpx.AsyncClient) -> None:
    for query in ({"who": "x"}, {"since": "soon"}, {"before": "x"}, {"limit": "0"}):
        assert (await api.get("/audit", params=query)).status_code == 400


async def test_who_was_refused_is_written_down_and_not_more_often_than_bounded(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    for _ in range(40):
        answer = await gateway.client.get("/api/admin/providers", headers={"authorization": "Bearer gwm-guess"})
        assert answer.status_code == 401

    rows = (await api.get("/audit", params={"action": "refused"})).json()["items"]

    assert len(rows) == 10
    assert {(row["actor_kind"], row["ip"], row["object_id"]) for row in rows} == {
        ("token", "127.0.0.1", "GET /api/admin/providers")
    }
    assert "gwm-guess" not in str(rows)
