"""What was seen: one cell for each client, upstream and case, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """`why` is empty where the client got what it should; `is_absent` where it could not be asked at all."""

    client: str
    upstream: str
    case: str
    why: str = ""
    is_absent: bool = False

    @property
    def mark(self) -> str:
        if self.is_absent:
            return f"{self.case}: not run"
        return self.case if not self.why else f"**{self.case} fails**"


def cells_of(rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    return [Cell(row["client"], row["upstream"], row["case"], row.get("why") or "") for row in rows]


def table(cells: Sequence[Cell], upstreams: Sequence[str]) -> str:
    """Markdown: a row for each client, a column for each upstream format, in it the cases that hold."""
    lines = [f"| client | {' | '.join(upstreams)} |", "| --- |" + " --- |" * len(upstreams)]
    for client in dict.fromkeys(cell.client for cell in cells):
        marks = [
            ", ".join(cell.mark for cell in cells if (cell.client, cell.upstream) == (client, upstream))
            for upstream in upstreams
        ]
        lines.append(f"| {client} | {' | '.join(mark or '–' for mark in marks)} |")
    return "\n".join(lines)


def failures(cells: Iterable[Cell]) -> list[str]:
    return [f"{cell.client} → {cell.upstream}, {cell.case}: {cell.why}" for cell in cells if cell.why]
