"""Times counted in thirteen buckets, each twice as wide as the one before. Histograms add up; percentiles do not."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

BUCKETS = 13
FIRST_BYTE_LEAST_MS = 16
TOTAL_LEAST_MS = 64


def bounds(least: int) -> tuple[int, ...]:
    """Upper ends of the first twelve buckets, in ms: below `least`, below twice that, …; the last has none."""
    return tuple(least << step for step in range(BUCKETS - 1))


FIRST_BYTE_BOUNDS_MS = bounds(FIRST_BYTE_LEAST_MS)
TOTAL_BOUNDS_MS = bounds(TOTAL_LEAST_MS)


def merged(histograms: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """All of them in one; thirteen zeros where there are none."""
    return tuple(map(sum, zip((0,) * BUCKETS, *histograms, strict=True)))


def percentile(counts: Sequence[int], share: float, upper_ends: Sequence[int]) -> float | None:
    """Milliseconds below which `share` of what was counted lies, interpolated in its bucket on a logarithmic scale.

    None where nothing was counted.
    """
    total = sum(counts)
    if total == 0:
        return None
    wanted = share * total
    edges = (1, *upper_ends, upper_ends[-1] * 2)
    passed = 0
    for count, (low, high) in zip(counts, itertools.pairwise(edges), strict=True):
        if count and passed + count >= wanted:
            inside = (wanted - passed) / count
            return float(low * (high / low) ** inside)
        passed += count
    return float(edges[-1])
