"""Experiments with calls and streams: every target gets the same load in turn, round after round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.targets import TRANSLATED, Target

Row = dict[str, Any]
"""One target's figures of one load in one round, with `experiment`, `case`, `round` and `target`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A load by its name; `members` are those of a Load."""

    name: str
    members: dict[str, Any]


WHOLE = (
    Case("1", {"connections": 1, "requests": 1200}),
    Case("16", {"connections": 16, "requests": 4800}),
    Case("256", {"connections": 256, "requests": 5120}),
)
STREAM = (
    Case("1 quick", {"connections": 1, "requests": 30, "is_stream": True, "pace": 1000}),
    Case("16 flat out", {"connections": 16, "requests": 320, "is_stream": True}),
    Case("50 paced", {"connections": 50, "requests": 50, "is_stream": True, "pace": 20}),
)
TRANSLATION = (
    Case("flat out", {"connections": 16, "requests": 240, "is_stream": True}),
    Case("paced", {"connections": 50, "requests": 50, "is_stream": True, "pace": 20}),
)


_WARM = {False: 1500, True: 150}
"""Requests before the first round, of whole answers and of streams."""


def whole(targets: Sequence[Target], rounds: int) -> Iterator[Row]:
    yield from in_turns("whole", WHOLE, targets, rounds)


def stream(targets: Sequence[Target], rounds: int) -> Iterator[Row]:
    yield from in_turns("stream", STREAM, targets, rounds)


def translated(targets: Sequence[Target], rounds: int) -> Iterator[Row]:
    """A stream passed through, and one for which the gateway translates what a provider of messages sends."""
    passing = next(target for target in targets if target.name == "gateway")
    both = (replace(passing, name="passed"), replace(passing, name="translated", model=TRANSLATED))
    yield from in_turns("translated", TRANSLATION, both, rounds)


def in_turns(experiment: str, cases: Sequence[Case], targets: Sequence[Target], rounds: int) -> Iterator[Row]:
    """Who begins goes round too, so that nobody always follows the same one.

    What goes before the first round is not counted: programs that compile themselves as they run need it.
    """
    for case in cases:
        for target in targets:
            target.load(**{**case.members, "requests": _WARM[case.members.get("is_stream", False)], "pace": 0})
        for number in range(rounds):
            first = number % len(targets)
            for target in (*targets[first:], *targets[:first]):
                yield {
                    "experiment": experiment,
                    "case": case.name,
                    "round": number,
                    **target.load(**case.members),
                }
