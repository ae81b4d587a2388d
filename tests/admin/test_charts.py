"""Geometry of the drawings: nothing leaves its frame, nothing covers anything else, numbers are the right ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin import charts
from gateway.admin.charts import (
    AREA_HEIGHT,
    AREA_WIDTH,
    HISTOGRAM_WIDTH,
    Series,
    heat_levels,
    histogram,
    line_chart,
    nice_step,
    sparkline,
    stacked_area,
)

BOUNDS = tuple(16 << step for step in range(12))
COUNTS = st.lists(st.integers(0, 5000), min_size=13, max_size=13)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+(?:e-?\d+)?) (-?[\d.]+(?:e-?\d+)?)", path)]


@given(st.lists(st.floats(0, 1e12), min_size=2, max_size=60))
def test_a_sparkline_stays_inside_its_frame_and_spans_it(values: list[float]) -> None:
    found = points(sparkline(values, 92, 22))

    assert len(found) == len(values)
    assert all(0 <= x <= 92 and 0 <= y <= 22 for x, y in found)
    assert (found[0][0], found[-1][0]) == (0, 92)


def test_a_sparkline_rises_with_its_values() -> None:
    heights = [y for _, y in points(sparkline([1, 2, 5]))]

    assert heights == sorted(heights, reverse=True)


def test_a_sparkline_of_equal_values_is_level_in_the_middle() -> None:
    assert {y for _, y in points(sparkline([3, 3, 3], height=22))} == {11}


@pytest.mark.parametrize("values", [[], [7]])
def test_there_is_no_sparkline_without_two_values(values: list[float]) -> None:
    assert sparkline(values) == ""


@pytest.mark.parametrize(
    ("least", "step"), [(0, 1), (0.2, 1), (1, 1), (3, 5), (12, 20), (21, 25), (26, 50), (51, 100), (180, 200)]
)
def test_steps_of_an_axis_are_round(least: float, step: int) -> None:
    assert nice_step(least) == step


@given(st.floats(0, 1e9))
def test_a_step_is_never_too_small_and_rarely_too_large(least: float) -> None:
    step = nice_step(least)

    assert step >= least
    assert step <= max(1, least * 2.5)


def test_series_are_stacked_upon_each_other() -> None:
    chart = charts.stacked_area([Series("a", [1, 2]), Series("b", [3, 2])], ["00:00", "00:30"], "requests")

    first, second = (points(layer.path) for layer in chart.layers)
    assert first[:2] == second[2:][::-1]
    assert {y for _, y in second[:2]} == {0.0}
    assert [layer.total for layer in chart.layers] == [3, 5]


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=5, max_size=5), min_size=1, max_size=6))
def test_a_stacked_area_stays_inside_its_frame(values: list[list[int]]) -> None:
    chart = charts.stacked_area([Series(str(i), one) for i, one in enumerate(values)], list("abcde"), "requests")

    for layer in chart.layers:
        assert all(0 <= x <= AREA_WIDTH and -0.1 <= y <= AREA_HEIGHT for x, y in points(layer.path))
    assert chart.columns[0].x == 0
    assert round(sum(column.width for column in chart.columns)) == AREA_WIDTH


def test_the_axis_names_round_numbers_from_top_to_bottom() -> None:
    chart = charts.stacked_area([Series("a", [150, 30])], ["x", "y"], "requests")

    assert chart.ticks == ("200", "150", "100", "50", "0")
    assert chart.lines == (0, 42, 84, 126, 168)


def test_a_column_says_what_each_series_had() -> None:
    chart = charts.stacked_area([Series("a", [1000, 0]), Series("b", [2, 0])], ["14:00 UTC", "14:30 UTC"], "requests")

    assert chart.columns[0].title == "14:00 UTC: 1,002 requests\na 1,000\nb 2"
    assert chart.columns[1].title == "14:30 UTC: 0 requests"


def test_a_single_point_is_drawn_over_the_whole_width() -> None:
    chart = charts.stacked_area([Series("a", [3])], ["x"], "requests")

    assert {x for x, _ in points(chart.layers[0].path)} == {0, AREA_WIDTH}


def test_the_rest_has_a_colour_of_its_own() -> None:
    assert charts.shade(1, "gpt-5.5") == "series-2"
    assert charts.shade(1, "other") == "series-other"
    assert charts.shade(9, "gpt-5.5") == "series-other"


def test_there_is_no_histogram_of_nothing() -> None:
    assert histogram([0] * 13, BOUNDS) is None


def test_empty_buckets_at_the_ends_are_left_out_but_for_one() -> None:
    drawing = histogram([0, 0, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0], BOUNDS)

    assert drawing is not None
    assert [bar.title.rpartition(": ")[2] for bar in drawing.bars] == ["0", "5", "0", "7", "0"]
    assert drawing.bars[1].title == "64 ms to 128 ms: 5"


def test_the_outer_buckets_are_open() -> None:
    drawing = histogram([1] + [0] * 11 + [2], BOUNDS)

    assert drawing is not None
    assert drawing.bars[0].title == "below 16 ms: 1"
    assert drawing.bars[-1].title == "32.8 s and more: 2"


@given(COUNTS.filter(any))
def test_percentiles_are_in_order_and_their_words_do_not_touch(counts: list[int]) -> None:
    drawing = histogram(counts, BOUNDS)

    assert drawing is not None
    assert [mark.words for mark in drawing.marks] == ["p50", "p95", "p99"]
    assert [mark.x for mark in drawing.marks] == sorted(mark.x for mark in drawing.marks)
    half = 3 * 5.6 / 2
    for index, mark in enumerate(drawing.marks):
        assert half - 0.1 <= mark.text_x <= HISTOGRAM_WIDTH - half + 0.1
        for other in drawing.marks[index + 1 :]:
            assert other.text_y != mark.text_y or other.text_x - mark.text_x >= 2 * half


@given(COUNTS.filter(any))
def test_bars_stay_inside_the_frame_and_a_counted_bucket_is_seen(counts: list[int]) -> None:
    drawing = histogram(counts, BOUNDS)

    assert drawing is not None
    for bar in drawing.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= HISTOGRAM_WIDTH + 0.1
        assert bar.y >= charts.HISTOGRAM_TOP - 0.1
        assert (bar.height >= 1) == (not bar.title.endswith(": 0"))


def test_the_middle_of_one_full_bucket_is_its_median() -> None:
    drawing = histogram([0, 0, 10] + [0] * 10, BOUNDS)

    assert drawing is not None
    middle = drawing.bars[1].x + drawing.bars[1].width / 2
    assert drawing.marks[0].x == pytest.approx(middle, abs=0.2)


def test_lines_are_broken_where_a_value_is_missing() -> None:
    chart = line_chart([("a", [1, 2, None, 4, None])], ["v", "w", "x", "y", "z"], str)

    assert chart.layers[0].path == "M0 126L150 84M449 0L451 0"
    assert [column.title for column in chart.columns] == ["v\na 1", "w\na 2", "x", "y\na 4", "z"]
    assert chart.ticks[0] == "4"


def test_lines_of_nothing_are_drawn_all_the_same() -> None:
    assert line_chart([("a", [None])], ["x"], str).layers[0].path == ""


def test_money_is_told_in_its_own_words() -> None:
    chart = stacked_area([Series("a", [3.0])], ["today"], "", lambda value: f"${value:g}")

    assert chart.columns[0].title == "today: $3\na $3"
    assert chart.ticks == ("$4", "$3", "$2", "$1", "$0")


def test_the_darkness_of_a_cell_is_its_part_of_the_largest() -> None:
    assert heat_levels([[0, 1, 50], [51, 100, 0]]) == ((0, 1, 3), (3, 5, 0))
    assert heat_levels([[0], [0]]) == ((0,), (0,))
