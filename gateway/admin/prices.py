"""What each model costs at each provider: the list, models that were used without a price, and overriding one."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from gateway.admin.model_forms import mapping_values
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.admin.wording import exact
from gateway.control import mappings, price_list, price_overrides
from gateway.control.price_list import Effective, TierListed
from gateway.control.prices import PRICES, TIERS
from gateway.errors import InvalidFields, Stale
from gateway.model.registry import ModelMapping, PriceTable
from gateway.money import exact_dollars

PER_PAGE = 100
_LAST_PAGE = 10_000
_FIELDS = frozenset({*PRICES, TIERS})


class PriceLine(msgspec.Struct, frozen=True):
    """One tier in words: for which calls (empty for all), tokens in and out, and what goes from and to a cache."""

    bound: str
    tokens: str
    cached: str


class PriceRow(msgspec.Struct, frozen=True):
    """A model at a provider. Without `lines` it is unpriced; `fee` is empty where there is none."""

    of: Effective
    lines: tuple[PriceLine, ...]
    fee: str
    origin: str


@signed_in("prices")
async def show_list(site: Site, visit: Visit) -> Response:
    wanted = visit.request.query_params.get("edit", "")
    if wanted:
        mapping = await mappings.get(site.desk, wanted)
        return await _page(site, visit, mapping.id, FormView(_values(mapping), shown=_FIELDS))
    return await _page(site, visit)


@signed_in("prices")
async def save(site: Site, visit: Visit) -> Response:
    mapping = await mappings.get(site.desk, _mapping_id(visit))
    typed = {name: value for name, value in visit.form.items() if name in _FIELDS | {"version"}}
    try:
        await price_overrides.put(site.desk, visit.actor, mapping.id, typed, text=True)
    except InvalidFields as error:
        form = FormView({**_values(mapping), **typed}, error.fields, _FIELDS)
        return await _page(site, visit, mapping.id, form, 422)
    except Stale as error:
        assert isinstance(error.current, ModelMapping)
        return await _page(site, visit, mapping.id, beside(typed, _values(error.current), _FIELDS), 409)
    return site.go("/admin/prices", "price_saved")


@signed_in("prices")
async def clear(site: Site, visit: Visit) -> Response:
    await price_overrides.clear(site.desk, visit.actor, _mapping_id(visit))
    return site.go("/admin/prices", "price_cleared")


def row_of(one: Effective) -> PriceRow:
    if one.table is None:
        return PriceRow(one, (), "", "")
    fee = one.table.base.per_request
    return PriceRow(one, lines_of(one.table), f"${exact_dollars(fee)} a request" if fee else "", one.table.origin)


def lines_of(table: PriceTable) -> tuple[PriceLine, ...]:
    """Dollars per million tokens, a line each tier."""
    tiers = price_list.tiers_listed(table)
    starts = (0, *(tier.above for tier in table.tiers))
    return tuple(_line(tier, start) for tier, start in zip(tiers, starts, strict=True))


def _line(tier: TierListed, start: int) -> PriceLine:
    if tier.up_to is not None:
        bound = f"up to {exact(tier.up_to)} tokens"
    else:
        bound = f"above {exact(start)} tokens" if start else ""
    cached = f"cache: ${tier.cache_read} read, ${tier.cache_creation} written"
    if tier.cache_creation_1h != tier.cache_creation:
        cached += f", ${tier.cache_creation_1h} for an hour"
    is_plain = {tier.cache_read, tier.cache_creation, tier.cache_creation_1h} == {tier.input}
    return PriceLine(bound, f"${tier.input} in, ${tier.output} out", "" if is_plain else cached)


async def _page(site: Site, visit: Visit, edited: str = "", form: FormView = FormView(), status: int = 200) -> Response:
    """The list, with the form of one row open where one is edited."""
    query = visit.request.query_params
    text, snapshot = query.get("q", "").strip()[:200], site.desk.snapshot()
    found = price_list.effective(snapshot, text)
    number = _page_number(query.get("page", ""), len(found))
    shown = [one for one in found if one.mapping.id == edited] or found[(number - 1) * PER_PAGE : number * PER_PAGE]
    return site.page(
        visit,
        "prices/list.html",
        status,
        rows=[row_of(one) for one in shown],
        total=len(found),
        text=text,
        edited=edited,
        form=form,
        unpriced=await price_list.unpriced(site.desk),
        catalogue=snapshot.registry.catalogue,
        before=_address(site, text, number - 1) if number > 1 and not edited else None,
        after=_address(site, text, number + 1) if number * PER_PAGE < len(found) and not edited else None,
    )


def _values(mapping: ModelMapping) -> dict[str, str]:
    return {name: value for name, value in mapping_values(mapping).items() if name in _FIELDS | {"version"}}


def _mapping_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _page_number(given: str, rows: int) -> int:
    number = int(given) if given.isdecimal() and len(given) <= len(str(_LAST_PAGE)) else 1
    return max(1, min(number, -(-rows // PER_PAGE)))


def _address(site: Site, text: str, number: int) -> str:
    return f"{site.root}/admin/prices?{urlencode({**({'q': text} if text else {}), 'page': number})}"
