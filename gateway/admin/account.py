"""One's own account: another password, and signing out everywhere."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.site import SESSION, Site, signed_in
from gateway.admin.visits import FormView, Visit, drop_cookie, keep_cookie
from gateway.admin.wording import remaining
from gateway.control import sessions
from gateway.errors import InvalidFields, RateLimited

_SHOWN = frozenset({"current", "password"})


@signed_in("account")
async def show(site: Site, visit: Visit) -> Response:
    return site.page(visit, "account.html", form=FormView(shown=_SHOWN))


@signed_in("account")
async def change_password(site: Site, visit: Visit) -> Response:
    """Every other session ends; this one goes on under a new cookie."""
    user, session = visit.signed_in
    current, password = visit.form.get("current", ""), visit.form.get("password", "")
    try:
        token, _ = await sessions.change_password(site.desk, user, session, current, password)
    except InvalidFields as error:
        return site.page(visit, "account.html", 422, form=FormView(faults=error.fields, shown=_SHOWN))
    except RateLimited as error:
        faults = {"current": f"was wrong too often; wait {remaining(error.retry_after or 1)}"}
        return site.page(visit, "account.html", 429, form=FormView(faults=faults, shown=_SHOWN))
    response = site.go("/admin/account", "password_changed")
    keep_cookie(response, visit, SESSION, token)
    return response


@signed_in("account")
async def sign_out_everywhere(site: Site, visit: Visit) -> Response:
    await sessions.sign_out_everywhere(site.desk, visit.signed_in[0])
    response = site.go("/admin/login")
    drop_cookie(response, visit, SESSION)
    return response
