"""People: the list, making one, one person's page, deleting and restoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from gateway.admin import money_bars, user_forms
from gateway.admin.money_bars import MoneyBar
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import api_keys, budget_view, session_list, users
from gateway.errors import Conflict, InvalidFields, Stale
from gateway.model.people import Period, User


class UserRow(msgspec.Struct, frozen=True):
    """`spent` nano-dollars this month; `bars` are the quota, where there is one."""

    user: User
    keys: int
    bars: tuple[MoneyBar, ...]
    spent: int


@signed_in("users")
async def show_list(site: Site, visit: Visit) -> Response:
    return await _list_page(site, visit)


@signed_in("users")
async def show_new(site: Site, visit: Visit) -> Response:
    return _new_page(site, visit, FormView(user_forms.NEW, shown=user_forms.SHOWN))


@signed_in("users")
async def create(site: Site, visit: Visit) -> Response:
    try:
        made = await users.create(site.desk, visit.actor, user_forms.given(visit.form), text=True)
    except InvalidFields as error:
        return _new_page(site, visit, FormView(user_forms.typed(visit.form), error.fields, user_forms.SHOWN), 422)
    return site.go(f"/admin/users/{made.id}", "user_made")


@signed_in("users")
async def show(site: Site, visit: Visit) -> Response:
    user = await users.get(site.desk, user_id(visit))
    return await _page(site, visit, user, FormView(user_forms.values(user), shown=user_forms.SHOWN))


@signed_in("users")
async def save(site: Site, visit: Visit) -> Response:
    user = await users.get(site.desk, user_id(visit))
    there, typed = user_forms.values(user), user_forms.typed(visit.form)
    try:
        await users.update(site.desk, visit.actor, user.id, user_forms.given(visit.form), text=True)
    except InvalidFields as error:
        form = FormView({**there, **typed}, error.fields, user_forms.SHOWN)
        return await _page(site, visit, user, form, 422)
    except Stale as error:
        assert isinstance(error.current, User)
        form = beside(typed, user_forms.values(error.current), user_forms.SHOWN)
        return await _page(site, visit, error.current, form, 409)
    except Conflict as error:
        form = FormView({**there, **typed}, {"form": error.message}, user_forms.SHOWN)
        return await _page(site, visit, user, form, 409)
    return site.go(f"/admin/users/{user.id}", "user_saved")


@signed_in("users")
async def enable(site: Site, visit: Visit) -> Response:
    await users.update(site.desk, visit.actor, user_id(visit), {"is_active": True})
    return site.go("/admin/users", "user_enabled")


@signed_in("users")
async def disable(site: Site, visit: Visit) -> Response:
    try:
        await users.update(site.desk, visit.actor, user_id(visit), {"is_active": False})
    except Conflict as error:
        return await _list_page(site, visit, error.message, 409)
    return site.go("/admin/users", "user_disabled")


@signed_in("users")
async def end_session(site: Site, visit: Visit) -> Response:
    await session_list.end(site.desk, visit.actor, user_id(visit), str(visit.request.path_params["session"]))
    address = f"/admin/users/{user_id(visit)}"
    return site.go(address, "session_ended")


@signed_in("users")
async def sign_out(site: Site, visit: Visit) -> Response:
    await session_list.end_all(site.desk, visit.actor, user_id(visit))
    address = f"/admin/users/{user_id(visit)}"
    return site.go(address, "sessions_ended")


@signed_in("users")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@signed_in("users")
async def delete(site: Site, visit: Visit) -> Response:
    user = await users.get(site.desk, user_id(visit))
    if visit.form.get("typed", "").strip() != user.username:
        return await _delete_page(site, visit, {"typed": f"must be {user.username}"})
    try:
        await users.delete(site.desk, visit.actor, user.id)
    except Conflict as error:
        return await _list_page(site, visit, error.message, 409)
    return site.go("/admin/users", "user_deleted")


@signed_in("users")
async def restore(site: Site, visit: Visit) -> Response:
    try:
        await users.restore(site.desk, visit.actor, user_id(visit))
    except Conflict as error:
        return await _list_page(site, visit, error.message, 409)
    address = f"/admin/users/{user_id(visit)}"
    return site.go(address, "user_restored")


def user_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


async def _list_page(site: Site, visit: Visit, fault: str = "", status: int = 200) -> Response:
    owned = Counter(key.user_id for key in await api_keys.listing(site.desk))
    gone = [(user, users.name_of(user)) for user in await users.deleted(site.desk)]
    rows = [_row(site, user, owned[user.id]) for user in await users.listing(site.desk)]
    return site.page(visit, "users/list.html", status, rows=rows, gone=gone, fault=fault)


def _row(site: Site, user: User, keys: int) -> UserRow:
    money = budget_view.of_user(site.desk, user)
    return UserRow(user, keys, money_bars.bars(money), money.spent[Period.MONTHLY])


def _new_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    return site.page(visit, "users/new.html", status, form=form, groups=user_forms.groups())


async def _page(site: Site, visit: Visit, user: User, form: FormView, status: int = 200) -> Response:
    money = budget_view.of_user(site.desk, user)
    keys = [key for key in await api_keys.listing(site.desk) if key.user_id == user.id]
    return site.page(
        visit,
        "users/one.html",
        status,
        user=user,
        form=form,
        groups=user_forms.groups(),
        money=money,
        bars=money_bars.bars(money),
        keys=keys,
        sessions=await session_list.listing(site.desk, user.id),
    )


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    user = await users.get(site.desk, user_id(visit))
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {user.username}?",
        words="The person is signed out and the API keys are refused at once. Requests stay in the list, and the "
        "person can be restored.",
        action=f"/admin/users/{user.id}/delete",
        back="/admin/users",
        button="Delete",
        typed=user.username,
        form=FormView({}, faults, frozenset({"typed"})),
    )
