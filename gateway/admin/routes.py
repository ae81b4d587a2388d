"""Every address of the admin site, and the page behind it."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from gateway.admin import (
    account,
    audit,
    backends,
    endpoints,
    events,
    key_order,
    keys,
    login,
    mappings,
    model_page,
    model_trials,
    models,
    overview,
    pool_page,
    provider_keys,
    provider_page,
    providers,
    requests,
    route_rules,
    setup,
    state,
    upstream_models,
)
from gateway.admin.assets import load_assets
from gateway.admin.pages import Pages
from gateway.admin.site import Door, Endpoint, Site, public
from gateway.admin.visits import Visit
from gateway.control.desk import Desk
from gateway.errors import NotFound

_EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@public
async def nothing(site: Site, visit: Visit) -> Response:
    raise NotFound("The address may be misspelt, or what it named was deleted.")


PAGES: tuple[tuple[str, str, Door], ...] = (
    ("GET", "/admin", overview.show),
    ("GET", "/admin/login", login.ask),
    ("POST", "/admin/login", login.sign_in),
    ("POST", "/admin/logout", login.sign_out),
    ("POST", "/admin/theme", login.choose_theme),
    ("GET", "/admin/account", account.show),
    ("POST", "/admin/account", account.change_password),
    ("POST", "/admin/account/sign-out-everywhere", account.sign_out_everywhere),
    ("GET", "/admin/setup/provider", setup.ask_provider),
    ("POST", "/admin/setup/provider", setup.add_provider),
    ("GET", "/admin/setup/first-call", setup.first_call),
    ("POST", "/admin/setup/first-call", setup.make_key),
    ("GET", "/admin/setup/first-call/waiting", setup.waiting),
    ("GET", "/admin/setup/{token}", setup.ask_password),
    ("POST", "/admin/setup/{token}", setup.set_password),
    ("GET", "/admin/providers", providers.show_list),
    ("GET", "/admin/providers/new", providers.show_new),
    ("POST", "/admin/providers/new", providers.create),
    ("GET", "/admin/backends/{id}", backends.show),
    ("POST", "/admin/backends/{id}", backends.save),
    ("POST", "/admin/backends/{id}/enable", providers.enable),
    ("POST", "/admin/backends/{id}/disable", providers.disable),
    ("POST", "/admin/backends/{id}/clear", providers.clear),
    ("POST", "/admin/backends/{id}/test", providers.test),
    ("GET", "/admin/backends/{id}/delete", backends.ask_delete),
    ("POST", "/admin/backends/{id}/delete", backends.delete),
    ("GET", "/admin/provider-keys/order", key_order.show),
    ("POST", "/admin/provider-keys/order", key_order.save),
    ("GET", "/admin/provider-keys/paste", key_order.show_paste),
    ("POST", "/admin/provider-keys/paste", key_order.paste),
    ("GET", "/admin/provider-keys/{id}", provider_keys.show),
    ("POST", "/admin/provider-keys/{id}", provider_keys.save),
    ("POST", "/admin/provider-keys/{id}/move", key_order.move),
    ("POST", "/admin/provider-keys/{id}/place", key_order.place),
    ("POST", "/admin/provider-keys/{id}/rotate", provider_keys.rotate),
    ("POST", "/admin/provider-keys/{id}/reveal", provider_keys.reveal),
    ("POST", "/admin/provider-keys/{id}/enable", provider_keys.enable),
    ("POST", "/admin/provider-keys/{id}/disable", provider_keys.disable),
    ("POST", "/admin/provider-keys/{id}/forget-learned", provider_keys.forget_learned),
    ("POST", "/admin/provider-keys/{id}/fix-learned", provider_keys.fix_learned),
    ("GET", "/admin/provider-keys/{id}/delete", provider_keys.ask_delete),
    ("POST", "/admin/provider-keys/{id}/delete", provider_keys.delete),
    ("GET", "/admin/state", state.show),
    ("POST", "/admin/state/refill", state.refill),
    ("POST", "/admin/state/backends/{id}/clear", state.clear_backend),
    ("POST", "/admin/state/endpoints/{id}/clear", state.clear_endpoint),
    ("POST", "/admin/state/keys/{id}/forget", state.forget_learned),
    ("GET", "/admin/providers/{id}", provider_page.show),
    ("POST", "/admin/providers/{id}", provider_page.save),
    ("POST", "/admin/providers/{id}/enable", provider_page.enable),
    ("POST", "/admin/providers/{id}/disable", provider_page.disable),
    ("POST", "/admin/providers/{id}/reset-quota", provider_page.reset_quota),
    ("GET", "/admin/providers/{id}/delete", provider_page.ask_delete),
    ("POST", "/admin/providers/{id}/delete", provider_page.delete),
    ("GET", "/admin/providers/{id}/endpoints/new", endpoints.show_new),
    ("POST", "/admin/providers/{id}/endpoints/new", endpoints.create),
    ("GET", "/admin/endpoints/{id}", endpoints.show),
    ("POST", "/admin/endpoints/{id}", endpoints.save),
    ("GET", "/admin/endpoints/{id}/delete", endpoints.ask_delete),
    ("POST", "/admin/endpoints/{id}/delete", endpoints.delete),
    ("GET", "/admin/pools/new", pool_page.show_new),
    ("POST", "/admin/pools/new", pool_page.create),
    ("GET", "/admin/pools/{id}", pool_page.show),
    ("POST", "/admin/pools/{id}", pool_page.save),
    ("GET", "/admin/pools/{id}/delete", pool_page.ask_delete),
    ("POST", "/admin/pools/{id}/delete", pool_page.delete),
    ("GET", "/admin/providers/{id}/models", upstream_models.show),
    ("POST", "/admin/providers/{id}/models/attach", upstream_models.attach),
    ("POST", "/admin/providers/{id}/models/detach", upstream_models.detach),
    ("POST", "/admin/providers/{id}/models/refresh", upstream_models.refresh),
    ("GET", "/admin/models", models.show_list),
    ("GET", "/admin/models/new", models.show_new),
    ("POST", "/admin/models/new", models.create),
    ("GET", "/admin/models/{id}", model_page.show),
    ("POST", "/admin/models/{id}", model_page.save),
    ("POST", "/admin/models/{id}/status", model_page.step),
    ("POST", "/admin/models/{id}/check", model_trials.check),
    ("POST", "/admin/models/{id}/test", model_trials.test),
    ("POST", "/admin/models/{id}/mappings", mappings.add),
    ("GET", "/admin/models/{id}/delete", model_page.ask_delete),
    ("POST", "/admin/models/{id}/delete", model_page.delete),
    ("GET", "/admin/mappings/{id}", mappings.show),
    ("POST", "/admin/mappings/{id}", mappings.save),
    ("GET", "/admin/mappings/{id}/delete", mappings.ask_delete),
    ("POST", "/admin/mappings/{id}/delete", mappings.delete),
    ("GET", "/admin/route-rules", route_rules.show_list),
    ("GET", "/admin/route-rules/new", route_rules.show_new),
    ("POST", "/admin/route-rules/new", route_rules.create),
    ("GET", "/admin/route-rules/{id}", route_rules.show),
    ("POST", "/admin/route-rules/{id}", route_rules.save),
    ("POST", "/admin/route-rules/{id}/move", route_rules.move),
    ("POST", "/admin/route-rules/{id}/place", route_rules.place),
    ("POST", "/admin/route-rules/{id}/enable", route_rules.enable),
    ("POST", "/admin/route-rules/{id}/disable", route_rules.disable),
    ("GET", "/admin/route-rules/{id}/delete", route_rules.ask_delete),
    ("POST", "/admin/route-rules/{id}/delete", route_rules.delete),
    ("GET", "/admin/keys", keys.show_list),
    ("GET", "/admin/keys/new", keys.show_new),
    ("POST", "/admin/keys/new", keys.create),
    ("GET", "/admin/keys/{id}", keys.show),
    ("POST", "/admin/keys/{id}", keys.save),
    ("POST", "/admin/keys/{id}/enable", keys.enable),
    ("POST", "/admin/keys/{id}/disable", keys.disable),
    ("GET", "/admin/keys/{id}/delete", keys.ask_delete),
    ("POST", "/admin/keys/{id}/delete", keys.delete),
    ("GET", "/admin/requests", requests.show_list),
    ("GET", "/admin/requests/{id}", requests.show),
    ("GET", "/admin/audit", audit.show),
)


def routes(desk: Desk) -> list[Route]:
    """All of them; what matches none gets a page that says so. Templates and assets are read here, once."""
    root = desk.settings.root_path
    assets = load_assets(root)
    site = Site(desk, Pages(assets, root), root)
    pages = [Route(path, Endpoint(site, door), methods=[method]) for method, path, door in PAGES]
    return [
        Route("/static/{name:path}", assets, methods=["GET"]),
        Route("/admin/events", Endpoint(site, events.STREAM), methods=["GET"]),
        *pages,
        Route("/admin/{rest:path}", Endpoint(site, nothing), methods=_EVERY_METHOD),
    ]
