"""How many refusals are written down."""

from __future__ import annotations

from gateway.control.refusals import PER_ADDRESS, PER_MINUTE, Refusals

NOW = 60_000 * 1000


def test_one_address_is_written_down_so_often_in_a_minute() -> None:
    refusals = Refusals()

    written = [refusals.admit("192.0.2.7", NOW + number) for number in range(50)]

    assert written == [0] * PER_ADDRESS + [None] * (50 - PER_ADDRESS)
    assert refusals.admit("192.0.2.8", NOW) == 50 - PER_ADDRESS
    assert refusals.admit("192.0.2.7", NOW + 59_999) is None
    assert refusals.admit("192.0.2.7", NOW + 60_000) == 1


def test_the_addresses_of_one_network_count_as_one() -> None:
    refusals = Refusals()

    written = [refusals.admit(f"2001:db8::{number:x}", NOW) for number in range(50)]

    assert sum(one is not None for one in written) == PER_ADDRESS
    assert refusals.admit("2001:db8:0:1::1", NOW) is not None


def test_a_crowd_cannot_fill_the_disk() -> None:
    refusals = Refusals()

    written = [refusals.admit(f"10.0.{number // 250}.{number % 250}", NOW) for number in range(5000)]

    assert sum(one is not None for one in written) == PER_MINUTE


def test_what_is_no_address_counts_as_it_is_written() -> None:
    refusals = Refusals()

    assert [refusals.admit("", NOW) for _ in range(PER_ADDRESS + 1)][-1] is None
    assert refusals.admit("fe80::1%eth0", NOW) is not None
