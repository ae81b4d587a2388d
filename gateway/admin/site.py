"""What every page works with, and the one way in: who may see it, what a form must prove, how errors look."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.admin.pages import Pages, protect
from gateway.admin.visits import (
    FLASH_COOKIE,
    UNATTENDED,
    Visit,
    cookie_name,
    keep_cookie,
    keep_flash,
    read_form,
    require_same_site,
)
from gateway.control import audit_log, sessions
from gateway.control.desk import Desk
from gateway.control.sessions import Client
from gateway.errors import Forbidden, GatewayError, NotAuthenticated, Unexpected
from gateway.vault import new_token, same

log = logging.getLogger("gateway.admin")

SESSION = "gw"
GUEST = "gw-guest"

_TITLES: Mapping[int, str] = MappingProxyType(
    {
        401: "Sign in first",
        403: "This was refused",
        404: "There is nothing here",
        405: "This cannot be done here",
        409: "This cannot be done now",
        410: "This is gone",
        413: "This is too large",
        429: "Too many tries",
        502: "The provider did not answer",
        503: "Not possible right now",
    }
)
_DASHBOARD = (("/admin", "Back to the overview"),)
_HOME = (("/home", "Back to your page"),)
_DOOR = (("/admin/login", "Sign in"),)


class Site(msgspec.Struct, frozen=True):
    """`root` is the path under which a reverse proxy shows all of this."""

    desk: Desk
    pages: Pages
    root: str

    def page(self, visit: Visit, template: str, status: int = 200, **values: object) -> Response:
        """The template, which always gets `visit`."""
        response = self.pages.html(template, {"visit": visit, **values}, status)
        if visit.flash and visit.user:
            response.delete_cookie(FLASH_COOKIE, path="/", httponly=True, samesite="strict")
        return response

    def go(self, path: str, flash: str = "") -> Response:
        """On to a page of ours after a change."""
        response = RedirectResponse(self.root + path, 303)
        if flash:
            keep_flash(response, flash)
        return response

    def failure(self, visit: Visit, error: GatewayError) -> Response:
        """An error as a page, or as a toast where a script asked."""
        title = _TITLES.get(error.status, "Something went wrong")
        headers = {} if error.retry_after is None else {"Retry-After": str(max(1, -int(-error.retry_after // 1)))}
        values = {
            "title": title,
            "message": error.message,
            "code": error.status,
            "ways": _DOOR if visit.user is None else _DASHBOARD if visit.user.role == "admin" else _HOME,
        }
        template = "toast.html" if visit.is_script else "error.html"
        response = self.page(visit, template, error.status, **values)
        response.headers.update(headers)
        return response


Handler = Callable[[Site, Visit], Awaitable[Response]]


class Door(msgspec.Struct, frozen=True):
    """A page's function with who may come in: `public`, `person` who is signed in, `session` of an administrator.

    Coming through an `unattended` one does not keep a session alive.
    """

    policy: str
    handler: Handler
    place: str = ""
    unattended: bool = False


def public(handler: Handler) -> Door:
    return Door("public", handler)


def for_anybody(place: str) -> Callable[[Handler], Door]:
    """Whoever is signed in, for what is the person's own. `place` is the menu item that the page belongs to."""

    def guard(handler: Handler) -> Door:
        return Door("person", handler, place)

    return guard


def signed_in(place: str) -> Callable[[Handler], Door]:
    """Administrators. `place` is the menu item that the page belongs to."""

    def guard(handler: Handler) -> Door:
        return Door("session", handler, place)

    return guard


class Endpoint(msgspec.Struct, frozen=True):
    """A door in a wall: an ASGI app for one route."""

    site: Site
    door: Door

    @property
    def policy(self) -> str:
        return self.door.policy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        visit = self._guest(request)
        try:
            visit = await self._recognised(visit)
            if self.door.policy != "public" and visit.user is None:
                response = self._sign_in_first(visit)
            elif self._is_lost(visit):
                response = RedirectResponse(f"{self.site.root}/home", 303)
            else:
                response = await self.door.handler(self.site, await self._admitted(visit))
        except GatewayError as error:
            await self._note(visit, error)
            response = self.site.failure(visit, error)
        except Exception:  # noqa: BLE001  # reason: people get a page that says so, and the log gets the rest
            log.exception("%s %s failed", request.method, visit.request.scope["path"])
            response = self.site.failure(visit, Unexpected())
        if visit.user is None and cookie_name(request, GUEST) not in request.cookies:
            keep_cookie(response, visit, GUEST, visit.guest_token)
        return protect(response, visit.scheme)

    def _is_lost(self, visit: Visit) -> bool:
        """Somebody without the overview came to it, as after signing in."""
        is_overview = visit.request.scope["path"] == "/admin" and not visit.is_change
        return is_overview and visit.user is not None and visit.user.role != "admin"

    async def _note(self, visit: Visit, error: GatewayError) -> None:
        """Write down what somebody who is signed in was refused."""
        if visit.user is not None and error.status == Forbidden.status:
            asked = f"{visit.request.method} {visit.request.scope['path']}"
            await audit_log.refused(self.site.desk, visit.actor, asked, error)

    def _guest(self, request: Request) -> Visit:
        """Somebody unknown. Their forms are tied to a random cookie of their own."""
        token = request.cookies.get(cookie_name(request, GUEST), "") or new_token("")
        vault = self.site.desk.vault
        return Visit(
            request=request,
            client=Client(request.client.host if request.client else "", request.headers.get("user-agent", "")),
            csrf=vault.csrf_token(vault.hash_token(f"guest:{token}")),
            guest_token=token,
            place=self.door.place,
            root=self.site.root,
            events_after=self.site.desk.events.latest,
        )

    async def _recognised(self, visit: Visit) -> Visit:
        token = visit.request.cookies.get(cookie_name(visit.request, SESSION), "")
        is_activity = not (self.door.unattended or UNATTENDED in visit.request.headers)
        found = await sessions.recognise(self.site.desk, token, is_activity=is_activity) if token else None
        if found is None:
            return visit
        user, session = found
        return replace(visit, user=user, session=session, csrf=self.site.desk.vault.csrf_token(session.token_hash))

    async def _admitted(self, visit: Visit) -> Visit:
        """The visit with its form. Raises Forbidden where the user may not, or the form is not one of ours."""
        if self.door.policy == "session" and visit.signed_in[0].role != "admin":
            raise Forbidden("These pages are for administrators.")
        if not visit.is_change:
            return visit
        require_same_site(visit.request)
        form = await read_form(visit.request)
        if not same(form.get("csrf", ""), visit.csrf):
            raise Forbidden("This form is too old, or was made for another sign-in. Go back, reload, and try again.")
        return replace(visit, form=form)

    def _sign_in_first(self, visit: Visit) -> Response:
        if visit.is_change:
            raise NotAuthenticated("Your session is over, so nothing was changed. Sign in, then try again.")
        address = f"{self.site.root}/admin/login?next={quote(visit.address, safe='')}"
        if visit.is_script:
            return Response(None, 401, {"HX-Redirect": address})
        return RedirectResponse(address, 303)
