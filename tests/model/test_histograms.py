"""Histograms add up, and what is read off them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.histograms import BUCKETS, FIRST_BYTE_BOUNDS_MS, TOTAL_BOUNDS_MS, merged, percentile

counts = st.lists(st.integers(0, 100), min_size=BUCKETS, max_size=BUCKETS)


def test_bounds_double() -> None:
    assert FIRST_BYTE_BOUNDS_MS[:3] == (16, 32, 64)
    assert FIRST_BYTE_BOUNDS_MS[-1] == 32_768
    assert (TOTAL_BOUNDS_MS[0], TOTAL_BOUNDS_MS[-1]) == (64, 131_072)


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert percentile([0] * 13, 0.5, FIRST_BYTE_BOUNDS_MS) is None


def test_a_percentile_lies_inside_its_bucket() -> None:
    found = percentile([0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0], 0.5, FIRST_BYTE_BOUNDS_MS)
    assert found == pytest.approx(181.02, abs=0.01)


@given(counts, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_percentiles_rise_and_stay_in_range(found: list[int], one: float, other: float) -> None:
    low, high = (percentile(found, share, TOTAL_BOUNDS_MS) for share in sorted((one, other)))
    if sum(found) == 0:
        assert low is None
        return
    assert low is not None
    assert high is not None
    assert 0 < low <= high <= TOTAL_BOUNDS_MS[-1] * 2


@given(st.lists(counts, max_size=5))
def test_merging_loses_nothing_and_has_no_order(histograms: list[list[int]]) -> None:
    assert sum(merged(histograms)) == sum(map(sum, histograms))
    assert merged(histograms) == merged(reversed(histograms))
    assert len(merged(histograms)) == BUCKETS


@given(counts, counts)
def test_a_percentile_of_both_lies_between_those_of_each(one: list[int], other: list[int]) -> None:
    each = [percentile(found, 0.95, FIRST_BYTE_BOUNDS_MS) for found in (one, other)]
    known = [value for value in each if value is not None]
    both = percentile(merged([one, other]), 0.95, FIRST_BYTE_BOUNDS_MS)
    if both is not None:
        assert min(known) - 1e-6 <= both <= max(known) + 1e-6
