"""A dry run tells the plan that a call would follow, sends nothing and charges nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import api_keys
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway
from tests.provider import limited

pytestmark = pytest.mark.anyio

DRY = {"x-gateway-dry-run": "1"}


async def test_it_names_who_would_be_tried_and_who_not_with_the_reason(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    first, spare, busy, off = [await provider() for _ in range(4)]
    busy.always = limited(600)
    await gateway.backend(busy, priority=1)
    await gateway.backend(first, priority=5, models={"m": "theirs"})
    await gateway.backend(spare, pool="fallback")
    await gateway.backend(off, enabled=False)
    await gateway.call()
    heard = len(first.heard)

    got = await gateway.call(headers=DRY)

    plan: dict[str, Any] = got.json()
    assert (got.status_code, plan["object"], plan["model"]) == (200, "gateway.plan", "m")
    assert plan["config_version"] == gateway.desk.snapshot().version
    taken = [found for found in plan["candidates"] if found["taken"]]
    assert [(found["backend"], found["pool"], found["upstream_model"]) for found in taken] == [
        ("p2/main", "primary", "theirs"),
        ("p3/main", "fallback", "m"),
    ]
    skipped = {found["backend"]: found for found in plan["candidates"] if not found["taken"]}
    assert {name: found["reason"] for name, found in skipped.items()} == {"p1/main": "cooling", "p4/main": "inactive"}
    assert 590 < skipped["p1/main"]["seconds"] <= 600
    assert skipped["p4/main"]["seconds"] is None
    assert len(first.heard) == heard


async def test_it_takes_no_token_and_writes_no_row(gateway: RunningGateway, provider: MakeProvider) -> None:
    backend = await provider()
    await gateway.backend(backend, rpm_limit=1)
    secret, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "small", "rpm_limit": 1})
    mine = {"authorization": f"Bearer {secret}"}

    for _ in range(5):
        assert (await gateway.call(headers={**mine, **DRY})).json()["candidates"][0]["taken"]

    assert (await gateway.rows(), backend.heard) == ([], [])
    assert (await gateway.call(headers=mine)).status_code == 200


async def test_it_follows_the_same_rules_as_a_call(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider())

    unknown = await gateway.call("no-such-model", headers=DRY)
    stranger = await gateway.call(headers={**DRY, "authorization": "Bearer nobody"})
    streamed = await gateway.call(headers=DRY, stream=True)

    assert (unknown.status_code, stranger.status_code) == (404, 401)
    assert streamed.headers["content-type"] == "application/json"
