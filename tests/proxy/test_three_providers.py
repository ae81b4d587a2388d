"""Three providers in trouble at once: one limits and says until when, one is silent, one fails inside its stream."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Exchange, answer, delta, hang, limited, sse, stream

pytestmark = pytest.mark.anyio


async def test_no_client_sees_a_failure_and_each_page_tells_the_way(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    until = int(time.time()) + 3

    async def limits_until_then(exchange: Exchange) -> None:
        scene = stream() if time.time() >= until else limited(formatdate(until, usegmt=True))
        await scene(exchange)

    limits = await provider(limits_until_then)
    silent = await provider(hang())
    breaks = await provider(stream(sse(delta(role=True), {"error": {"message": "overloaded", "code": 529}})))
    for number, one in enumerate((limits, silent, breaks)):
        await gateway.backend(one, priority=number, timeout_seconds=1)

    got = await asyncio.gather(*(gateway.call(stream=True) for _ in range(5)))

    assert [one.status_code for one in got] == [200] * 5
    assert {one.text.count('"content": "lo"') for one in got} == {1}
    assert all("error" not in one.text and one.text.endswith("data: [DONE]\n\n") for one in got)
    assert time.time() >= until  # the provider's own date was kept to
    rows = await gateway.rows()
    assert [(row.status, row.code) for row in rows] == [("completed", 200)] * 5
    outcomes = {attempt.outcome for row in rows for attempt in row.attempts}
    assert outcomes == {"rate_limited", "failed", "ok"}
    assert {row.backend for row in rows} == {"p1/main"}
    last = rows[-1]
    said = " ".join(attempt.error for row in rows for attempt in row.attempts)
    assert "rate limited" in said and "error inside the stream: overloaded" in said
    shown = await gateway.client.get(
        f"/api/admin/requests/{last.id}", headers={"authorization": f"Bearer {gateway.management_token}"}
    )
    assert [one["backend"] for one in shown.json()["attempts"]] == [one.backend for one in last.attempts]


async def test_a_silent_provider_is_not_asked_twice_by_one_call(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    silent, good = await provider(hang()), await provider(answer())
    await gateway.backend(silent, timeout_seconds=0.3)
    await gateway.backend(good, pool="fallback")

    got = await gateway.call()

    assert (got.status_code, len(silent.heard), len(good.heard)) == (200, 1, 1)
