"""One provider: how it is doing, its endpoints and keys, its settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from starlette.responses import Response

from gateway.admin import monitor
from gateway.admin.field_forms import FormPlan
from gateway.admin.pools import KeyRow, initials, key_rows, place_of, shade
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import endpoints, pools, provider_summary, providers
from gateway.control.presets import OFFERED_CODES, PRESETS
from gateway.control.provider_summary import ProviderSummary
from gateway.errors import InvalidFields, Stale
from gateway.model.registry import ApiFormat, BillingType, Endpoint, Provider

SETTINGS = FormPlan(
    providers.FIELDS,
    MappingProxyType(
        {
            "What it is": ("name", "display_name", "description", "website", "preset"),
            "Order": ("priority", "max_retries", "is_active"),
            "Billing and quota": ("billing_type", "monthly_quota", "quota_reset_days", "quota_expires_at"),
            "Limits": ("rpm_limit", "concurrent_limit"),
            "Notes": ("metadata",),
        }
    ),
    MappingProxyType(
        {
            "display_name": "Name for people",
            "preset": "Known as",
            "max_retries": "Further attempts",
            "is_active": "Calls may be sent to it",
            "billing_type": "How it is paid",
            "monthly_quota": "Quota in dollars",
            "quota_reset_days": "Days of a period",
            "quota_expires_at": "Quota ends at",
            "rpm_limit": "Requests per minute",
            "concurrent_limit": "Calls at once",
            "metadata": "Metadata",
        }
    ),
    MappingProxyType(
        {
            "name": "As in provider/model.",
            "display_name": "",
            "preset": "Whose usual address and models it has.",
            "billing_type": "",
            "quota_reset_days": "Then the quota begins anew.",
            "priority": "Lower goes first: 0–10 to burn first, 11–50 prepaid, 51–100 pay as you go, above that backup.",
            "max_retries": "Of one call here. Empty: as many as the pool allows.",
            "is_active": "Off: calls already running end as usual.",
            "monthly_quota": "For one period; a model without a price is not sent here then. Empty: none; 0 refuses.",
            "quota_expires_at": "Such as 2030-01-31T00:00Z. Empty: never.",
            "rpm_limit": "Over all its keys. Empty: no limit; 0 refuses.",
            "concurrent_limit": "Over all its keys. Empty: no limit; 0 refuses.",
            "metadata": "A JSON object of anything you want to keep with it.",
        }
    ),
)
_BILLING = (
    (BillingType.PAY_AS_YOU_GO.value, "Pay as you go"),
    (BillingType.MONTHLY_QUOTA.value, "Prepaid quota"),
    (BillingType.FREE_TIER.value, "Free tier: no actual cost"),
)


class EndpointRow(msgspec.Struct, frozen=True):
    """An endpoint with its health, None as long as nothing is known."""

    endpoint: Endpoint
    score: float | None
    look: str
    resting_seconds: float


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    return await page(site, visit, await providers.get(site.desk, provider_id(visit)))


@signed_in("providers")
async def save(site: Site, visit: Visit) -> Response:
    provider = await providers.get(site.desk, provider_id(visit))
    typed = {name: value for name, value in visit.form.items() if name in SETTINGS.names}
    given = SETTINGS.given(typed)
    if given.get("preset") == provider.preset:
        del given["preset"]  # the demo's is none that people may choose, and it may stay all the same
    try:
        await providers.update(site.desk, visit.actor, provider.id, given, text=True)
    except InvalidFields as error:
        form = FormView({**SETTINGS.values(provider), **typed}, error.fields, SETTINGS.shown)
        return await page(site, visit, provider, form, 422)
    except Stale as error:
        assert isinstance(error.current, Provider)
        form = beside(typed, SETTINGS.values(error.current), SETTINGS.shown)
        return await page(site, visit, error.current, form, 409)
    return site.go(f"/admin/providers/{provider.id}", "provider_saved")


@signed_in("providers")
async def enable(site: Site, visit: Visit) -> Response:
    await providers.update(site.desk, visit.actor, provider_id(visit), {"is_active": True})
    address = f"/admin/providers/{provider_id(visit)}"
    return site.go(address, "provider_enabled")


@signed_in("providers")
async def disable(site: Site, visit: Visit) -> Response:
    await providers.update(site.desk, visit.actor, provider_id(visit), {"is_active": False})
    address = f"/admin/providers/{provider_id(visit)}"
    return site.go(address, "provider_disabled")


@signed_in("providers")
async def reset_quota(site: Site, visit: Visit) -> Response:
    await provider_summary.reset_quota(site.desk, visit.actor, provider_id(visit))
    address = f"/admin/providers/{provider_id(visit)}"
    return site.go(address, "quota_reset")


@signed_in("providers")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@signed_in("providers")
async def delete(site: Site, visit: Visit) -> Response:
    provider = await providers.get(site.desk, provider_id(visit))
    if visit.form.get("typed", "").strip() != provider.name:
        return await _delete_page(site, visit, {"typed": f"must be {provider.name}"})
    await providers.delete(site.desk, visit.actor, provider.id)
    return site.go("/admin/providers", "provider_deleted")


class SummaryRow(msgspec.Struct, frozen=True):
    """A provider as a row of the list. `look` is the colour of its health."""

    of: ProviderSummary
    look: str
    initials: str
    shade: int
    quota_share: float | None


def summary_rows(site: Site) -> list[SummaryRow]:
    return [
        SummaryRow(one, look_of_score(one.health), initials(one.name), shade(one.name), quota_share(one))
        for one in provider_summary.listing(site.desk)
    ]


def provider_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


async def page(
    site: Site, visit: Visit, provider: Provider, form: FormView | None = None, status: int = 200
) -> Response:
    """The whole page, with the faults of the settings where there are some."""
    summary = provider_summary.get(site.desk, provider.id)
    own = [one for one in await endpoints.listing(site.desk) if one.provider_id == provider.id]
    own.sort(key=lambda endpoint: place_of(endpoint.api_format))
    keys = _key_rows(site, provider.id)
    used = {row.main.stats.key_id for row in keys}
    address = f"/admin/providers/{provider.id}"
    return site.page(
        visit,
        "providers/one.html",
        status,
        provider=provider,
        summary=summary,
        initials=initials(provider.name),
        shade=shade(provider.name),
        quota_share=quota_share(summary),
        endpoints=_endpoint_rows(own, summary),
        can_add_endpoint=len(own) < len(ApiFormat),
        here=address if visit.is_change else visit.address,
        keys=keys,
        idle_keys=[
            key for key in site.desk.snapshot().registry.keys if key.provider_id == provider.id and key.id not in used
        ],
        monitored=await monitor.look(site, visit, provider.id),
        form=form or FormView(SETTINGS.values(provider), shown=SETTINGS.shown),
        groups=SETTINGS.looks({"preset": _presets(provider), "billing_type": _BILLING}),
    )


def quota_share(summary: ProviderSummary) -> float | None:
    """What is used of the quota, 0 to 1; None without one."""
    limit = summary.quota.limit
    if limit is None:
        return None
    return min(1.0, summary.quota.used / limit) if limit else 1.0


def look_of_score(score: float | None) -> str:
    """A colour; none for what is not known."""
    if score is None:
        return ""
    return "bad" if score < provider_summary.UNHEALTHY_BELOW else "warn" if score < 0.9 else "good"


def _endpoint_rows(own: list[Endpoint], summary: ProviderSummary) -> list[EndpointRow]:
    health = {one.id: one for one in summary.endpoint_health}
    return [
        EndpointRow(
            endpoint,
            health[endpoint.id].score,
            look_of_score(health[endpoint.id].score),
            health[endpoint.id].resting_seconds,
        )
        for endpoint in own
        if endpoint.id in health
    ]


def _key_rows(site: Site, wanted: str) -> list[KeyRow]:
    """Its keys, in the order in which they are tried."""
    return key_rows(
        backend for pool in pools.stats(site.desk) for backend in pool.backends if backend.provider_id == wanted
    )


def _presets(provider: Provider) -> tuple[tuple[str, str], ...]:
    codes = dict.fromkeys((*OFFERED_CODES, provider.preset))
    return tuple((code, PRESETS[code].label if code in PRESETS else code) for code in codes)


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    provider = await providers.get(site.desk, provider_id(visit))
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {provider.name}?",
        words="This deletes the provider with its endpoints, keys and mappings. Models and requests stay. It cannot be "
        "taken back; disabling can.",
        action=f"/admin/providers/{provider.id}/delete",
        back=f"/admin/providers/{provider.id}",
        button="Delete",
        typed=provider.name,
        form=FormView({}, faults, frozenset({"typed"})),
    )
