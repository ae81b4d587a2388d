"""The overview's arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.control.overview import SPANS, bucket_count, buckets, lines, strips
from gateway.model.sums import DAY_MS, HOUR_MS, MINUTE_MS, Sums
from gateway.store.attempt_minutes import ProviderMinute
from gateway.store.figures import Group


def used(bucket: int, model: str, requests: int, failed: int = 0, tokens: int = 0, cost: int = 0) -> Group:
    return Group(bucket, model, "", Sums(requests, failed, input_tokens=tokens, cost_nano=cost))


def test_models_with_few_requests_share_a_line() -> None:
    groups = [used(0, f"m{number}", number) for number in range(1, 7)] + [used(1, "", 5, 5)]

    found = {line.model: line.requests for line in lines(groups, 2)}

    assert list(found) == ["m6", "m5", "m4", "m3", "other"]
    assert found["m6"] == (6, 0)
    assert found["other"] == (3, 5)


def test_no_other_line_is_drawn_where_nothing_is_left_over() -> None:
    assert [line.model for line in lines([used(0, "m", 1)], 1)] == ["m"]
    assert lines([], 3) == ()


@given(
    st.lists(
        st.builds(
            used,
            bucket=st.integers(0, 23),
            model=st.sampled_from(["", "a", "b", "c", "d", "e", "f"]),
            requests=st.integers(0, 50),
            failed=st.integers(0, 5),
            tokens=st.integers(0, 99),
            cost=st.integers(0, 99),
        ),
        max_size=30,
    )
)
def test_nothing_is_lost_between_groups_lines_and_buckets(groups: list[Group]) -> None:
    span = SPANS["24h"]
    total = sum(item.sums.requests for item in groups)

    assert sum(sum(line.requests) for line in lines(groups, bucket_count(span))) == total
    found = buckets(groups, 1000, span)
    assert sum(bucket.requests for bucket in found) == total
    assert sum(bucket.cost_nano for bucket in found) == sum(item.sums.cost_nano for item in groups)
    assert found[1].at - found[0].at == span.bucket_ms


def test_a_provider_that_is_gone_keeps_its_strip_while_it_was_tried() -> None:
    found = strips([ProviderMinute("gone", 60, 1, 2, 1)], ["there"])

    assert [strip.provider for strip in found] == ["there", "gone"]
    assert found[1].up == 0.25
    assert found[1].cells[59].failed == 2
    assert all(len(strip.cells) == 60 for strip in found)


def test_ranges_begin_with_a_minute_an_hour_or_a_day_and_end_with_the_one_that_runs() -> None:
    now = 20_000 * DAY_MS + 5 * HOUR_MS + 1234

    assert SPANS["1h"].since(now) == 20_000 * DAY_MS + 4 * HOUR_MS + MINUTE_MS
    assert SPANS["24h"].since(now) == 20_000 * DAY_MS + 6 * HOUR_MS - DAY_MS
    assert SPANS["7d"].since(now) == 20_000 * DAY_MS + 6 * HOUR_MS - 7 * DAY_MS
    assert SPANS["30d"].since(now) == 20_001 * DAY_MS - 30 * DAY_MS
