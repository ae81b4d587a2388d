"""Public models: the list with its figures, and making one."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from gateway.admin.model_forms import CHECK_LOOKS, FIELDS, LOOKS, price_words
from gateway.admin.pools import look_of, loudness
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import model_list, model_summary, models, price_list
from gateway.control.model_list import ModelRow, ModelTarget
from gateway.control.model_summary import ModelsSummary
from gateway.errors import InvalidFields
from gateway.model.registry import ModelStatus, PriceTable

PER_PAGE = 50
_MOST_CHIPS = 4
_NEW_FIELDS = frozenset({"code", "display_name", "description"})
_LAST_PAGE = 10_000


class Chip(msgspec.Struct, frozen=True):
    """A target as a small label: `look` is good, warn, bad or empty for its state, which `title` says in words."""

    name: str
    backend_id: str
    look: str
    title: str


class Tier(msgspec.Struct, frozen=True):
    """`more` are targets that have no chip."""

    pool: str
    chips: tuple[Chip, ...]
    more: int


class Row(msgspec.Struct, frozen=True):
    """A model as the list shows it."""

    of: ModelRow
    look: str
    tiers: tuple[Tier, ...]
    price: str


class Card(msgspec.Struct, frozen=True):
    """A figure. `path` is where it is told more of, empty for nowhere; `title` more of it when pointed at."""

    name: str
    value: str
    note: str
    path: str = ""
    title: str = ""


@signed_in("models")
async def show_list(site: Site, visit: Visit) -> Response:
    query = visit.request.query_params
    values = {name: query[name].strip()[:200] for name in ("q", "status") if query.get(name, "").strip()}
    try:
        form, wanted = FormView(values), model_list.parse_filter(values)
    except InvalidFields as error:
        form, wanted = FormView(values, error.fields), None
    found = () if wanted is None else await model_list.search(site.desk, wanted)
    number = _page_number(query.get("page", ""), len(found))
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    return site.page(
        visit,
        "models/list.html",
        422 if form.faults else 200,
        form=form,
        filtered=bool(values),
        total=len(found),
        rows=[
            row_of(row, price_list.of_model(site.desk.snapshot(), row.model))
            for row in await model_list.rows(site.desk, shown)
        ],
        statuses=[(status.value, status.value.capitalize()) for status in ModelStatus],
        check_looks=CHECK_LOOKS,
        cards=_cards(await model_summary.summary(site.desk)),
        before=_address(site, values, number - 1) if number > 1 else None,
        after=_address(site, values, number + 1) if number * PER_PAGE < len(found) else None,
    )


@signed_in("models")
async def show_new(site: Site, visit: Visit) -> Response:
    return site.page(visit, "models/new.html", form=FormView(shown=_NEW_FIELDS))


@signed_in("models")
async def create(site: Site, visit: Visit) -> Response:
    given = {name: value for name, value in visit.form.items() if name in FIELDS}
    try:
        made = await models.create(site.desk, visit.actor, given, text=True)
    except InvalidFields as error:
        form = FormView(given, error.fields, _NEW_FIELDS)
        return site.page(visit, "models/new.html", 422, form=form)
    return site.go(f"/admin/models/{made.id}", "model_made")


def row_of(row: ModelRow, price: PriceTable | None) -> Row:
    tiers = tuple(
        Tier(tier.pool, tuple(chips[:_MOST_CHIPS]), max(0, len(chips) - _MOST_CHIPS))
        for tier in row.tiers
        for chips in [_chips(tier.targets)]
    )
    return Row(row, LOOKS[row.model.status], tiers, price_words(price))


def _chips(targets: Sequence[ModelTarget]) -> list[Chip]:
    """One for each key, whose backends for several API formats are told together by the loudest."""
    by_key: dict[str, list[ModelTarget]] = {}
    for target in targets:
        by_key.setdefault(target.backend.key_id, []).append(target)
    return [_chip(alike) for alike in by_key.values()]


def _chip(alike: Sequence[ModelTarget]) -> Chip:
    loudest = min(alike, key=lambda target: loudness(target.backend))
    backend = loudest.backend
    look, state = look_of(backend.status)
    where = f"{state} ({backend.api_format})" if len(alike) > 1 and look in ("bad", "warn") else state
    return Chip(backend.name, backend.id, look, f"{backend.name}: {where}; asked for {loudest.upstream_name}")


def _cards(found: ModelsSummary) -> Sequence[Card]:
    others = [
        f"{number} {status.lower()}" for status, number in found.statuses.items() if number and status != "ENABLED"
    ]
    states = ", ".join(others) or "no others"
    rules = [f"{number} {route_type.lower()}" for route_type, number in found.rules.items() if number]
    requests = sum(use.requests for use in found.uses)
    failed = requests - sum(use.successes for use in found.uses)
    elsewhere = sum(use.requests for use in found.uses if use.is_reported)
    return (
        Card("Enabled", str(found.statuses["ENABLED"]), states, "/admin/models?status=ENABLED"),
        Card("Route rules", str(found.rules_total), ", ".join(rules) or "none yet", "/admin/route-rules"),
        Card(
            "Not seen healthy",
            str(len(found.unhealthy)),
            "enabled, by the newest check",
            title=", ".join(found.unhealthy[:30]),
        ),
        Card("Requests in 7 days", f"{requests:,}", f"{failed:,} failed, {elsewhere:,} from elsewhere"),
        Card("Tests in 7 days", str(found.passed + found.failed), f"{found.passed} passed, {found.failed} failed"),
    )


def _page_number(text: str, total: int) -> int:
    """From 1 to the last page that has a row."""
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return max(1, min(wanted, -(-total // PER_PAGE) or 1, _LAST_PAGE))


def _address(site: Site, values: dict[str, str], number: int) -> str:
    return f"{site.root}/admin/models?{urlencode({**values, 'page': number})}"
