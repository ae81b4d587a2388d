"""Management tokens: the list, making one, disabling and deleting it."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from gateway.admin import passwords
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import tokens, users
from gateway.errors import InvalidFields
from gateway.model.people import ManagementToken
from gateway.model.scopes import NOUNS

_FIELDS = frozenset({"name", "expires_at"})
_LISTS = {"may": "scopes", "from": "allowed_ips"}
_SHOWN = _FIELDS | _LISTS.keys() | frozenset(_LISTS.values()) | {passwords.FIELD}
_NEW = {"may": "read", "from": "everywhere"}
_WHOLE = {"everything": None, "read": ["read"], "write": ["write"], "everywhere": None}


class TokenRow(msgspec.Struct, frozen=True):
    """`state` is active, disabled or expired."""

    token: ManagementToken
    owner: str
    state: str


@signed_in("users")
async def show_list(site: Site, visit: Visit) -> Response:
    names = {user.id: user.username for user in await users.listing(site.desk)}
    now = site.desk.clock.wall_ms()
    rows = [
        TokenRow(token, names.get(token.user_id or "", ""), _state(token, now))
        for token in await tokens.every(site.desk)
    ]
    return site.page(visit, "tokens/list.html", rows=rows)


@signed_in("users")
async def show_new(site: Site, visit: Visit) -> Response:
    return _new_page(site, visit, FormView(_NEW, shown=_SHOWN))


@signed_in("users")
async def create(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the secret; no page, cookie or address ever has it again."""
    typed = {name: value for name, value in visit.form.items() if name in _SHOWN - {passwords.FIELD}}
    try:
        await passwords.require_recent(site, visit)
        secret, token = await tokens.create(site.desk, visit.actor, _given(typed), text=True)
    except InvalidFields as error:
        return _new_page(site, visit, FormView(typed, error.fields, _SHOWN), 422)
    return site.page(visit, "tokens/created.html", token=token, secret=secret, base=visit.origin + site.root)


@signed_in("users")
async def enable(site: Site, visit: Visit) -> Response:
    await tokens.set_active(site.desk, visit.actor, _id(visit), active=True)
    return site.go("/admin/tokens", "token_enabled")


@signed_in("users")
async def disable(site: Site, visit: Visit) -> Response:
    await tokens.set_active(site.desk, visit.actor, _id(visit), active=False)
    return site.go("/admin/tokens", "token_disabled")


@signed_in("users")
async def ask_delete(site: Site, visit: Visit) -> Response:
    token = await tokens.get(site.desk, _id(visit))
    return site.page(
        visit,
        "confirm.html",
        title=f"Delete {token.name}?",
        words="Programs with this token are refused at once. What it did stays in the audit log.",
        action=f"/admin/tokens/{token.id}/delete",
        back="/admin/tokens",
        button="Delete",
        typed="",
        form=FormView(),
    )


@signed_in("users")
async def delete(site: Site, visit: Visit) -> Response:
    await tokens.delete(site.desk, visit.actor, _id(visit))
    return site.go("/admin/tokens", "token_deleted")


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _given(typed: dict[str, str]) -> dict[str, object]:
    """The form in the terms of the noun: a choice and its list become one value. Raises InvalidFields."""
    found: dict[str, object] = {name: value for name, value in typed.items() if name in _FIELDS}
    faults = {}
    for choice, field in _LISTS.items():
        listed = typed.get(field, "").strip()
        if typed.get(choice) == "listed" and not listed:
            faults[field] = "must name at least one"
        found[field] = _WHOLE.get(typed.get(choice, ""), listed)
    if faults:
        raise InvalidFields(faults)
    return found


def _state(token: ManagementToken, now: int) -> str:
    if not token.is_active:
        return "disabled"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "active"


def _new_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    asks = not passwords.is_recent(site, visit)
    return site.page(visit, "tokens/new.html", status, form=form, nouns=NOUNS, asks_password=asks)
