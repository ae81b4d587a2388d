"""One pool: how its backends are ordered and why, its settings, adding one and deleting it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from gateway.admin.field_forms import FormPlan
from gateway.admin.pools import pool_cards, several
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import pool_order, pools
from gateway.errors import Conflict, InvalidFields, Stale
from gateway.model.registry import ApiFormat, Pool, Strategy, Translated

STRATEGIES: Mapping[Strategy, tuple[str, str]] = MappingProxyType(
    {
        Strategy.PRIORITY: ("Priority", "The provider's priority, then the key's; equals are spread over callers."),
        Strategy.GLOBAL_PRIORITY: ("Global priority", "One order of all keys of an API format, across providers."),
        Strategy.WEIGHTED: ("Weighted", "By chance, each as often as its weight says."),
        Strategy.ROUND_ROBIN: ("Round robin", "Each in turn, call after call."),
        Strategy.LEAST_BUSY: ("Least busy", "The fewest calls in flight for its weight first."),
        Strategy.LOWEST_LATENCY: ("Lowest latency", "The shortest recent wait for the first output first."),
        Strategy.LOWEST_COST: ("Lowest cost", "The cheapest for a call of this size first; unpriced ones last."),
    }
)
SETTINGS = FormPlan(
    pools.FIELDS,
    MappingProxyType(
        {
            "Which and when": ("name", "tier", "translated"),
            "Attempts": ("max_attempts", "wait_seconds"),
            "Rest after a 429 that names no time": (
                "cooldown_base_seconds",
                "cooldown_factor",
                "cooldown_cap_seconds",
                "cooldown_jitter",
            ),
        }
    ),
    MappingProxyType(
        {
            "translated": "Backends of another API format",
            "max_attempts": "Attempts of one call",
            "wait_seconds": "Longest wait",
            "cooldown_base_seconds": "First rest",
            "cooldown_factor": "Growth",
            "cooldown_cap_seconds": "Longest rest",
            "cooldown_jitter": "Variation",
        }
    ),
    MappingProxyType(
        {
            "tier": "Lower is tried first.",
            "translated": "They serve a call by translation, which may leave something out.",
            "wait_seconds": "Seconds, when every backend rests.",
            "cooldown_base_seconds": "Seconds.",
            "cooldown_factor": "How much longer each next rest is.",
            "cooldown_cap_seconds": "Seconds.",
            "cooldown_jitter": "Share by which a rest varies, 0.2 is ±20 %.",
        }
    ),
)
TRANSLATED = (
    (Translated.LAST.value, "last, after all that need no translation"),
    (Translated.EQUAL.value, "equal to the others"),
    (Translated.NEVER.value, "never"),
)
_OPTIONS = MappingProxyType({"translated": TRANSLATED})
_NAMES = SETTINGS.names | {"strategy"}
_SHOWN = SETTINGS.shown | {"strategy"}


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    pool = await pools.get(site.desk, _id(visit))
    return await _page(site, visit, pool, FormView(_values(pool), shown=_SHOWN))


@signed_in("providers")
async def save(site: Site, visit: Visit) -> Response:
    pool = await pools.get(site.desk, _id(visit))
    typed = {name: value for name, value in visit.form.items() if name in _NAMES}
    try:
        await pools.update(site.desk, visit.actor, pool.id, typed, text=True)
    except InvalidFields as error:
        return await _page(site, visit, pool, FormView({**_values(pool), **typed}, error.fields, _SHOWN), 422)
    except Stale as error:
        assert isinstance(error.current, Pool)
        return await _page(site, visit, error.current, beside(typed, _values(error.current), _SHOWN), 409)
    return site.go(f"/admin/pools/{pool.id}", "pool_saved")


@signed_in("providers")
async def show_new(site: Site, visit: Visit) -> Response:
    begun = {field.name: str(field.default).removesuffix(".0") for field in pools.FIELDS if field.default is not None}
    return _new_page(site, visit, FormView(begun, shown=_SHOWN))


@signed_in("providers")
async def create(site: Site, visit: Visit) -> Response:
    typed = {name: value for name, value in visit.form.items() if name in _SHOWN}
    try:
        made = await pools.create(site.desk, visit.actor, typed, text=True)
    except InvalidFields as error:
        return _new_page(site, visit, FormView(typed, error.fields, _SHOWN), 422)
    return site.go(f"/admin/pools/{made.id}", "pool_made")


@signed_in("providers")
async def ask_delete(site: Site, visit: Visit) -> Response:
    pool = await pools.get(site.desk, _id(visit))
    return site.page(
        visit,
        "confirm.html",
        title=f"Delete the pool {pool.name}?",
        words="Only a pool without keys can be deleted. Move its keys to another one first.",
        action=f"/admin/pools/{pool.id}/delete",
        back=f"/admin/pools/{pool.id}",
        button="Delete",
        typed="",
        form=FormView(),
    )


@signed_in("providers")
async def delete(site: Site, visit: Visit) -> Response:
    pool = await pools.get(site.desk, _id(visit))
    try:
        await pools.delete(site.desk, visit.actor, pool.id)
    except Conflict as error:
        return await _page(site, visit, pool, FormView(_values(pool), {"form": error.message}, _SHOWN), 409)
    return site.go("/admin/providers", "pool_deleted")


def _format(asked: str) -> ApiFormat:
    """The one that is asked about; that of chats for what is none."""
    return ApiFormat(asked) if asked in tuple(ApiFormat) else ApiFormat.OPENAI_CHAT


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _values(pool: Pool) -> dict[str, str]:
    return {**SETTINGS.values(pool), "strategy": pool.strategy.value}


async def _page(site: Site, visit: Visit, pool: Pool, form: FormView, status: int = 200) -> Response:
    models = pool_order.models_of(site.desk.snapshot(), pool.id)
    query = visit.request.query_params
    asked, api_format = query.get("model", ""), _format(query.get("api_format", ""))
    model = asked if asked in models else max(models, key=lambda code: models[code], default=None)
    card = next(card for card in pool_cards(pools.stats(site.desk)) if card.id == pool.id)
    return site.page(
        visit,
        "pools/one.html",
        status,
        pool=pool,
        card=card,
        strategy=STRATEGIES[pool.strategy],
        strategies=STRATEGIES,
        model=model,
        models=tuple(models),
        places=pool_order.places(site.desk, pool.id, model, api_format),
        api_format=api_format.value,
        several=several(site.desk.snapshot()),
        form=form,
        groups=SETTINGS.looks(_OPTIONS),
    )


def _new_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    return site.page(visit, "pools/new.html", status, form=form, groups=SETTINGS.looks(_OPTIONS), strategies=STRATEGIES)
