"""The five operations that every noun has: list, create, get, patch, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.versions import VERSION
from gateway.errors import Stale
from gateway.model.people import Actor

Row = TypeVar("Row")

PAGING: Table = (
    Field("limit", Kind.INT, "At most so many.", default=1000, least=1, most=10_000),
    Field("offset", Kind.INT, "Leave out so many at the beginning.", default=0, least=0, most=1_000_000),
)


class Items(msgspec.Struct, frozen=True):
    """A list, and how many there are in all."""

    items: tuple[object, ...]
    total: int


class Collection(msgspec.Struct, Generic[Row], frozen=True):
    """A noun's control functions, and how its rows are shown. `made` is shown by the answer to a creation."""

    noun: str
    path: str
    table: Table
    answer: type
    listing: Callable[[Desk], Awaitable[Sequence[Row]]]
    get: Callable[[Desk, str], Awaitable[Row]]
    create: Callable[[Desk, Actor, Mapping[str, object]], Awaitable[Any]]
    update: Callable[[Desk, Actor, str, Mapping[str, object]], Awaitable[Row]]
    delete: Callable[[Desk, Actor, str], Awaitable[None]]
    shown: Callable[[Desk, Row], object]
    made: type | None = None


def as_is(desk: Desk, row: Row) -> Row:
    """For rows that have nothing to hide."""
    return row


def operations(of: Collection[Row]) -> tuple[Operation, ...]:
    @policy("token")
    async def listing(visit: Visit) -> object:
        paging = read(PAGING, visit.query, partial=False, text=True)
        rows = await of.listing(visit.desk)
        chosen = rows[paging["offset"] : paging["offset"] + paging["limit"]]
        return Items(tuple(of.shown(visit.desk, row) for row in chosen), len(rows))

    @policy("token")
    async def create(visit: Visit) -> object:
        made = await of.create(visit.desk, visit.actor, visit.body)
        return made if of.made else of.shown(visit.desk, made)

    @policy("token")
    async def get(visit: Visit) -> object:
        return of.shown(visit.desk, await of.get(visit.desk, visit.path["id"]))

    @policy("token")
    async def update(visit: Visit) -> object:
        try:
            return of.shown(visit.desk, await of.update(visit.desk, visit.actor, visit.path["id"], visit.body))
        except Stale as error:
            error.shown = of.shown(visit.desk, cast(Row, error.current))
            raise

    @policy("token")
    async def delete(visit: Visit) -> object:
        await of.delete(visit.desk, visit.actor, visit.path["id"])
        return None

    many, one = f"{PREFIX}{of.path}", f"{PREFIX}{of.path}/{{id}}"
    name = of.noun.replace(" ", "_").lower()
    an = "an" if of.noun[0] in "aeA" else "a"
    changes = (*(field for field in of.table if not field.fixed), VERSION)
    return (
        Operation("GET", many, f"list_{name}s", f"Every {of.noun}.", listing, of.answer, query=PAGING, is_list=True),
        Operation("POST", many, f"create_{name}", f"Make {an} {of.noun}.", create, of.made or of.answer, 201, of.table),
        Operation("GET", one, f"get_{name}", f"One {of.noun}.", get, of.answer),
        Operation(
            "PATCH", one, f"update_{name}", "Change what is sent.", update, of.answer, 200, changes, partial=True
        ),
        Operation("DELETE", one, f"delete_{name}", f"Delete {an} {of.noun}.", delete, None, 204),
    )
