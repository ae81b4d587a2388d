"""What many calls come to, and by what they can be summed."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import astuple

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Dimension(StrEnum):
    """What calls can be told apart by. The subject of a provider key is its own id, that of a model its code."""

    USER = "user"
    API_KEY = "api_key"
    MODEL = "model"
    PROVIDER = "provider"
    PROVIDER_KEY = "provider_key"


TOTAL = "total"
"""Stands where calls are not told apart."""

SINGLES: tuple[str, ...] = (TOTAL, *Dimension)
PAIRS: tuple[tuple[str, str], ...] = tuple(itertools.combinations(Dimension, 2))
HAS_PAIRS = "pairs"
"""In the place of a dimension: says that the hour has sums by two dimensions, too."""
MINUTES = ("minute", "model")
"""Of the latest hours: the minute of the hour in two digits, and the model."""
HAS_MINUTES = "minutes"
"""In the place of a dimension: says that the hour has sums by minute, and attempts by minute, too."""


class Sums(msgspec.Struct, frozen=True, gc=False):
    """`failed` are all that failed, `denied` those of them that the gateway refused without asking a provider.

    `unpriced` used tokens that have no price; costs, in nano-dollars, are of the others. `input_tokens` are without
    those of a cache.
    """

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    denied: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano: int = 0
    actual_nano: int = 0

    @property
    def read_tokens(self) -> int:
        """What models read, from the request or a cache."""
        return self.input_tokens + self.cache_read_tokens + self.cache_creation_tokens

    @property
    def tokens(self) -> int:
        return self.read_tokens + self.output_tokens


def whole(since: int, step_ms: int) -> int:
    """The first hour, day or other step that begins then or later: a span from there on has sums."""
    return -(-since // step_ms) * step_ms


def total(sums: Iterable[Sums]) -> Sums:
    columns = zip(astuple(Sums()), *map(astuple, sums), strict=True)
    return Sums(*map(sum, columns))


def less(sums: Sums, part: Sums) -> Sums:
    """Of `sums` what is not in `part`."""
    return Sums(*map(operator.sub, astuple(sums), astuple(part)))
