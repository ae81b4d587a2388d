"""How pools and backends are shown to be doing."""

from __future__ import annotations

import pytest

from gateway.control import backends, endpoints, pools, provider_keys
from gateway.control.backends import BackendMade
from gateway.control.desk import Desk
from gateway.control.pool_stats import BackendStats, BackendStatus
from gateway.routing.bounds import key_requests
from gateway.routing.snapshot import Backend
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio


@pytest.fixture
async def made(desk: Desk) -> BackendMade:
    return await backends.create(
        desk,
        ANN,
        {
            "name": "a",
            "base_url": "https://a.example/v1",
            "api_key": "env:OPENAI_API_KEY",
            "models": ["z", "b"],
            "rpm_limit": 60,
        },
    )


def shown(desk: Desk, made: BackendMade) -> BackendStats:
    return next(row for pool in pools.stats(desk) for row in pool.backends if row.id == made.backend_id)


def in_force(desk: Desk, made: BackendMade) -> Backend:
    return desk.snapshot().backends[made.backend_id]


async def test_a_new_backend_is_unknown_and_nothing_is_made_by_looking(desk: Desk, made: BackendMade) -> None:
    row = shown(desk, made)

    assert (row.status, row.reason, row.seconds_left, row.rpm_left) == (BackendStatus.UNKNOWN, "", 0, 60)
    assert (row.name, row.models, row.env_name, row.pool) == ("a/main", ("b", "z"), "OPENAI_API_KEY", "primary")
    assert desk.state.backends == {}


async def test_a_success_makes_it_healthy_and_a_fault_an_error(desk: Desk, made: BackendMade) -> None:
    state = desk.state.of(made.backend_id)
    state.successes = 1
    assert shown(desk, made).status is BackendStatus.HEALTHY

    state.fault = "HTTP 500"
    row = shown(desk, made)
    assert (row.status, row.reason) == (BackendStatus.ERROR, "HTTP 500")


async def test_a_rest_counts_down_and_then_one_probe_is_awaited(office: Office, made: BackendMade) -> None:
    office.desk.state.of(made.backend_id).rest(office.clock.mono() + 41, "rate limited")
    row = shown(office.desk, made)
    assert (row.status, row.seconds_left, row.reason) == (BackendStatus.COOLING, 41, "rate limited")

    office.clock.advance(40)
    assert shown(office.desk, made).seconds_left == 1
    office.clock.advance(1)
    assert shown(office.desk, made).status is BackendStatus.PROBING


async def test_a_disabled_backend_is_that_before_anything_else(office: Office, made: BackendMade) -> None:
    office.desk.state.of(made.backend_id).rest(office.clock.mono() + 41, "rate limited")
    await backends.set_enabled(office.desk, ANN, made.backend_id, enabled=False)
    assert shown(office.desk, made).status is BackendStatus.DISABLED


@pytest.mark.parametrize("change", [{"weight": 0}, {"rpm_limit": 0}])
async def test_a_zero_takes_it_out(desk: Desk, made: BackendMade, change: dict[str, object]) -> None:
    await provider_keys.update(desk, ANN, made.key.id, change)
    assert shown(desk, made).status is BackendStatus.DISABLED


async def test_a_key_that_must_be_entered_again_is_shown(desk: Desk, made: BackendMade) -> None:
    await endpoints.update(desk, ANN, made.endpoint.id, {"base_url": "https://b.example"})
    row = shown(desk, made)
    assert (row.status, row.masked) == (BackendStatus.UNBOUND, "env:OPENAI_API_KEY")


async def test_a_variable_that_is_not_set_is_shown(desk: Desk, made: BackendMade) -> None:
    await provider_keys.update(desk, ANN, made.key.id, {"api_key": "env:GROQ_API_KEY"})
    row = shown(desk, made)
    assert (row.status, row.reason) == (
        BackendStatus.ENV_MISSING,
        "GROQ_API_KEY is not set in the gateway's environment.",
    )


async def test_what_is_left_of_a_bucket_refills(office: Office, made: BackendMade) -> None:
    bucket = office.desk.state.bucket(key_requests(in_force(office.desk, made).key), 60, office.clock.mono())
    assert bucket is not None
    for _ in range(10):
        assert bucket.take(office.clock.mono())
    assert shown(office.desk, made).rpm_left == 50

    office.clock.advance(5)
    assert shown(office.desk, made).rpm_left == 55
    office.clock.advance(500)
    assert shown(office.desk, made).rpm_left == 60


async def test_a_pool_counts_its_backends_by_status(office: Office, made: BackendMade) -> None:
    desk = office.desk
    others = [await backends.create(desk, ANN, {"name": "a"}) for _ in range(4)]
    desk.state.of(made.backend_id).successes = 1
    desk.state.of(others[0].backend_id).rest(office.clock.mono() + 5, "rate limited")
    desk.state.of(others[1].backend_id).fault = "HTTP 500"
    await backends.set_enabled(desk, ANN, others[2].key.id, enabled=False)

    primary, fallback = pools.stats(desk)

    assert (primary.total, primary.enabled, primary.healthy) == (5, 4, 1)
    assert (primary.unknown, primary.cooling, primary.error) == (1, 1, 1)
    assert (fallback.name, fallback.total, fallback.backends) == ("fallback", 0, ())


async def test_a_key_never_goes_to_a_second_address_and_its_backend_there_says_so(
    office: Office, made: BackendMade
) -> None:
    desk = office.desk
    office.clock.advance(1)
    far = {"provider_id": "a", "base_url": "https://b.example/v1", "api_format": "openai_embeddings"}
    await endpoints.create(desk, ANN, far)
    await provider_keys.update(desk, ANN, made.key.id, {"api_formats": ["openai_chat", "openai_embeddings"]})

    rows = {row.api_format: row for pool in pools.stats(desk) for row in pool.backends}

    assert rows["openai_chat"].status is BackendStatus.UNKNOWN
    assert rows["openai_embeddings"].status is BackendStatus.UNBOUND
    assert rows["openai_embeddings"].reason.startswith("Its key goes to https://a.example:443 alone")
