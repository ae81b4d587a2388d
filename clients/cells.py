"""What was seen: one cell for each client, upstream and case, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """`why` is empty where the client got what it should."""

    client: str
    upstream: str
    case: str
    why: str = ""

    @property
    def is_known(self) -> bool:
        """A limit that is known, and still there."""
        word = LIMITS.get((self.client, self.upstream, self.case))
        return word is not None and word in self.why

    @property
    def fault(self) -> str:
        if (self.client, self.upstream, self.case) in LIMITS and not self.why:
            return "this holds now: it is no limit any more"
        return "" if self.is_known else self.why

    @property
    def mark(self) -> str:
        if self.is_known:
            return f"*not: {self.case}*"
        return self.case if not self.why else f"**{self.case} fails**"


LIMITS = {
    ("ai + @ai-sdk/openai, responses", upstream, "next turn"): "item_reference"
    for upstream in ("chat", "messages", "gemini")
}
"""What is known not to work, with a word of the answer: the SDK refers to texts that it takes for kept."""


def cells_of(client: str, rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """Out of the lines that a program printed."""
    return [Cell(client, row["upstream"], row["case"], row["why"]) for row in rows]


def table(cells: Sequence[Cell], columns: Sequence[str]) -> str:
    """Markdown: a row for each client, a column for each upstream format where there is any, in it the cases."""
    upstreams = [column for column in columns if any(cell.upstream == column for cell in cells)]
    lines = [f"| client | {' | '.join(upstreams)} |", "| --- |" + " --- |" * len(upstreams)]
    for client in dict.fromkeys(cell.client for cell in cells):
        marks = [
            ", ".join(dict.fromkeys(cell.mark for cell in cells if (cell.client, cell.upstream) == (client, upstream)))
            for upstream in upstreams
        ]
        lines.append(f"| {client} | {' | '.join(mark or '–' for mark in marks)} |")
    return "\n".join(lines)


def failures(cells: Iterable[Cell]) -> list[str]:
    return [f"{cell.client} → {cell.upstream}, {cell.case}: {cell.fault}" for cell in cells if cell.fault]
