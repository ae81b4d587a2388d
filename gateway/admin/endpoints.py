"""One endpoint: changing all that it has, adding one to a provider, deleting it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace
from starlette.responses import Response

from gateway.admin import passwords
from gateway.admin.field_forms import NOTHING, FormPlan
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import endpoints, providers
from gateway.errors import InvalidFields, Stale
from gateway.model.registry import ApiFormat, Auth, Endpoint, Provider, ProviderKey

_ADDRESS = ("base_url", "custom_path", "local_upstream", "proxy")
_UNSHOWN = frozenset({"proxy", "api_key"})
_PATIENCE = ("first_byte_seconds", "idle_seconds", "timeout_seconds")
_WORDS = MappingProxyType(
    {
        "api_format": "API format",
        "base_url": "Base URL",
        "custom_path": "Path",
        "auth": "The key goes in",
        "local_upstream": "This is a local server",
        "proxy": "Outbound proxy",
        "api_key": "Provider key",
        "first_byte_seconds": "First output within",
        "idle_seconds": "Longest silence",
        "timeout_seconds": "Longest whole attempt",
        "max_retries": "Further attempts",
        "max_concurrent": "Calls at once",
        "rpm_limit": "Requests per minute",
        "headers": "Extra headers",
        "injects_usage": "Ask for a stream's usage",
        "is_active": "Calls may be sent to it",
    }
)
_HELP = MappingProxyType(
    {
        "base_url": "Another scheme, host or port forgets the provider's keys: they must be entered again.",
        "custom_path": "After the base URL, in place of the format's own path, as in "
        "/deployments/{model}/chat/completions?api-version=2024-10-21. {model} is the provider's name of the model, "
        "{action} the end of the format's path; a query may follow.",
        "auth": "The header that carries it.",
        "local_upstream": "Allows the one private host and port of the base URL; everything else private stays shut.",
        "first_byte_seconds": "Seconds; then the next backend is tried.",
        "idle_seconds": "Seconds between two pieces of an answer.",
        "timeout_seconds": "Seconds.",
        "max_retries": "Of one call here. Empty: as many as the pool allows.",
        "max_concurrent": "Over all keys. Empty: no limit; 0 refuses.",
        "rpm_limit": "Over all keys. Empty: no limit; 0 refuses.",
        "headers": "One Name: value a line; no credentials.",
        "injects_usage": "Where the client did not ask, so that tokens are known exactly.",
        "is_active": "Off: calls already running end as usual.",
    }
)
_AUTHS = (
    ("", "the format's own"),
    (Auth.BEARER.value, "authorization: Bearer …"),
    *((one.value, f"{one.value}: …") for one in Auth if one is not Auth.BEARER),
)
_GROUPS = {
    "Address": (*_ADDRESS, "auth", "api_key"),
    "Patience": _PATIENCE,
    "Limits": ("rpm_limit", "max_concurrent", "max_retries"),
    "Requests": ("headers", "injects_usage", "is_active"),
}
SETTINGS = FormPlan(endpoints.FIELDS, MappingProxyType(_GROUPS), _WORDS, _HELP)
NEW = FormPlan(
    endpoints.FIELDS,
    MappingProxyType({"Address": ("api_format", *_ADDRESS, "auth"), "Patience": _PATIENCE}),
    _WORDS,
    MappingProxyType({**_HELP, "base_url": "As in https://api.example.com/v1, without what follows."}),
)


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    endpoint = await endpoints.get(site.desk, _id(visit))
    return await _page(site, visit, endpoint, FormView(SETTINGS.values(endpoint)))


@signed_in("providers")
async def save(site: Site, visit: Visit) -> Response:
    endpoint = await endpoints.get(site.desk, _id(visit))
    typed = {name: value for name, value in visit.form.items() if name in SETTINGS.names}
    try:
        if _moves(typed, endpoint):
            await passwords.require_recent(site, visit)
        await endpoints.update(site.desk, visit.actor, endpoint.id, typed, text=True)
    except InvalidFields as error:
        values = {**SETTINGS.values(endpoint), **_kept(typed)}
        return await _page(site, visit, endpoint, FormView(values, error.fields), 422)
    except Stale as error:
        assert isinstance(error.current, Endpoint)
        form = beside(_kept(typed), SETTINGS.values(error.current), SETTINGS.shown)
        return await _page(site, visit, error.current, form, 409)
    return site.go(f"/admin/providers/{endpoint.provider_id}", "endpoint_saved")


@signed_in("providers")
async def show_new(site: Site, visit: Visit) -> Response:
    provider = await providers.get(site.desk, _id(visit))
    begun = {"first_byte_seconds": "120", "idle_seconds": "60", "timeout_seconds": "600"}
    return await _new_page(site, visit, provider, FormView(begun, shown=_shown(NEW)))


@signed_in("providers")
async def create(site: Site, visit: Visit) -> Response:
    provider = await providers.get(site.desk, _id(visit))
    typed = {name: value for name, value in visit.form.items() if name in NEW.shown}
    try:
        await passwords.require_recent(site, visit)
        await endpoints.create(site.desk, visit.actor, {**typed, "provider_id": provider.id}, text=True)
    except InvalidFields as error:
        return await _new_page(site, visit, provider, FormView(_kept(typed), error.fields, _shown(NEW)), 422)
    return site.go(f"/admin/providers/{provider.id}", "endpoint_added")


@signed_in("providers")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@signed_in("providers")
async def delete(site: Site, visit: Visit) -> Response:
    endpoint = await endpoints.get(site.desk, _id(visit))
    if visit.form.get("typed", "").strip() != endpoint.api_format:
        return await _delete_page(site, visit, {"typed": f"must be {endpoint.api_format}"})
    await endpoints.delete(site.desk, visit.actor, endpoint.id)
    return site.go(f"/admin/providers/{endpoint.provider_id}", "endpoint_deleted")


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _shown(plan: FormPlan) -> frozenset[str]:
    return plan.shown | {passwords.FIELD}


def _kept(typed: Mapping[str, str]) -> dict[str, str]:
    """What was posted, to show it again: all but the key, and a proxy, whose URL may hold a password."""
    return {name: value for name, value in typed.items() if name not in _UNSHOWN}


def _moves(typed: Mapping[str, str], endpoint: Endpoint) -> bool:
    """Whether the form sets where the keys go, or which one: then the password must be fresh."""
    was = SETTINGS.values(endpoint)
    return any(typed.get(name, "").strip() for name in _UNSHOWN) or any(
        typed.get(name, was[name]).strip() != was[name] for name in _ADDRESS if name != "proxy"
    )


def _words_of_key(key: ProviderKey) -> str:
    if not key.masked:
        return "Now none."
    if key.bound_origin is None:
        return f"{key.masked} is not sent any more, because the address changed: enter it again."
    return f"Now {key.masked}. Enter it again with another address."


async def _page(site: Site, visit: Visit, endpoint: Endpoint, form: FormView, status: int = 200) -> Response:
    proxy = f"Now {endpoint.proxy_shown}." if endpoint.proxy_shown else "Now none."
    words = {"proxy": f"{proxy} http://user:password@host:port; empty keeps it, {NOTHING} takes it away."}
    groups = SETTINGS.groups
    keys = [key for key in site.desk.snapshot().registry.keys if key.provider_id == endpoint.provider_id]
    if len(keys) == 1:
        words["api_key"] = f"{_words_of_key(keys[0])} env:NAME refers to the environment; empty keeps it."
    else:
        groups = MappingProxyType({**groups, "Address": (*_ADDRESS, "auth")})
    plan = FormPlan(SETTINGS.table, groups, _WORDS, MappingProxyType({**_HELP, **words}))
    return site.page(
        visit,
        "providers/endpoint.html",
        status,
        provider=await providers.get(site.desk, endpoint.provider_id),
        endpoint=endpoint,
        form=replace(form, shown=_shown(plan)),
        groups=plan.looks({"auth": _AUTHS}),
        action=f"/admin/endpoints/{endpoint.id}",
        button="Save",
        asks_password=not passwords.is_recent(site, visit),
    )


async def _new_page(site: Site, visit: Visit, provider: Provider, form: FormView, status: int = 200) -> Response:
    taken = {one.api_format for one in await endpoints.listing(site.desk) if one.provider_id == provider.id}
    formats = tuple((name.value, name.value) for name in ApiFormat if name not in taken)
    return site.page(
        visit,
        "providers/endpoint.html",
        status,
        provider=provider,
        endpoint=None,
        form=form,
        groups=NEW.looks({"api_format": formats or ((ApiFormat.OPENAI_CHAT.value, "all are taken"),), "auth": _AUTHS}),
        action=f"/admin/providers/{provider.id}/endpoints/new",
        button="Add the endpoint",
        asks_password=not passwords.is_recent(site, visit),
    )


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    endpoint = await endpoints.get(site.desk, _id(visit))
    provider = await providers.get(site.desk, endpoint.provider_id)
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete the endpoint {endpoint.api_format} of {provider.name}?",
        words="Keys that were for it alone serve no more, and forget where they go: they must be entered again.",
        action=f"/admin/endpoints/{endpoint.id}/delete",
        back=f"/admin/providers/{provider.id}",
        button="Delete",
        typed=endpoint.api_format.value,
        form=FormView({}, faults, frozenset({"typed"})),
    )
