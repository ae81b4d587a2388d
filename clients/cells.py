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
    def mark(self) -> str:
        return self.case if not self.why else f"**{self.case} fails**"


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
    return [f"{cell.client} → {cell.upstream}, {cell.case}: {cell.why}" for cell in cells if cell.why]
