"""The first five minutes: password, provider, first call. The last two steps can be opened again at any time."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin import presets, providers, snippets
from gateway.admin.site import SESSION, Site, public, signed_in
from gateway.admin.visits import FormView, Visit, keep_cookie
from gateway.control import api_keys, requests, setup
from gateway.errors import Forbidden, Gone, InvalidFields
from gateway.model.registry import DEMO_PRESET
from gateway.store.calls import CallRow

_SHOWN = frozenset({"username", "password"})


@public
async def ask_password(site: Site, visit: Visit) -> Response:
    """Looking does not use the link up: chat programs and mail scanners open links too."""
    if not await setup.is_open(site.desk, _token(visit)):
        return await _gone(site, visit)
    return _password_page(site, visit, FormView({"username": "admin"}, shown=_SHOWN))


@public
async def set_password(site: Site, visit: Visit) -> Response:
    username = visit.form.get("username", "")
    password = visit.form.get("password", "")
    try:
        token, _ = await setup.finish(site.desk, _token(visit), username, password, visit.client)
    except (Gone, Forbidden):
        return await _gone(site, visit)
    except InvalidFields as error:
        return _password_page(site, visit, FormView({"username": username}, error.fields, _SHOWN), 422)
    response = site.go("/admin/setup/provider")
    keep_cookie(response, visit, SESSION, token)
    return response


@signed_in("connect")
async def ask_provider(site: Site, visit: Visit) -> Response:
    return _provider_page(site, visit, presets.begun(site, visit.request.query_params.get("preset", "")))


@signed_in("connect")
async def add_provider(site: Site, visit: Visit) -> Response:
    try:
        await providers.add(site, visit)
    except InvalidFields as error:
        form = FormView(providers.kept_values(visit), error.fields, presets.SHOWN)
        return _provider_page(site, visit, form, 422)
    return site.go("/admin/setup/first-call", "provider_added")


@signed_in("connect")
async def first_call(site: Site, visit: Visit) -> Response:
    return await _first_call_page(site, visit, _since(site, visit), "")


@signed_in("connect")
async def make_key(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the secret, and nothing ever does again."""
    secret, _ = await api_keys.create(site.desk, visit.actor, {"name": "first client"})
    return await _first_call_page(site, visit, site.desk.clock.wall_ms(), secret)


@signed_in("connect")
async def waiting(site: Site, visit: Visit) -> Response:
    since = _since(site, visit)
    return site.page(visit, "setup/waiting.html", since=since, arrived=await _arrived(site, since))


async def _first_call_page(site: Site, visit: Visit, since: int, secret: str) -> Response:
    names = snippets.model_names(site)
    model = snippets.first_model(site)
    base = visit.origin + site.root
    return site.page(
        visit,
        "setup/first_call.html",
        base_url=f"{base}/v1",
        model=model if names else "",
        models=names,
        secret=secret,
        snippets=snippets.for_clients(base, model, secret or snippets.PLACEHOLDER),
        since=since,
        arrived=await _arrived(site, since),
    )


async def _arrived(site: Site, since: int) -> CallRow | None:
    """The newest request that came after the page was opened."""
    page = await requests.listing(site.desk, requests.parse_filter({"since": since}), None, 1)
    return page.items[0] if page.items else None


def _since(site: Site, visit: Visit) -> int:
    given = visit.request.query_params.get("since", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else site.desk.clock.wall_ms()


def _token(visit: Visit) -> str:
    return str(visit.request.path_params["token"])


async def _gone(site: Site, visit: Visit) -> Response:
    return site.page(visit, "setup/link_gone.html", 410, needs_setup=await setup.needs_setup(site.desk))


def _password_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    return site.page(visit, "setup/password.html", status, form=form, token=_token(visit))


def _provider_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    named = [one.name for one in site.desk.snapshot().registry.providers if one.preset != DEMO_PRESET]
    values = presets.values(site, visit, form)
    return site.page(visit, "setup/provider.html", status, here="/admin/setup/provider", existing=named, **values)
