"""Providers that come and go under load: clients hardly notice, and no storm of retries makes it worse.

The short forms of the experiments REL-09 and REL-11, with their pass figures.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Exchange, Heard, Provider, Scene, answer, drop, hang, refused

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Load:
    """Calls at a fixed rate whatever becomes of them. `ended` holds (id, status, seconds) of each."""

    gateway: RunningGateway
    rate: float
    ended: list[tuple[int, int, float]] = field(default_factory=list)
    started: int = 0

    async def run(self, seconds: float) -> None:
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as calls:
            while (due := self.started / self.rate) < seconds:
                await asyncio.sleep(max(0.0, begin + due - time.perf_counter()))
                calls.create_task(self._call(self.started))
                self.started += 1

    async def _call(self, number: int) -> None:
        begin = time.perf_counter()
        got = await self.gateway.call(user=str(number))
        self.ended.append((number, got.status_code, time.perf_counter() - begin))


async def in_turn(provider: Provider, scenes: Sequence[tuple[Scene, float]]) -> None:
    for scene, seconds in scenes:
        provider.always = scene
        await asyncio.sleep(seconds)


def number_of(heard: Heard) -> int:
    return int(json.loads(heard.body)["user"])


async def test_flapping_providers_are_hardly_noticed(gateway: RunningGateway, provider: MakeProvider) -> None:
    """Three of them fall in turn, each just as the calls have come to it: by reset, by 503, by silence."""
    answered: Counter[int] = Counter()

    async def answers(exchange: Exchange) -> None:
        answered[number_of(exchange.heard)] += 1
        await answer()(exchange)

    flapping = [await provider(answers) for _ in range(3)]
    for number, one in enumerate(flapping):
        await gateway.backend(one, timeout_seconds=1, priority=number)
    steady = await provider(answers)
    await gateway.backend(steady, pool="fallback")
    load = Load(gateway, rate=100)
    downs = ((5.0, drop()), (15.0, refused(503)), (25.0, hang()))

    turning = [
        asyncio.create_task(in_turn(one, [(answers, start), (down, 5.0), (answers, 10.0)]))
        for one, (start, down) in zip(flapping, downs, strict=True)
    ]
    await load.run(30)
    for task in turning:
        task.cancel()

    failed = [status for _, status, _ in load.ended if status != 200]
    attempts = sum(len(one.heard) for one in (*flapping, steady))
    assert len(load.ended) == load.started == 3000
    assert len(failed) <= 0.005 * load.started, Counter(failed)
    assert attempts / load.started <= 1.2
    silence = Counter(number_of(heard) for heard in flapping[2].heard)
    assert max(silence.values()) == 1  # nobody waited for the same silence twice
    # Nothing is sent again once an answer came; on a machine that stalls for a second some come too late.
    assert sum(times > 1 for times in answered.values()) <= 0.005 * load.started
    assert all(len(one.heard) > 300 for one in (*flapping, steady))


async def test_when_every_provider_fails_retries_stay_few_and_the_first_good_moment_is_found(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    both = [await provider(refused(503)), await provider(refused(503))]
    for one in both:
        await gateway.backend(one)
    load = Load(gateway, rate=100)

    failing = asyncio.create_task(load.run(12))
    await asyncio.sleep(10)
    attempts = sum(len(one.heard) for one in both)
    calls, ended = load.started, list(load.ended)
    for one in both:
        one.always = answer()
    await failing

    assert attempts <= 1.2 * calls
    assert len(ended) > 500 and {status for _, status, _ in ended} <= {502, 503}
    healed = Load(gateway, rate=50)
    await healed.run(2)
    assert [status for _, status, _ in healed.ended] == [200] * 100
