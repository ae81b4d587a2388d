"""Many calls wait for a backend that rests: at each end of a rest exactly one of them goes first."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.control import pools
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway
from tests.provider import Exchange, Scene, answer, limited

pytestmark = pytest.mark.anyio

EXPIRIES = 100
WAITING = 40
LONGEST_SECONDS = 20.0


class Gate:
    """A provider's scene that counts how many requests are inside at once, and refuses each."""

    def __init__(self, refusal: Scene) -> None:
        self.inside = self.most_inside = self.heard = 0
        self._refusal = refusal

    async def __call__(self, exchange: Exchange) -> None:
        self.heard += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await asyncio.sleep(0.01)
        self.inside -= 1
        await self._refusal(exchange)


@pytest.mark.slow
async def test_exactly_one_probe_is_out_at_each_of_a_hundred_expiries(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    gate = Gate(limited("0.02"))
    cooled = await provider()
    cooled.always = gate
    made = await gateway.backend(cooled)
    # One attempt a call: else the budget for retries, not the rest, is what holds most of them back.
    await pools.update(gateway.desk, OPERATOR, made.key.pool_id, {"max_attempts": 1, "wait_seconds": 2})
    assert (await gateway.call()).status_code == 429
    until = time.monotonic() + LONGEST_SECONDS

    async def insist() -> None:
        while gate.heard <= EXPIRIES and time.monotonic() < until:
            assert (await gateway.call()).status_code == 429

    await asyncio.gather(*(insist() for _ in range(WAITING)))

    assert (gate.most_inside, gate.heard > EXPIRIES) == (1, True)


async def test_of_two_refusals_the_later_deadline_holds(gateway: RunningGateway, provider: MakeProvider) -> None:
    both = asyncio.Event()
    spoken = [limited(60), limited("0.2")]

    async def together(exchange: Exchange) -> None:
        scene = spoken.pop(0)
        await both.wait()
        await scene(exchange)

    busy = await provider(together)
    made = await gateway.backend(busy)
    await gateway.backend(await provider(), pool="fallback")
    calls = [asyncio.create_task(gateway.call()) for _ in range(2)]
    while len(busy.heard) < 2:
        await asyncio.sleep(0.005)
    both.set()
    assert {(await call).status_code for call in calls} == {200}

    left = gateway.desk.state.of(made.backend_id).seconds_left(gateway.desk.clock.mono())
    assert 58 < left <= 60


async def test_when_all_rest_every_waiting_client_is_told_the_soonest_end(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    busy = [await provider(limited(seconds)) for seconds in (90, 33, 600)]
    for one in busy:
        await gateway.backend(one)
    await gateway.call()

    got = await asyncio.gather(*(gateway.call() for _ in range(20)))

    assert {one.status_code for one in got} == {429}
    assert {one.headers["retry-after"] for one in got} <= {"32", "33"}
    assert [len(one.heard) for one in busy] == [1, 1, 1]


async def test_a_whole_endpoint_rests_and_is_tried_by_one_call(gateway: RunningGateway, provider: MakeProvider) -> None:
    """Three keys of one address: two are refused within a second, and the third is not even asked."""
    busy = await provider(limited("0.3"), limited("0.3"), answer())
    made = await gateway.backend(busy)
    for _ in range(2):
        await gateway.backend(busy, name=made.provider.name)

    got = await gateway.call()

    assert got.status_code == 200
    row = await gateway.row()
    assert [attempt.outcome for attempt in row.attempts] == ["rate_limited", "rate_limited", "ok"]
    assert row.attempts[2].started_ms - row.attempts[1].started_ms >= 300
    assert "endpoint_cooling" in {skip.reason for skip in row.skips}
    rest = gateway.desk.state.endpoint_rests[made.endpoint.base_url]
    assert (rest.needs_probe, rest.probe_holder) == (False, "")
