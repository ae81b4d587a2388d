"""One's own API keys: making, changing, rotating and deleting them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from gateway.admin import permission_fields
from gateway.admin.keys import created_page
from gateway.admin.money_bars import bars
from gateway.admin.site import Site, for_anybody
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.admin.wording import day
from gateway.control import budget_view, homes
from gateway.errors import Conflict, InvalidFields, Stale
from gateway.model.people import ApiKey, Period
from gateway.money import exact_dollars

_FIELDS = frozenset({"name", "rpm_limit", "budget", "budget_period", "expires_at", "deletes_itself", "note", "version"})
_SHOWN = (_FIELDS - {"version"}) | {"models", "allowed_models"}
_NEW = {"models": "all", "budget_period": Period.MONTHLY.value}
_ROTATE = FormView({"grace_hours": "24"}, shown=frozenset({"grace_hours"}))


@for_anybody("home")
async def show_new(site: Site, visit: Visit) -> Response:
    return await _page(site, visit, None, FormView(_NEW, shown=_SHOWN))


@for_anybody("home")
async def create(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the secret; no page, cookie or address ever has it again."""
    try:
        given = _given(visit.form)
        secret, key = await homes.create_key(site.desk, visit.actor, visit.signed_in[0], given, text=True)
    except InvalidFields as error:
        return await _page(site, visit, None, FormView(_typed(visit.form), error.fields, _SHOWN), 422)
    except Conflict as error:
        return await _page(site, visit, None, FormView(_typed(visit.form), {"form": error.message}, _SHOWN), 409)
    return created_page(site, visit, key, secret, "/home")


@for_anybody("home")
async def show(site: Site, visit: Visit) -> Response:
    key = await _own(site, visit)
    return await _page(site, visit, key, FormView(_values(key), shown=_SHOWN))


@for_anybody("home")
async def save(site: Site, visit: Visit) -> Response:
    key = await _own(site, visit)
    there, typed = _values(key), _typed(visit.form)
    try:
        given = _given(visit.form)
        if given.get("expires_at") == there["expires_at"]:
            del given["expires_at"]  # the form shows only the day: as it came, it must not move the hour
        await homes.update_key(site.desk, visit.actor, visit.signed_in[0], key.id, given, text=True)
    except InvalidFields as error:
        return await _page(site, visit, key, FormView({**there, **typed}, error.fields, _SHOWN), 422)
    except Stale as error:
        assert isinstance(error.current, ApiKey)
        return await _page(site, visit, error.current, beside(typed, _values(error.current), _SHOWN), 409)
    return site.go("/home", "key_saved")


@for_anybody("home")
async def enable(site: Site, visit: Visit) -> Response:
    return await _switch(site, visit, is_active=True)


@for_anybody("home")
async def disable(site: Site, visit: Visit) -> Response:
    return await _switch(site, visit, is_active=False)


@for_anybody("home")
async def rotate(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the new secret, once."""
    key = await _own(site, visit)
    given = {"grace_hours": visit.form.get("grace_hours", "")}
    try:
        secret, key = await homes.rotate_key(site.desk, visit.actor, visit.signed_in[0], key.id, given, text=True)
    except InvalidFields as error:
        form = FormView(given, error.fields, frozenset(given))
        return await _page(site, visit, key, FormView(_values(key), shown=_SHOWN), 422, form)
    return created_page(site, visit, key, secret, "/home")


@for_anybody("home")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@for_anybody("home")
async def delete(site: Site, visit: Visit) -> Response:
    key = await _own(site, visit)
    if visit.form.get("typed", "").strip() != key.name:
        return await _delete_page(site, visit, {"typed": f"must be {key.name}"})
    await homes.delete_key(site.desk, visit.actor, visit.signed_in[0], key.id)
    return site.go("/home", "key_deleted")


async def _own(site: Site, visit: Visit) -> ApiKey:
    return await homes.key(site.desk, visit.signed_in[0], str(visit.request.path_params["id"]))


async def _switch(site: Site, visit: Visit, *, is_active: bool) -> Response:
    key = await _own(site, visit)
    await homes.update_key(site.desk, visit.actor, visit.signed_in[0], key.id, {"is_active": is_active})
    return site.go("/home", "key_enabled" if is_active else "key_disabled")


def _typed(form: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in form.items() if name in _SHOWN or name == "version"}


def _given(form: Mapping[str, str]) -> dict[str, object]:
    """The form in the terms of the noun. Raises InvalidFields."""
    models = {name: value for name, value in form.items() if name in ("models", "allowed_models")}
    return {
        **{name: value for name, value in form.items() if name in _FIELDS},
        **permission_fields.given(models),
    }


def _values(key: ApiKey) -> dict[str, str]:
    """The key as the form shows it."""
    listed = permission_fields.values(key)
    return {
        "models": listed["models"],
        "allowed_models": listed["allowed_models"],
        "name": key.name,
        "rpm_limit": "" if key.rpm_limit is None else str(key.rpm_limit),
        "budget": "" if key.budget_nano is None else exact_dollars(key.budget_nano),
        "budget_period": key.budget_period.value,
        "expires_at": "" if key.expires_at is None else day(key.expires_at),
        "deletes_itself": "on" if key.deletes_itself else "",
        "note": key.note,
        "version": str(key.version),
    }


async def _page(
    site: Site, visit: Visit, key: ApiKey | None, form: FormView, status: int = 200, rotate: FormView = _ROTATE
) -> Response:
    money = budget_view.of_key(site.desk, key) if key else None
    return site.page(
        visit,
        "home/key.html",
        status,
        key=key,
        form=form,
        rotate=rotate,
        money=money,
        bars=bars(money) if money else (),
    )


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    key = await _own(site, visit)
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {key.name}?",
        words="Calls with this key are refused at once. It cannot be taken back; disabling can.",
        action=f"/home/keys/{key.id}/delete",
        back="/home",
        button="Delete",
        typed=key.name,
        form=FormView({}, faults, frozenset({"typed"})),
    )
