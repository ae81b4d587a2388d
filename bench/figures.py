"""Figures of a run from its rounds: medians with their spread, and ratios of what was measured in the same round."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.calls import Row
from bench.upstream import CHUNKS

Figure = Callable[[Row], float]


@dataclass(frozen=True, slots=True)
class Stat:
    """The middle of some rounds, and the least and the most of them."""

    middle: float
    least: float
    most: float

    @staticmethod
    def of(found: list[float]) -> Stat | None:
        return Stat(median(found), min(found), max(found)) if found else None


def named(name: str) -> Figure:
    """A member of a row, or `name.percent` of one with quantiles."""
    head, _, percent = name.partition(".")
    return lambda row: float(row[head][percent] if percent else row[head])


class Results:
    """What `python -m bench` wrote: `facts`, who was `missing` and why, and `rows`."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.facts: dict[str, Any] = content["facts"]
        self.missing: dict[str, str] = content["missing"]
        self.rows: list[Row] = content["rows"]

    @classmethod
    def read(cls, path: Path) -> Results:
        return cls(json.loads(path.read_text("utf-8")))

    def has(self, experiment: str) -> bool:
        return any(row["experiment"] == experiment for row in self.rows)

    def targets(self, experiment: str) -> list[str]:
        return list(dict.fromkeys(row["target"] for row in self.rows if row["experiment"] == experiment))

    def errors(self, experiment: str, case: str, target: str) -> int:
        return sum(row.get("errors", 0) for row in self._of(experiment, case, target))

    def each(self, experiment: str, case: str, target: str, figure: str) -> dict[int, float]:
        """By the round; rounds in which nothing was answered are left out."""
        one = named(figure)
        return {row["round"]: one(row) for row in self._of(experiment, case, target) if row.get("requests", 1)}

    def stat(self, experiment: str, case: str, target: str, figure: str) -> Stat | None:
        return Stat.of(list(self.each(experiment, case, target, figure).values()))

    def ratio(self, experiment: str, case: str, target: str, beside: str, figure: str = "cpu_us") -> Stat | None:
        mine, theirs = self.each(experiment, case, target, figure), self.each(experiment, case, beside, figure)
        return Stat.of([mine[number] / theirs[number] for number in mine if theirs.get(number)])

    def ratio_of_cases(self, experiment: str, case: str, beside: str, target: str, figure: str) -> Stat | None:
        mine, theirs = self.each(experiment, case, target, figure), self.each(experiment, beside, target, figure)
        return Stat.of([mine[number] / theirs[number] for number in mine if theirs.get(number)])

    def most(self, experiment: str, target: str, figure: str) -> float | None:
        """In any case and round."""
        one = named(figure)
        found = [one(row) for row in self.rows if (row["experiment"], row["target"]) == (experiment, target)]
        return max(found, default=None)

    def added(self, experiment: str, case: str, target: str, figure: str) -> Stat | None:
        """To the same load sent directly."""
        mine, directly = self.each(experiment, case, target, figure), self.each(experiment, case, "direct", figure)
        return Stat.of([mine[number] - directly[number] for number in mine if number in directly])

    def chunk_us(self, experiment: str, case: str, target: str, whole: str = "") -> Stat | None:
        """CPU of a chunk: that of a stream less that of a whole answer, over the chunks of a stream."""
        call = self.stat("whole", "16", whole or target, "cpu_us")
        streams = self.each(experiment, case, target, "cpu_us").values()
        less = call.middle if call else 0.0
        return Stat.of([max(0.0, one - less) / CHUNKS for one in streams])

    def _of(self, experiment: str, case: str, target: str) -> Iterator[Row]:
        for row in self.rows:
            if (row["experiment"], row["case"], row["target"]) == (experiment, case, target):
                yield row


def quotient(one: Stat | None, other: Stat | None) -> float | None:
    return one.middle / other.middle if one and other and other.middle > 0 else None
