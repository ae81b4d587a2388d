"""What the gateway remembers while it serves: what keeps calls away at present, until when, and clearing it."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.pools import several
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import Visit
from gateway.control import adaptive_limits, backends, runtime_state


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    seen = runtime_state.seen(site.desk.snapshot(), site.desk.state, site.desk.clock.mono())
    return site.page(visit, "state/page.html", seen=seen, several=several(site.desk.snapshot()))


@signed_in("providers")
async def clear_backend(site: Site, visit: Visit) -> Response:
    await backends.clear_cooldown(site.desk, visit.actor, str(visit.request.path_params["id"]))
    return site.go("/admin/state", "state_cleared")


@signed_in("providers")
async def clear_endpoint(site: Site, visit: Visit) -> Response:
    await runtime_state.clear_endpoint(site.desk, visit.actor, str(visit.request.path_params["id"]))
    return site.go("/admin/state", "state_cleared")


@signed_in("providers")
async def refill(site: Site, visit: Visit) -> Response:
    await runtime_state.refill(site.desk, visit.actor, visit.form.get("name", ""))
    return site.go("/admin/state", "state_refilled")


@signed_in("providers")
async def forget_learned(site: Site, visit: Visit) -> Response:
    await adaptive_limits.reset(site.desk, visit.actor, str(visit.request.path_params["id"]))
    return site.go("/admin/state", "learned_forgotten")
