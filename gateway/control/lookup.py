"""Find the row that an operator means, or say that there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from gateway.errors import InvalidFields, NotFound


class Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


Row = TypeVar("Row")
NamedRow = TypeVar("NamedRow", bound=Named)


def require(row: Row | None, noun: str) -> Row:
    """Raises NotFound."""
    if row is None:
        raise NotFound(f"There is no such {noun}.")
    return row


def chosen(rows: Iterable[NamedRow], wanted: str, field: str, noun: str) -> NamedRow:
    """The row with this id or name. Raises InvalidFields naming the ones there are."""
    found = list(rows)
    for row in found:
        if wanted in (row.id, row.name):
            return row
    names = ", ".join(row.name for row in found[:10]) or "none yet"
    raise InvalidFields({field: f"names no {noun}; there are: {names}"})


def require_free_name(rows: Iterable[Named], name: str, own_id: str, field: str = "name") -> None:
    """Raises InvalidFields where another row than `own_id` has the name."""
    if any(row.name == name and row.id != own_id for row in rows):
        raise InvalidFields({field: f"is taken: there is already {name}"})
