"""Signing in and out, and the choice of a theme."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.site import SESSION, Site, for_anybody, public
from gateway.admin.visits import FormView, Visit, drop_cookie, keep_cookie, keep_theme, safe_next
from gateway.admin.wording import remaining
from gateway.control import sessions, users
from gateway.errors import InvalidFields, NotAuthenticated, RateLimited
from gateway.model.people import User


@public
async def ask(site: Site, visit: Visit) -> Response:
    wanted = safe_next(visit.request.query_params.get("next", ""))
    if visit.user:
        return site.go(_place(visit.user, wanted))
    return site.page(visit, "login.html", next=wanted, fault="", form=FormView())


@public
async def sign_in(site: Site, visit: Visit) -> Response:
    wanted = safe_next(visit.form.get("next", ""))
    username = visit.form.get("username", "")
    try:
        token, session = await sessions.sign_in(site.desk, username, visit.form.get("password", ""), visit.client)
    except NotAuthenticated as error:
        return _again(site, visit, error.message, 401)
    except RateLimited as error:
        wait = remaining(error.retry_after or 1)
        response = _again(site, visit, f"Too many failed attempts. Wait {wait}, then try again.", 429)
        response.headers["Retry-After"] = str(max(1, -int(-(error.retry_after or 1) // 1)))
        return response
    user = await users.get(site.desk, session.user_id)
    response = site.go(_place(user, wanted))
    keep_cookie(response, visit, SESSION, token)
    return response


@for_anybody("")
async def sign_out(site: Site, visit: Visit) -> Response:
    await sessions.sign_out(site.desk, visit.signed_in[1])
    response = site.go("/admin/login")
    drop_cookie(response, visit, SESSION)
    return response


@for_anybody("")
async def choose_theme(site: Site, visit: Visit) -> Response:
    theme = visit.form.get("theme", "")
    if theme not in sessions.THEMES:
        raise InvalidFields({"theme": f"must be one of {', '.join(sessions.THEMES)}"})
    response = site.go(safe_next(visit.form.get("next", "")))
    keep_theme(response, theme)
    return response


def _place(user: User, wanted: str) -> str:
    """Where somebody goes on; who is no administrator has a home instead of the overview."""
    is_own = wanted.startswith(("/home", "/admin/account"))
    return wanted if is_own or user.role == "admin" else "/home"


def _again(site: Site, visit: Visit, fault: str, status: int) -> Response:
    form = FormView({"username": visit.form.get("username", "")})
    wanted = safe_next(visit.form.get("next", ""))
    return site.page(visit, "login.html", status, next=wanted, fault=fault, form=form)
