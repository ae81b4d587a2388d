"""The page of what keeps calls away at present."""

from __future__ import annotations

import pytest

from gateway.control import provider_keys
from gateway.control.desk import Desk
from gateway.routing.snapshot import Backend
from tests.admin.browsing import Operator, text_of
from tests.desks import ANN
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

PAGE = "/admin/state"


@pytest.fixture
def desk(operator: Operator) -> Desk:
    return operator.gateway.desk


@pytest.fixture
async def backend(desk: Desk) -> Backend:
    """Without a fixed limit."""
    found = next(iter(desk.snapshot().backends.values()))
    await provider_keys.update(desk, ANN, found.key.id, {"rpm_limit": None, "tpm_limit": 1000})
    return desk.snapshot().backends[found.id]


async def seen(operator: Operator) -> str:
    return text_of((await operator.get(PAGE)).text)


async def test_a_calm_gateway_says_so(operator: Operator) -> None:
    assert "Nothing is in the way" in await seen(operator)


async def test_a_resting_backend_is_cleared_from_here(operator: Operator, desk: Desk, backend: Backend) -> None:
    state = desk.state.of(backend.id)
    state.rest(desk.clock.mono() + 41, "429 without more")
    state.allowance = 2
    words = await seen(operator)
    assert f"{backend.name} limited 41 s 429 without more closed 0 of 2" in words

    assert (await operator.submit(f"{PAGE}/backends/{backend.id}/clear")).status_code == 303

    assert "Nothing is in the way" in await seen(operator)
    assert (await audit_rows(desk))[-1].action == "clear_cooldown"


async def test_an_open_circuit_counts_down(operator: Operator, desk: Desk, backend: Backend) -> None:
    for number in range(5):
        desk.state.of(backend.id).breaker.record(str(number), succeeded=False, now=desk.clock.mono())

    assert "open 30 s opened 1 time" in await seen(operator)


async def test_a_resting_endpoint_is_cleared_from_here(operator: Operator, desk: Desk, backend: Backend) -> None:
    desk.state.endpoint_rest(backend.endpoint.base_url).rest(desk.clock.mono() + 20, "2 of its 2 keys met a limit")
    assert "rests 20 s 2 of its 2 keys met a limit" in await seen(operator)

    await operator.submit(f"{PAGE}/endpoints/{backend.endpoint.id}/clear")

    assert "Nothing is in the way" in await seen(operator)


async def test_a_used_limit_is_refilled_from_here(operator: Operator, desk: Desk, backend: Backend) -> None:
    name = f"key:{backend.key.id}:tpm"
    bucket = desk.state.bucket(name, 1000, desk.clock.mono())
    assert bucket is not None and bucket.take(desk.clock.mono(), 900)
    assert "tokens per minute" in await seen(operator)

    await operator.submit(f"{PAGE}/refill", name=name)

    assert "Nothing is in the way" in await seen(operator)
    assert (await operator.submit(f"{PAGE}/refill", name=name)).status_code == 404


async def test_a_learned_limit_is_forgotten_from_here(operator: Operator, desk: Desk, backend: Backend) -> None:
    for _ in range(2):
        desk.state.learned_of(backend.key.id).refused(100, desk.clock.mono(), desk.clock.wall_ms())
    assert f"{backend.name} 95 100 90 % yes 0" in await seen(operator)

    await operator.submit(f"{PAGE}/keys/{backend.key.id}/forget")

    assert "Nothing is in the way" in await seen(operator)
