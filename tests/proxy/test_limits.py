"""Buckets and cooldowns: what is skipped, for how long, and what survives."""

from __future__ import annotations

import asyncio
import shutil
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from gateway.control import api_keys, provider_keys
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway, running_gateway
from tests.provider import Exchange, Scene, answer, limited, refused, scripted_provider

pytestmark = pytest.mark.anyio


async def test_an_empty_bucket_is_skipped_with_its_reason_and_nothing_is_sent(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    small, other = await provider(), await provider()
    await gateway.backend(small, rpm_limit=2)
    await gateway.backend(other, pool="fallback")

    for _ in range(3):
        assert (await gateway.call()).status_code == 200

    assert (len(small.heard), len(other.heard)) == (2, 1)
    skip = (await gateway.row()).skips[0]
    assert (skip.reason, skip.pool) == ("rpm_empty", "primary")
    assert skip.seconds is not None
    assert 28 < skip.seconds <= 30


async def test_a_limit_of_zero_refuses_every_call(gateway: RunningGateway, provider: MakeProvider) -> None:
    closed = await provider()
    await gateway.backend(closed, rpm_limit=0)

    got = await gateway.call()

    assert got.status_code in (429, 503)
    assert not closed.heard


async def test_when_every_bucket_is_empty_the_client_is_told_when_to_come_back(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(), rpm_limit=1)
    await gateway.call()

    got = await gateway.call()

    assert (got.status_code, got.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert got.headers["retry-after"] == "60"
    assert got.headers["x-should-retry"] == "true"


async def test_a_call_waits_for_a_recovery_that_is_near(gateway: RunningGateway, provider: MakeProvider) -> None:
    busy = await provider(limited("0.4"), answer())
    await gateway.backend(busy)
    began = time.monotonic()

    got = await gateway.call()

    assert got.status_code == 200
    assert 0.4 <= time.monotonic() - began < 2
    assert [attempt.outcome for attempt in (await gateway.row()).attempts] == ["rate_limited", "ok"]


async def limited_until_a_date(exchange: Exchange) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    await limited(format_datetime(moment, usegmt=True))(exchange)


@pytest.mark.parametrize(
    ("scene", "least", "most"),
    [
        (limited(120), 119, 120),
        (limited("90.5"), 89, 90.5),
        (limited_until_a_date, 97, 101),
        (limited(None, retry_after_ms="45500"), 44, 45.5),
        (limited(None, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="6m0s"), 359, 360),
        (limited(None, anthropic_ratelimit_tokens_remaining="0", anthropic_ratelimit_tokens_reset="200"), 199, 200),
        (limited(None, error={"details": [{"retryDelay": "52s"}]}), 51, 52),
        (limited(None, error={"code": "insufficient_quota"}), 3599, 3600),
        (limited(20, error={"code": "insufficient_quota"}), 3599, 3600),
        (limited(None), 3.9, 6.1),
        (limited("rubbish"), 3.9, 6.1),
        (limited("-5"), 3.9, 6.1),
        (refused(401), 59, 60),
    ],
)
async def test_the_rest_is_as_long_as_the_server_says_else_the_pools_base(
    gateway: RunningGateway, provider: MakeProvider, scene: Scene, least: float, most: float
) -> None:
    made = await gateway.backend(await provider(scene))
    await gateway.backend(await provider(), pool="fallback")

    await gateway.call()

    left = gateway.desk.state.of(made.backend_id).seconds_left(gateway.desk.clock.mono())
    assert least <= left <= most


async def test_retry_after_is_exact_when_everything_rests(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(limited(300)))
    await gateway.backend(await provider(limited(42)), pool="fallback")

    first, second = await gateway.call(), await gateway.call()

    for got in (first, second):
        assert got.status_code == 429
        assert got.headers["retry-after"] in ("41", "42")
    assert not (await gateway.row()).attempts


async def test_rests_grow_with_each_limit_in_a_row_and_a_success_ends_the_row(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    busy = await provider(limited(), limited(), limited(), answer())
    made = await gateway.backend(busy)
    await gateway.backend(await provider(), pool="fallback")
    state = gateway.desk.state.of(made.backend_id)
    rests = []
    for _ in range(4):
        await gateway.call()
        rests.append(state.seconds_left(gateway.desk.clock.mono()))
        state.resting_until = gateway.desk.clock.mono()

    assert [4 <= rests[0] <= 6, 8 <= rests[1] <= 12, 16 <= rests[2] <= 24] == [True] * 3
    assert (rests[3], state.streak, state.needs_probe) == (0, 0, False)


async def test_rests_and_streaks_survive_a_restart(tmp_path: Path) -> None:
    async with scripted_provider(limited(200)) as busy:
        async with running_gateway(tmp_path) as first:
            made = await first.backend(busy)
            await first.call()
            await first.rows()
        async with running_gateway(tmp_path) as second:
            state = second.desk.state.of(made.backend_id)
            left = state.seconds_left(second.desk.clock.mono())
            (row,) = await second.rows()
            assert [attempt.outcome for attempt in row.attempts] == ["rate_limited"]

    assert 190 < left <= 200
    assert (state.streak, state.needs_probe) == (1, True)
    assert len(busy.heard) == 1


async def test_a_burst_that_meets_a_limit_rests_the_backend_once(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    gate = asyncio.Event()

    async def together(exchange: Exchange) -> None:
        await gate.wait()
        await limited()(exchange)

    busy = await provider(together)
    made = await gateway.backend(busy)
    await gateway.backend(await provider(), pool="fallback")

    calls = [asyncio.create_task(gateway.call()) for _ in range(12)]
    while len(busy.heard) < 12:
        await asyncio.sleep(0.005)
    gate.set()
    assert {(await call).status_code for call in calls} == {200}

    state = gateway.desk.state.of(made.backend_id)
    assert state.streak == 1
    assert 0 < state.seconds_left(gateway.desk.clock.mono()) <= 6


async def test_one_call_goes_first_when_a_rest_is_over(gateway: RunningGateway, provider: MakeProvider) -> None:
    gate = asyncio.Event()

    async def held(exchange: Exchange) -> None:
        await gate.wait()
        await answer()(exchange)

    busy, other = await provider(limited(60), held, answer()), await provider()
    made = await gateway.backend(busy)
    await gateway.backend(other, pool="fallback")
    await gateway.call()
    gateway.desk.state.of(made.backend_id).resting_until = 0.0

    probe = asyncio.create_task(gateway.call())
    while len(busy.heard) < 2:
        await asyncio.sleep(0.01)
    await asyncio.gather(*(gateway.call() for _ in range(10)))
    heard_while_probing = len(busy.heard)
    gate.set()
    await probe
    await gateway.call()

    assert heard_while_probing == 2
    assert len(busy.heard) == 3
    assert "probing" in {skip.reason for row in await gateway.rows() for skip in row.skips}


async def test_an_api_keys_own_limit_refuses_with_its_name_and_headers(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    backend = await provider()
    await gateway.backend(backend)
    secret, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "small", "rpm_limit": 1})
    headers = {"authorization": f"Bearer {secret}"}

    first = await gateway.call(headers=headers)
    second = await gateway.call(headers=headers)

    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert "This API key's limit" in second.json()["error"]["message"]
    assert 58 <= int(second.headers["retry-after"]) <= 60
    assert len(backend.heard) == 1


async def test_a_burst_that_the_provider_takes_only_in_part_lowers_what_is_sent_at_once(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    inside = 0

    async def takes_two(exchange: Exchange) -> None:
        nonlocal inside
        inside += 1
        try:
            if inside > 2:
                await limited("0.05", x_ratelimit_remaining_requests="90")(exchange)
            else:
                await asyncio.sleep(0.3)
                await answer()(exchange)
        finally:
            inside -= 1

    busy = await provider(takes_two)
    made = await gateway.backend(busy)
    await gateway.backend(await provider(), pool="fallback")

    got = await asyncio.gather(*(gateway.call() for _ in range(6)))

    assert {one.status_code for one in got} == {200}
    assert gateway.desk.state.of(made.backend_id).allowance == 2
    outcomes = [attempt.outcome for row in await gateway.rows() for attempt in row.attempts]
    assert 1 <= outcomes.count("rate_limited") <= 4


NAMED = limited("0.01", x_ratelimit_limit_requests="6", x_ratelimit_remaining_requests="0")


async def test_a_limit_that_a_provider_names_twice_is_kept_to_from_then_on(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    busy = await provider(NAMED, NAMED, answer())
    made = await gateway.backend(busy)
    await gateway.backend(await provider(), pool="fallback")

    for _ in range(9):
        assert (await gateway.call()).status_code == 200
        await asyncio.sleep(0.02)

    learned = gateway.desk.state.learned[made.key.id].view(gateway.desk.clock.mono())
    assert (learned.limit, learned.boundary, learned.enforced) == (5, 6, True)
    assert [seen.named for seen in learned.observations] == [6, 6]
    assert len(busy.heard) == 5
    assert (await gateway.row()).skips[0].reason == "rpm_learned_empty"


async def test_all_that_limits_survives_a_kill_but_for_the_last_quarter_second(tmp_path: Path) -> None:
    """The file is copied while the program runs: that is what a kill would leave."""
    async with scripted_provider(answer()) as first_one, scripted_provider(NAMED) as other_one:
        async with running_gateway(tmp_path / "running") as first:
            made = await first.backend(first_one)
            limits = {"rpm_limit": 10, "tpm_limit": 600, "daily_limit": 100}
            await provider_keys.update(first.desk, OPERATOR, made.key.id, limits)
            learning = await first.backend(other_one, models=("n",))
            twin = await first.backend(other_one, models=("n",), name=learning.provider.name)
            for _ in range(4):
                await first.call()
            await first.call(model="n")
            await asyncio.sleep(0.4)
            (tmp_path / "killed").mkdir(mode=0o700)
            for file in (tmp_path / "running").iterdir():
                if file.is_file():
                    shutil.copy(file, tmp_path / "killed")
        async with running_gateway(tmp_path / "killed") as second:
            await second.call(headers={"authorization": f"Bearer {first.api_key}"})
            state = second.desk.state
            used = {name: state.buckets[f"key:{made.key.id}:{name}"] for name in ("rpm", "tpm", "daily")}
            missing = [bucket.limit - bucket.level for bucket in used.values()]
            assert missing == [pytest.approx(5, abs=1), pytest.approx(60, abs=30), pytest.approx(5, abs=0.1)]
            assert state.of(made.backend_id).score == 1.0
            assert state.of(made.backend_id).first_output_ms is not None
            assert state.endpoint_rests[learning.endpoint.base_url].needs_probe
            assert {name for name, found in state.learned.items() if found.observations} == {
                learning.key.id,
                twin.key.id,
            }
