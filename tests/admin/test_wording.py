"""Numbers and times as people read them."""

from __future__ import annotations

import pytest

from gateway.admin import wording


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1k"),
        (12_432, "12.4k"),
        (99_960, "100k"),
        (999_999, "1M"),
        (3_100_000, "3.1M"),
        (2_000_000_000, "2G"),
        (0.5, "0.5"),
    ],
)
def test_counts_are_short(number: float, words: str) -> None:
    assert wording.count(number) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (448, "448 ms"),
        (999.6, "1.0 s"),
        (1400, "1.4 s"),
        (99_900, "99.9 s"),
        (123_000, "2 min 3 s"),
        (3600_000, "1 h 0 min"),
        (200 * 3600_000, "8 days"),
    ],
)
def test_durations_have_the_unit_that_fits(milliseconds: float, words: str) -> None:
    assert wording.duration(milliseconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "1 s"), (0.2, "1 s"), (40.1, "41 s"), (89, "89 s"), (91, "2 min"), (7200, "2 h")]
)
def test_what_remains_is_rounded_up(seconds: float, words: str) -> None:
    assert wording.remaining(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.99999, "99.9 %"), (0.9931, "99.3 %"), (0.5, "50 %")],
)
def test_only_all_of_it_is_a_hundred_percent(share: float | None, words: str) -> None:
    assert wording.percent(share) == words


@pytest.mark.parametrize(
    ("now", "before", "words"), [(108, 100, "+8 %"), (97, 100, "−3 %"), (100, 100, "±0 %"), (5, 0, "–")]
)
def test_a_change_needs_something_to_compare_with(now: float, before: float, words: str) -> None:
    assert wording.change(now, before) == words


def test_moments_are_utc_and_exact() -> None:
    at = 1_800_000_000_123

    assert wording.stamp(at) == "2027-01-15T08:00:00.123Z"
    assert wording.clock(at) == "08:00:00"
    assert wording.full_time(at) == "2027-01-15 08:00:00 UTC"
    assert wording.day(at) == "2027-01-15"
