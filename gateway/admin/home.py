"""The home of somebody who signs in: what is the person's own, and nothing else."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from gateway.admin import charts, money_bars
from gateway.admin.announcements import unread_cards
from gateway.admin.audit import line_of
from gateway.admin.charts import AreaChart
from gateway.admin.keys import state_of
from gateway.admin.money_bars import MoneyBar
from gateway.admin.site import Site, for_anybody
from gateway.admin.visits import Visit
from gateway.admin.wording import day
from gateway.control import budget_view, homes
from gateway.control.homes import Usage
from gateway.model.people import ApiKey
from gateway.model.sums import Sums
from gateway.money import format_dollars

PER_PAGE = 50


class OwnKey(msgspec.Struct, frozen=True):
    """`state` is active, locked, disabled or expired; `used` of the last 30 days."""

    key: ApiKey
    state: str
    used: Sums
    bars: tuple[MoneyBar, ...]


@for_anybody("home")
async def show(site: Site, visit: Visit) -> Response:
    user, _ = visit.signed_in
    used = await homes.usage(site.desk, user)
    money = budget_view.of_user(site.desk, user)
    return site.page(
        visit,
        "home/page.html",
        announcements=await unread_cards(site, visit),
        rows=await own_keys(site, visit, used),
        used=used,
        chart=_chart(used),
        charted="Cost" if used.total.cost_nano else "Requests",
        money=money,
        bars=money_bars.bars(money),
        states=homes.status(site.desk, user),
        models=homes.catalogue(site.desk, user),
    )


@for_anybody("home-models")
async def models(site: Site, visit: Visit) -> Response:
    return site.page(visit, "home/models.html", offers=homes.catalogue(site.desk, visit.signed_in[0]))


@for_anybody("home-status")
async def status(site: Site, visit: Visit) -> Response:
    return site.page(visit, "home/status.html", states=homes.status(site.desk, visit.signed_in[0]))


@for_anybody("home-audit")
async def audit(site: Site, visit: Visit) -> Response:
    asked = visit.request.query_params.get("before", "")
    before = int(asked) if asked.isdecimal() and len(asked) < 16 else None
    page = await homes.audit(site.desk, visit.signed_in[0], before, PER_PAGE)
    older = urlencode({"before": page.next_before}) if page.next_before else ""
    return site.page(
        visit,
        "home/audit.html",
        # Pages of what was changed are for administrators.
        lines=[line_of(row, linked=False) for row in page.items],
        older=f"{site.root}/home/audit?{older}" if older else None,
        newest=f"{site.root}/home/audit" if before else None,
    )


async def own_keys(site: Site, visit: Visit, used: Usage) -> list[OwnKey]:
    now = site.desk.clock.wall_ms()
    return [
        OwnKey(
            key,
            state_of(key, now),
            used.by_key.get(key.id, Sums()),
            money_bars.bars(budget_view.of_key(site.desk, key)),
        )
        for key in await homes.keys(site.desk, visit.signed_in[0])
    ]


def _chart(used: Usage) -> AreaChart:
    """What each day cost; where all was free, how many requests it had."""
    labels = [day(one.at) for one in used.days]
    if used.total.cost_nano:
        costs = charts.Series("cost", [one.sums.cost_nano for one in used.days])
        return charts.stacked_area([costs], labels, "", lambda nano: format_dollars(round(nano)))
    return charts.stacked_area(
        [charts.Series("requests", [one.sums.requests for one in used.days])], labels, "requests"
    )
