"""Looking at what the gateway remembers while it serves, and clearing it."""

from __future__ import annotations

import pytest

from gateway.control import api_keys, endpoints, provider_keys, providers, runtime_state
from gateway.control.runtime_state import StateSeen
from gateway.errors import NotFound
from gateway.routing.buckets import TokenBucket
from gateway.routing.snapshot import Backend
from tests.desks import ANN, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


@pytest.fixture
async def backend(office: Office) -> Backend:
    await providers.create(office.desk, ANN, {"name": "acme"})
    await endpoints.create(office.desk, ANN, {"provider_id": "acme", "base_url": "https://a.example/v1"})
    await provider_keys.create(office.desk, ANN, {"provider_id": "acme", "rpm_limit": 60})
    return next(iter(office.desk.snapshot().backends.values()))


def look(office: Office) -> StateSeen:
    return runtime_state.seen(office.desk.snapshot(), office.desk.state, office.clock.mono())


def use(office: Office, name: str, limit: int, amount: int) -> TokenBucket:
    bucket = office.desk.state.bucket(name, limit, office.clock.mono())
    assert bucket is not None and bucket.take(office.clock.mono(), amount)
    return bucket


async def test_where_nothing_happened_there_is_nothing_to_see_and_looking_makes_nothing(
    office: Office, backend: Backend
) -> None:
    assert look(office) == StateSeen((), (), (), ())
    assert (office.desk.state.backends, office.desk.state.buckets, office.desk.state.learned) == ({}, {}, {})


async def test_a_rest_counts_down(office: Office, backend: Backend) -> None:
    office.desk.state.of(backend.id).rest(office.clock.mono() + 41, "rate limited")
    office.clock.advance(1)

    (seen,) = look(office).backends
    assert (seen.name, seen.api_format) == ("acme/main", "openai_chat")
    assert (seen.rest_seconds, seen.rest_reason) == (40.0, "rate limited")
    assert (seen.rest_kind, seen.needs_probe, seen.circuit) == ("limited", True, "closed")
    office.clock.advance(60)
    assert look(office).backends[0].rest_seconds == 0


async def test_an_open_circuit_and_an_allowance_are_seen(office: Office, backend: Backend) -> None:
    state = office.desk.state.of(backend.id)
    for number in range(5):
        state.breaker.record(str(number), succeeded=False, now=office.clock.mono())
    state.allowance = 2

    (seen,) = look(office).backends
    assert (seen.circuit, seen.open_seconds, seen.openings, seen.allowance) == ("open", 30.0, 1, 2)


async def test_a_resting_endpoint_is_cleared_and_that_is_written_down(office: Office, backend: Backend) -> None:
    office.desk.state.of(backend.id).rest(office.clock.mono() + 9, "its own")
    office.desk.state.endpoint_rest(backend.endpoint.base_url).rest(office.clock.mono() + 20, "2 of its 2 keys")
    (seen,) = look(office).endpoints
    assert (seen.provider, seen.seconds, seen.reason) == ("acme", 20.0, "2 of its 2 keys")

    await runtime_state.clear_endpoint(office.desk, ANN, seen.endpoint_id)

    assert look(office).endpoints == ()
    assert [one.rest_reason for one in look(office).backends] == ["its own"]
    assert backend.endpoint.base_url in office.desk.state.dirty.endpoints
    assert (await audit_rows(office.desk))[-1].action == "clear_rest"
    with pytest.raises(NotFound):
        await runtime_state.clear_endpoint(office.desk, ANN, "nowhere")


async def test_a_bucket_is_refilled_and_that_is_written_down(office: Office, backend: Backend) -> None:
    name = f"key:{backend.key.id}:rpm"
    bucket = use(office, name, 60, 45)
    (seen,) = look(office).buckets
    assert (seen.name, seen.limit, seen.left, seen.seconds_left) == (name, 60, 15.0, 45.0)
    assert "acme/main" in seen.owner

    await runtime_state.refill(office.desk, ANN, name)

    assert (look(office).buckets, bucket.level) == ((), 60.0)
    assert name in office.desk.state.dirty.buckets
    last = (await audit_rows(office.desk))[-1]
    assert (last.action, last.object_kind, last.object_id) == ("refill", "provider_key", backend.key.id)
    assert (last.before, last.after) == (f'{{"{name}":15.0}}', f'{{"{name}":60}}')
    for wrong in (name, "key:made-up:rpm", "nonsense"):
        with pytest.raises(NotFound):
            await runtime_state.refill(office.desk, ANN, wrong)


async def test_a_bucket_of_before_a_restart_is_seen_and_refilled(office: Office) -> None:
    _, key = await api_keys.create(office.desk, ANN, {"name": "laptop", "rpm_limit": 10})
    name = f"api_key:{key.id}:rpm"
    office.desk.state.kept_levels[name] = (2.0, office.clock.mono())

    assert [(one.name, one.left) for one in look(office).buckets] == [(name, 2.0)]
    await runtime_state.refill(office.desk, ANN, name)
    assert (look(office).buckets, office.desk.state.kept_levels) == ((), {})


async def test_what_was_learned_is_seen_while_no_number_is_fixed(office: Office, backend: Backend) -> None:
    learned = office.desk.state.learned_of(backend.key.id)
    for _ in range(2):
        learned.refused(100, office.clock.mono(), office.clock.wall_ms())
    assert look(office).learned == ()

    await provider_keys.update(office.desk, ANN, backend.key.id, {"rpm_limit": None})

    assert [(one.name, one.learned.limit) for one in look(office).learned] == [("acme/main", 95)]
