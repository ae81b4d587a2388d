"""The overview's arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.overview import SPANS, bucket_count, buckets, lines, percentile, strips
from gateway.store.figures import FIRST_BYTE_BOUNDS_MS, ProviderMinute, Slice


def test_models_with_few_requests_share_a_line() -> None:
    slices = [Slice(0, f"m{number}", number, 0, 0, 0, 0) for number in range(1, 7)] + [Slice(1, "", 5, 5, 0, 0, 0)]

    found = {line.model: line.requests for line in lines(slices, 2)}

    assert list(found) == ["m6", "m5", "m4", "m3", "other"]
    assert found["m6"] == (6, 0)
    assert found["other"] == (3, 5)


def test_no_other_line_is_drawn_where_nothing_is_left_over() -> None:
    assert [line.model for line in lines([Slice(0, "m", 1, 0, 0, 0, 0)], 1)] == ["m"]
    assert lines([], 3) == ()


@given(
    st.lists(
        st.builds(
            Slice,
            bucket=st.integers(0, 47),
            model=st.sampled_from(["", "a", "b", "c", "d", "e", "f"]),
            requests=st.integers(0, 50),
            errors=st.integers(0, 5),
            tokens=st.integers(0, 99),
            cost_nano=st.integers(0, 99),
            unpriced=st.just(0),
        ),
        max_size=30,
    )
)
def test_nothing_is_lost_between_slices_lines_and_buckets(slices: list[Slice]) -> None:
    span = SPANS["24h"]
    total = sum(item.requests for item in slices)

    assert sum(sum(line.requests) for line in lines(slices, bucket_count(span))) == total
    found = buckets(slices, 1000, span)
    assert sum(bucket.requests for bucket in found) == total
    assert sum(bucket.cost_nano for bucket in found) == sum(item.cost_nano for item in slices)
    assert found[1].at - found[0].at == span.bucket_ms


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert percentile([0] * 13, 0.5) is None


def test_a_percentile_lies_inside_its_bucket() -> None:
    counts = [0] * 13
    counts[4] = 100
    found = percentile(counts, 0.5)
    assert found is not None
    assert 128 < found < 256
    assert found == pytest.approx(181.02, abs=0.01)


@given(st.lists(st.integers(0, 100), min_size=13, max_size=13), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_percentiles_rise_and_stay_in_range(counts: list[int], one: float, other: float) -> None:
    low, high = percentile(counts, min(one, other)), percentile(counts, max(one, other))
    if sum(counts) == 0:
        assert low is None
        return
    assert low is not None
    assert high is not None
    assert 0 < low <= high <= FIRST_BYTE_BOUNDS_MS[-1] * 2


def test_a_provider_that_is_gone_keeps_its_strip_while_it_was_tried() -> None:
    found = strips([ProviderMinute("gone", 60, 1, 2, 1)], ["there"])

    assert [strip.provider for strip in found] == ["there", "gone"]
    assert found[1].up == 0.25
    assert found[1].cells[59].failed == 2
    assert all(len(strip.cells) == 60 for strip in found)
