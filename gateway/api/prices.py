"""`/api/admin/prices`: what each model costs at each provider. Prices are exact decimal strings in dollars."""

from __future__ import annotations

import msgspec

from gateway.api.collection import PAGING, Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import catalogue, price_list, price_overrides
from gateway.control.catalogue import Taken
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, read
from gateway.control.price_list import PriceListed
from gateway.control.versions import VERSION
from gateway.errors import NotFound

_FILTER = (Field("q", Kind.TEXT, "Inside the name of a model or provider.", default="", most=200),)
_CATALOGUE = (
    Field("date", Kind.TEXT, "When it was made, such as 2026-11-20.", required=True),
    Field("version", Kind.TEXT, "Of its source; only a later one is taken.", required=True),
    Field("source", Kind.TEXT, "Where the prices come from.", required=True),
    Field("licence", Kind.TEXT, "Under which licence.", required=True),
    Field("providers", Kind.OBJECT, "Listings by provider, as `make prices` writes them.", required=True),
)


class UnpricedShown(msgspec.Struct, frozen=True):
    """A model that was used in the last seven days without a price; `mappings` are its ways that have none now."""

    model: str
    calls: int
    mappings: tuple[PriceListed, ...]


@policy("token")
async def _list(visit: Visit) -> object:
    values = read((*_FILTER, *PAGING), visit.query, partial=False, text=True)
    found = price_list.effective(visit.desk.snapshot(), values["q"])
    chosen = found[values["offset"] : values["offset"] + values["limit"]]
    return Items(tuple(price_list.listed(one) for one in chosen), len(found))


@policy("token")
async def _unpriced(visit: Visit) -> object:
    found = await price_list.unpriced(visit.desk)
    return Items(
        tuple(UnpricedShown(one.model, one.calls, tuple(map(price_list.listed, one.served))) for one in found),
        len(found),
    )


@policy("token")
async def _get(visit: Visit) -> object:
    return _shown(visit.desk, visit.path["id"])


@policy("token")
async def _put(visit: Visit) -> object:
    after = await price_overrides.put(visit.desk, visit.actor, visit.path["id"], visit.body)
    return _shown(visit.desk, after.id)


@policy("token")
async def _clear(visit: Visit) -> object:
    await price_overrides.clear(visit.desk, visit.actor, visit.path["id"])
    return None


@policy("token")
async def _sync(visit: Visit) -> object:
    return await catalogue.take(visit.desk, visit.actor, msgspec.json.encode(visit.body))


def _shown(desk: Desk, mapping_id: str) -> PriceListed:
    for one in price_list.effective(desk.snapshot()):
        if one.mapping.id == mapping_id:
            return price_list.listed(one)
    raise NotFound("There is no such mapping.")


_MANY, _ONE = f"{PREFIX}/prices", f"{PREFIX}/prices/{{id}}"
OPERATIONS = (
    Operation(
        "GET",
        _MANY,
        "list_prices",
        "What each model costs at each provider, and whose word that is.",
        _list,
        PriceListed,
        query=(*_FILTER, *PAGING),
        is_list=True,
    ),
    Operation(
        "GET",
        f"{_MANY}/unpriced",
        "list_unpriced",
        "Models that were used in the last seven days without a price, the most used first.",
        _unpriced,
        UnpricedShown,
        is_list=True,
    ),
    Operation(
        "POST",
        f"{_MANY}/sync",
        "sync_prices",
        "Take a catalogue of list prices where it is newer than the one in force.",
        _sync,
        Taken,
        request=_CATALOGUE,
    ),
    Operation("GET", _ONE, "get_price", "What a model costs at a provider, by the mapping's id.", _get, PriceListed),
    Operation(
        "PUT",
        _ONE,
        "put_price",
        "Override a price at one provider; what is left out is as it would be otherwise.",
        _put,
        PriceListed,
        request=(*price_overrides.FIELDS, VERSION),
        partial=True,
    ),
    Operation("DELETE", _ONE, "delete_price", "Override nothing of a price any more.", _clear, None, 204),
)
"""In the order in which paths are matched."""
