"""Two people editing one thing: a change names the version it was made from, and a later one is not lost."""

from __future__ import annotations

from typing import Protocol

from gateway.control.fields import Field, Kind, Table, Values
from gateway.errors import Stale

VERSION = Field(
    "version",
    Kind.INT,
    "The version that you edited. Where another change came first, the answer is 409 with what is there now.",
    nullable=True,
    least=1,
    most=2**31,
)


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


def together(*parts: Versioned) -> int:
    """The version of what is made of `parts`: a change of any of them makes it greater."""
    return sum(part.version for part in parts)


def editable(table: Table) -> Table:
    """What a change may hold: the table's fields, and the version it was made from."""
    return (*table, VERSION)


def require_current(before: Versioned, values: Values, noun: str) -> None:
    """Take `version` out of `values`. Raises Stale with the row that is there where it is another one."""
    edited = values.pop("version", None)
    if edited is not None and edited != before.version:
        raise Stale(
            f"This {noun} was changed meanwhile: it is at version {before.version}, you edited version {edited}. "
            "Look at what is there now and send your change again.",
            before,
        )
