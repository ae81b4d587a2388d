"""Who is counted together, and how long they wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control import throttle
from gateway.control.desk import Desk
from gateway.errors import RateLimited
from gateway.store import login_failures
from tests.control.people import FakeClock, desk_at, dump

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, clock) as desk:
        yield desk


async def admitted(desk: Desk, username: str, ip: str) -> bool:
    try:
        await throttle.admit(desk, username, ip)
    except RateLimited as error:
        assert error.code == "too_many_attempts" and error.retry_after and error.retry_after > 0
        return False
    return True


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 1), (6, 2), (10, 32), (14, 512), (15, 900), (16, 900), (10_000, 900)]
)
def test_the_delay_by_failures(failures: int, seconds: int) -> None:
    assert throttle.delay_ms(failures) == seconds * 1000


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
    ],
)
async def test_addresses_are_counted_together_where_one_client_can_change_between_them(
    desk: Desk, one: str, other: str, together: bool
) -> None:
    for number in range(5):
        assert await admitted(desk, f"user-{number}", one)

    expected = together and bool(one)
    assert await admitted(desk, "another", other) is not expected


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_is_not_counted(desk: Desk, ip: str) -> None:
    assert [await admitted(desk, f"user-{number}", ip) for number in range(10)] == [True] * 10


async def test_a_refused_attempt_is_not_counted(desk: Desk, clock: FakeClock) -> None:
    for _ in range(5):
        await admitted(desk, "ada", "203.0.113.7")
    for _ in range(50):
        assert not await admitted(desk, "ada", "203.0.113.7")
    clock.forward(1)

    assert await admitted(desk, "ada", "203.0.113.7")


async def test_a_day_without_failures_forgets_them_all(desk: Desk, clock: FakeClock) -> None:
    for _ in range(5):
        await admitted(desk, "ada", "203.0.113.7")
    clock.forward(throttle.FORGOTTEN_MS / 1000 + 1)
    await admitted(desk, "somebody", "198.51.100.1")

    async with desk.db.read() as tx:
        kept = [await login_failures.of_subject(tx, f"address:{ip}") for ip in ("203.0.113.7", "198.51.100.1")]
    assert kept[0] is None and kept[1] is not None and kept[1].failures == 1


async def test_what_was_typed_as_a_name_is_not_stored(desk: Desk) -> None:
    await admitted(desk, "hunter2 is my password", "203.0.113.7")

    assert "hunter2" not in await dump(desk)
