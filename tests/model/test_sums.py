"""What many calls come to."""

from __future__ import annotations

from gateway.model.sums import PAIRS, SINGLES, Sums, total


def test_sums_add_up_field_by_field() -> None:
    one = Sums(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)

    assert total([one, one]) == Sums(2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24)
    assert total([]) == Sums()


def test_tokens_are_counted_once() -> None:
    one = Sums(input_tokens=1, output_tokens=10, cache_read_tokens=100, cache_creation_tokens=1000, reasoning_tokens=5)

    assert (one.read_tokens, one.tokens) == (1101, 1111)


def test_every_dimension_is_paired_with_every_other_once() -> None:
    assert len(PAIRS) == 10
    assert len({frozenset(pair) for pair in PAIRS}) == 10
    assert SINGLES[0] == "total"
