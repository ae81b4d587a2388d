"""One's own account: profile, another password, and where one is signed in."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.site import SESSION, Site, for_anybody
from gateway.admin.visits import FormView, Visit, drop_cookie, keep_cookie
from gateway.admin.wording import remaining
from gateway.control import homes, session_list, sessions, time_zones
from gateway.errors import InvalidFields, RateLimited

_SHOWN = frozenset({"current", "password"})
_PROFILE = frozenset({"email", "time_zone"})


@for_anybody("account")
async def show(site: Site, visit: Visit) -> Response:
    return await _page(site, visit, FormView(shown=_SHOWN))


@for_anybody("account")
async def change_password(site: Site, visit: Visit) -> Response:
    """Every other session ends; this one goes on under a new cookie."""
    user, session = visit.signed_in
    current, password = visit.form.get("current", ""), visit.form.get("password", "")
    try:
        token, _ = await sessions.change_password(site.desk, user, session, current, password)
    except InvalidFields as error:
        return await _page(site, visit, FormView(faults=error.fields, shown=_SHOWN), 422)
    except RateLimited as error:
        faults = {"current": f"was wrong too often; wait {remaining(error.retry_after or 1)}"}
        return await _page(site, visit, FormView(faults=faults, shown=_SHOWN), 429)
    response = site.go("/admin/account", "password_changed")
    keep_cookie(response, visit, SESSION, token)
    return response


@for_anybody("account")
async def save_profile(site: Site, visit: Visit) -> Response:
    user, _ = visit.signed_in
    typed = {name: value for name, value in visit.form.items() if name in _PROFILE}
    try:
        await homes.save_profile(site.desk, visit.actor, user, typed, text=True)
    except InvalidFields as error:
        return await _page(site, visit, FormView(shown=_SHOWN), 422, FormView(typed, error.fields, _PROFILE))
    return site.go("/admin/account", "profile_saved")


@for_anybody("account")
async def end_session(site: Site, visit: Visit) -> Response:
    """Another browser's, or this one's, which then has to sign in again."""
    wanted = str(visit.request.path_params["session"])
    await session_list.end(site.desk, visit.actor, visit.signed_in[0].id, wanted)
    return site.go("/admin/account", "session_ended")


@for_anybody("account")
async def sign_out_everywhere(site: Site, visit: Visit) -> Response:
    await sessions.sign_out_everywhere(site.desk, visit.signed_in[0])
    response = site.go("/admin/login")
    drop_cookie(response, visit, SESSION)
    return response


async def _page(
    site: Site, visit: Visit, form: FormView, status: int = 200, profile: FormView | None = None
) -> Response:
    user, session = visit.signed_in
    there = {"email": user.email, "time_zone": user.time_zone}
    return site.page(
        visit,
        "account.html",
        status,
        form=form,
        profile=profile or FormView(there, shown=_PROFILE),
        zones=[(zone, zone.replace("_", " ")) for zone in time_zones.every()],
        sessions=await session_list.listing(site.desk, user.id),
        own=session_list.session_id(session),
    )
