"""A backend that mostly fails is left alone, and failing calls do not make more calls than there are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.control import backends, pools
from gateway.control.pool_stats import BackendStatus
from gateway.routing.breaker import BreakerState
from gateway.routing.retry_budget import ALWAYS
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway, running_gateway
from tests.provider import answer, hang, limited, refused, scripted_provider

pytestmark = pytest.mark.anyio


async def test_after_five_failures_calls_go_elsewhere_at_once(gateway: RunningGateway, provider: MakeProvider) -> None:
    broken, good = await provider(refused(500)), await provider()
    made = await gateway.backend(broken)
    await gateway.backend(good, pool="fallback")

    for _ in range(8):
        assert (await gateway.call()).status_code == 200

    assert len(broken.heard) == 5
    row = await gateway.row()
    assert [(skip.reason, len(row.attempts)) for skip in row.skips] == [("breaker_open", 1)]
    shown = {one.id: one for pool in pools.stats(gateway.desk) for one in pool.backends}[made.backend_id]
    assert shown.status is BackendStatus.OPEN
    assert 28 < shown.seconds_left <= 30


async def test_a_hanging_backend_delays_five_calls_and_no_more(gateway: RunningGateway, provider: MakeProvider) -> None:
    silent, good = await provider(hang()), await provider()
    await gateway.backend(silent, timeout_seconds=0.1)
    await gateway.backend(good, pool="fallback")

    for _ in range(7):
        assert (await gateway.call()).status_code == 200

    assert len(silent.heard) == 5


async def test_half_open_lets_one_call_in_and_three_successes_close_it(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    flaky, good = await provider(*[refused(500)] * 5, answer()), await provider()
    made = await gateway.backend(flaky)
    await gateway.backend(good, pool="fallback")
    for _ in range(5):
        await gateway.call()
    breaker = gateway.desk.state.of(made.backend_id).breaker
    breaker.open_until = 0.0

    await asyncio.gather(*(gateway.call() for _ in range(6)))
    tried_at_once = len(flaky.heard) - 5
    while breaker.state is not BreakerState.CLOSED:
        assert (await gateway.call()).status_code == 200

    assert 1 <= tried_at_once <= 3
    assert len(flaky.heard) == 8
    assert gateway.desk.state.of(made.backend_id).fault == ""


async def test_when_everything_is_broken_the_client_is_told_when_to_come_back(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(refused(503)))
    codes = [(await gateway.call()).status_code for _ in range(6)]

    got = await gateway.call()

    assert codes == [502] * 6  # the sixth found the circuit open and nothing else, so it tried before the time
    assert (got.status_code, got.json()["error"]["code"]) == (503, "service_unavailable")
    assert 28 <= int(got.headers["retry-after"]) <= 30


@pytest.mark.parametrize(
    "scene", [limited(0.05), refused(400, "messages: bad"), refused(404, "x", code="model_not_found")]
)
async def test_limits_and_client_faults_never_open_it(
    gateway: RunningGateway, provider: MakeProvider, scene: object
) -> None:
    made = await gateway.backend(await provider(*[scene] * 12, answer()))  # type: ignore[arg-type]
    for _ in range(12):
        await gateway.call()
    assert gateway.desk.state.of(made.backend_id).breaker.state is BreakerState.CLOSED


async def test_an_open_breaker_survives_a_restart_and_an_operator_can_close_it(tmp_path: Path) -> None:
    async with scripted_provider(refused(500)) as broken, scripted_provider() as good:
        async with running_gateway(tmp_path) as first:
            made = await first.backend(broken)
            await first.backend(good, pool="fallback")
            for _ in range(5):
                await first.call()
        async with running_gateway(tmp_path) as second:
            state = second.desk.state.of(made.backend_id)
            assert state.breaker.state is BreakerState.OPEN
            assert 25 < state.breaker.seconds_until_trial(second.desk.clock.mono()) <= 30
            broken.always = answer()
            first_key = {"authorization": f"Bearer {first.api_key}"}
            assert (await second.call(headers=first_key)).headers["x-gateway-provider"] == "p2"
            await backends.clear_cooldown(second.desk, OPERATOR, made.backend_id)
            assert (await second.call(headers=first_key)).headers["x-gateway-provider"] == "p1"


async def test_what_works_again_is_found_within_a_second_where_nothing_else_serves(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    broken = await provider(refused(500))
    made = await gateway.backend(broken)
    for _ in range(6):
        await gateway.call()
    breaker = gateway.desk.state.of(made.backend_id).breaker
    until = breaker.open_until
    assert [(await gateway.call()).status_code for _ in range(3)] == [503] * 3
    assert (len(broken.heard), breaker.open_until) == (6, until)

    broken.always = answer()
    await asyncio.sleep(1.05)

    assert [(await gateway.call()).status_code for _ in range(3)] == [200] * 3
    assert breaker.state is BreakerState.CLOSED


async def test_when_all_fail_retries_are_few(gateway: RunningGateway, provider: MakeProvider) -> None:
    """Three backends that fail in turn would otherwise be asked three times by each call."""
    failing = [await provider(refused(500)) for _ in range(3)]
    for one in failing:
        made = await gateway.backend(one)
    spent = gateway.desk.state.retry_budget
    now = gateway.desk.clock.mono()
    while spent.take(now):
        pass
    assert len(spent.retries) == ALWAYS

    got = await gateway.call()

    assert got.status_code == 502
    assert sum(len(one.heard) for one in failing) == 1
    row = await gateway.row()
    assert (len(row.attempts), row.skips[-1].reason) == (1, "retry_budget")
    assert made.backend_id


async def test_a_backend_that_is_deleted_while_it_answers_leaves_nothing_behind(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    gate = asyncio.Event()

    async def slow(exchange: object) -> None:
        await gate.wait()
        await refused(500)(exchange)  # type: ignore[arg-type]

    made = await gateway.backend(await provider(slow))
    asked = asyncio.create_task(gateway.call())
    while not gateway.desk.state.of(made.backend_id).in_flight:
        await asyncio.sleep(0.005)
    await backends.delete(gateway.desk, OPERATOR, made.backend_id)
    gate.set()

    assert (await asked).status_code == 502
    assert made.backend_id not in gateway.desk.state.backends
